"""TODO."""


class Watch:
    """TODO."""
