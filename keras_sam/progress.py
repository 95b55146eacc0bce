"""How long measurements tell how far they are."""

import keras


def reporter(progress, unit):
    """Returns a function that is told of progress.

    Args:
        progress: Bool, whether to show a bar; or a function of two ints, how
            many are done and how many there will be at most. What it raises
            ends the measurement; after `KeyboardInterrupt` the results so far
            are returned.
        unit: String, what is counted.

    Raises:
        TypeError: If it is neither.
    """
    if isinstance(progress, bool):
        return _Bar(unit) if progress else lambda done, total: None
    if not callable(progress):
        raise TypeError(
            "`progress` must be True, False, or a function of two integers. "
            f"Received: {progress!r}"
        )
    return progress


class _Bar:
    """A progress bar of Keras."""

    def __init__(self, unit):
        self._unit = unit
        self._bar = None

    def __call__(self, done, total):
        if self._bar is None:
            self._bar = keras.utils.Progbar(total, unit_name=self._unit)
        self._bar.update(done)
