"""What a user should know and what does not stop a command."""


class Note(UserWarning):
    """Something that the user should know and that does not stop the command.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as shown:
        ...     warnings.simplefilter("always")
        ...     warnings.warn("3 trials failed", Note)
        >>> print(*(note.message for note in shown))
        3 trials failed
    """
