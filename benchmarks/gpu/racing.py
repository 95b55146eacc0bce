"""A library that trains a network: its process, and what it took."""

import dataclasses
import statistics
import time

from benchmarks.peers import process

NO_TIME = "no time was left"


@dataclasses.dataclass
class Library:
    """A library that trains a network in a process of its own.

    Attributes:
        name: String.
        network: Key of `networks.ALL`.
        precision: "float32" or "bfloat16".
        methods: Names of methods, the important ones first.
        command: (interpreter, module, its arguments) of the worker.
        niceness: Int, by how much others go first while all compile.
        first: Dict from methods to seconds of the first step, which compiles.
        times: Dict from methods to seconds of a step, a list.
        facts: Dict from methods to what the worker says, a dict.
        failures: Dict from methods to why they were not measured, or not to the
            end.
        versions: String, of what it runs.
    """

    name: str
    network: str
    precision: str
    methods: tuple
    command: tuple
    niceness: int = 0
    first: dict = dataclasses.field(default_factory=dict)
    times: dict = dataclasses.field(default_factory=dict)
    facts: dict = dataclasses.field(default_factory=dict)
    failures: dict = dataclasses.field(default_factory=dict)
    versions: str = ""

    def __post_init__(self):
        self._worker = None
        self._step = {}  # Seconds of the last step, by method.

    @property
    def ready(self):
        """The methods that can train, a list."""
        return [m for m in self.methods if m in self.facts and self._lives(m)]

    def prepare(self, environment, until, last, note=lambda: None):
        """Starts the process; compiles all methods, and trains none.

        If the process ends, another one does without the method that it ended
        with.

        Args:
            environment: Dict of environment variables.
            until: When no method is begun any more, in `time.monotonic()`. How
                long one takes is not known before: on a GPU the first is the
                slowest, since XLA tries algorithms, and keeps its choice.
            last: When the process is ended if it still compiles.
            note: Function that is called whenever something is known.
        """
        while methods := list(filter(self._lives, self.methods)):
            self.close()
            self.facts.clear()
            if _left(until) <= 0:
                self._fail(methods, NO_TIME)
            elif self._start(methods, environment, last):
                self._compile(methods, until, last, note)
            if self._worker:
                break
        note()

    def _start(self, methods, environment, last):
        """Starts the process; returns whether it did."""
        try:
            self._worker = process.Worker(
                *self.command, environment, _left(last), self.niceness
            )
        except process.Failed as error:
            self._fail(methods, error)
            return False
        self.versions = self._worker.versions
        return True

    def _compile(self, methods, until, last, note):
        for method in methods:
            if _left(until) <= 0:
                self._fail([method], NO_TIME)
            elif self._ask(method, 0, last) is not None:
                self.facts[method] = self._worker.facts[method]
            elif not self._worker:
                return
            note()

    def warm(self, method, until):
        """Takes the first step, and one more to know how long one takes.

        Args:
            method: One of `ready`.
            until: When the process is ended if it does not answer.
        """
        first = self._ask(method, 1, until)
        second = first and self._ask(method, 1, until)
        if second:
            self.first[method] = first + self.facts[method].get("compile", 0)
            self._step[method] = second
            self.times[method] = []

    def turn(self, method, seconds, until):
        """Trains for about so long, at least a step, and notes the time.

        Args:
            method: One of `ready` that is warm; if it has failed since then,
                this does nothing.
            seconds: Float.
            until: As for `warm`.

        Returns:
            Whether it has tried to.
        """
        if not self._lives(method):
            return False
        steps = max(1, round(seconds / self._step[method]))
        taken = self._ask(method, steps, until)
        if taken is not None:
            self._step[method] = taken / steps
            self.times[method].append(taken / steps)
            self.facts[method] = self._worker.facts[method]
        return True

    def expected(self, method, seconds):
        """Returns how many seconds such a turn will take."""
        return max(seconds, self._step.get(method, 0))

    def median(self, method):
        """Returns seconds of a step; None if it was not measured."""
        times = self.times.get(method)
        return statistics.median(times) if times else None

    def close(self):
        """Ends the process."""
        if self._worker:
            self._worker.close()
            self._worker = None

    def _ask(self, method, steps, until):
        """Returns seconds of some steps; None if they failed."""
        if not self._worker:
            self._fail([method], "its process has ended")
            return None
        try:
            return self._worker.seconds(method, steps, max(0, _left(until)))
        except process.Failed as error:
            self._fail([method], error)
            if isinstance(error, process.Ended):
                self.close()
            return None

    def _fail(self, methods, why):
        for method in methods:
            self.failures.setdefault(method, str(why))

    def _lives(self, method):
        return method not in self.failures


def _left(until):
    return until - time.monotonic()
