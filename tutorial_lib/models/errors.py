"""What every reader of checkpoints raises."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, or belongs to another architecture."""
