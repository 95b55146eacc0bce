"""TODO."""


class Skip:
    """TODO."""
