"""How far long work is: a bar on a terminal, a line a stage elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any
from typing import Self

import keras

_BAR = 20  # Characters.
_PAUSE = 0.1  # Seconds between two pictures of the bar.
# Share of the work from which on there is an estimate: what comes first also
# starts processes and compiles.
_ENOUGH = 0.05


class Progress:
    """Counts the stages of some work, and estimates how long the rest takes.

        with Progress("Run", 16) as progress:
            for run in runs:
                ...
                progress.done("what to say of it")

    On a terminal there is one bar, on stderr. Elsewhere each stage prints a
    line to stdout, without control characters. A terminal is where both are
    terminals: so a log, and a process whose stdout is a file, get lines.

    Args:
        unit: String, what a stage is called.
        count: Int, the number of stages.
        before: Int, how many of them an earlier process has finished.
        work: Float, the work of the others together, in any unit. By default
            each stage is a work of 1.
        clock: Returns seconds.
    """

    def __init__(
        self,
        unit: str,
        count: int,
        *,
        before: int = 0,
        work: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unit, self._count, self._number = unit, count, before
        self._work = count - before if work is None else work
        self._finished = 0.0
        self._clock = clock
        self._start = clock()
        self._shown, self._length = 0.0, 0
        self._text = ""
        self._bar = sys.stdout.isatty() and sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._length:
            print(file=sys.stderr, flush=True)

    def done(self, text: str, work: float = 1.0) -> None:
        """Counts a stage.

        Args:
            text: String, what to say of it.
            work: Float, its work, in the unit of the whole.
        """
        self._number += 1
        self._finished += work
        self._text = text
        if self._bar:
            self._show(self._finished)
        else:
            print(f"{self._state(self._finished)}: {text}", flush=True)

    def part(self, work: float) -> None:
        """Moves the bar within a stage, to so much of its work."""
        if self._bar and self._clock() - self._shown >= _PAUSE:
            self._show(self._finished + work)

    def _show(self, finished: float) -> None:
        self._shown = self._clock()
        share = min(finished / self._work, 1.0) if self._work else 1.0
        bar = ("#" * round(_BAR * share)).ljust(_BAR, ".")
        line = f"[{bar}] {self._state(finished)}"
        if self._text:
            line += f": {self._text}"
        line = line[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write(f"\r{line.ljust(self._length)}")
        sys.stderr.flush()
        self._length = len(line)

    def _state(self, finished: float) -> str:
        """Says how many stages are done, and about how long the rest takes."""
        state = f"{self._unit} {self._number}/{self._count}"
        rest = self._work - finished
        if finished < _ENOUGH * self._work or rest <= 0:
            return state
        seconds = (self._clock() - self._start) * rest / finished
        return f"{state}, about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Returns a duration in words, as roughly as an estimate is."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


class Epochs(keras.callbacks.Callback):
    """Shows the progress of `fit`: an epoch is a stage.

    Args:
        progress: `Progress`.
        steps: Int, train steps of an epoch.
    """

    def __init__(self, progress: Progress, steps: int) -> None:
        super().__init__()
        self._progress = progress
        self._steps = steps

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._progress.part((batch + 1) / self._steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.perf_counter() - self._begin
        values = [f"{name} {value:.4f}" for name, value in logs.items()]
        self._progress.done(", ".join([*values, f"{seconds:.1f} s"]))
