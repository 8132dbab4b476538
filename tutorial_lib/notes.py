"""What a user should know and what does not stop a command."""


class Note(UserWarning):
    """Something that the user should know and that does not stop the command."""
