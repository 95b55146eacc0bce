"""TODO."""


class Checkpoints:
    """TODO."""
