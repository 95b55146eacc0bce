"""A compiled model that trains on one batch, as `fit` does, and its times."""

import dataclasses
import statistics
import time

import keras

import keras_sam
from benchmarks import engine

METHODS = {
    "plain": lambda net: net,
    "n=0": lambda net: keras_sam.SAM(net, ascent_steps=0),
    "n=1": lambda net: keras_sam.SAM(net, ascent_steps=1),
    "n=3": lambda net: keras_sam.SAM(net, ascent_steps=3),
}


@dataclasses.dataclass
class Run:
    """A model that trains, and the seconds a step that its rounds took.

    Attributes:
        model: `keras.Model`, compiled.
        batch: (x, y), NumPy arrays.
        first: Seconds of the first step, which traces and compiles.
        seconds: List of floats.
    """

    model: keras.Model
    batch: tuple
    first: float = 0.0
    seconds: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self._train = engine.stepping.trainer(self.model, self.batch)
        self.first = self.go(1)

    def go(self, steps):
        """Trains; returns the seconds that it took."""
        start = time.perf_counter()
        self._train(steps)
        return time.perf_counter() - start

    def round(self, seconds, multiple=1):
        """Trains for about so long, and notes the time.

        Args:
            seconds: Float.
            multiple: Int, of which the number of steps is a multiple.
        """
        steps = multiple
        if self.seconds:
            times = round(seconds / self.seconds[-1] / multiple)
            steps *= max(1, times)
        self.seconds.append(self.go(steps) / steps)

    @property
    def median(self):
        """Seconds of a step, the first round apart."""
        return statistics.median(self.seconds[1:])

    @property
    def spread(self):
        """Half of the distance of the quartiles, over the median."""
        low, _, high = statistics.quantiles(self.seconds[1:], n=4)
        return (high - low) / 2 / self.median


def compiled(model, jit_compile):
    """Compiles a classifier; returns it."""
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    return model


def ratios(run, to):
    """Returns the ratios of two runs' times, round by round, but the first.

    Both were taken in turns, so that a change of the machine's load meets both.
    """
    return [
        one / other
        for one, other in zip(run.seconds[1:], to.seconds[1:], strict=True)
    ]
