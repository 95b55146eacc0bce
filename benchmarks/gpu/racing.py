"""A library that trains a network: its process, and what it took."""

import dataclasses
import statistics
import time

from benchmarks.peers import process


@dataclasses.dataclass
class Library:
    """A library that trains a network in a process of its own.

    Attributes:
        name: String.
        network: Key of `networks.ALL`.
        precision: "float32" or "bfloat16".
        methods: Names of methods, the important ones first.
        command: (module, its arguments) of the worker.
        first: Dict from methods to seconds of the first step, which compiles.
        times: Dict from methods to seconds of a step, a list.
        facts: Dict from methods to what the worker says, a dict.
        failures: List of strings, what did not work.
        versions: String, of what it runs.
    """

    name: str
    network: str
    precision: str
    methods: tuple
    command: tuple
    first: dict = dataclasses.field(default_factory=dict)
    times: dict = dataclasses.field(default_factory=dict)
    facts: dict = dataclasses.field(default_factory=dict)
    failures: list = dataclasses.field(default_factory=list)
    versions: str = ""

    def __post_init__(self):
        self._worker = None
        self._step = {}  # Seconds of the last step, by method.

    def prepare(self, python, environment, until):
        """Starts the process; compiles and warms all methods.

        Args:
            python: Path of the interpreter.
            environment: Dict of environment variables.
            until: When to begin nothing new, in `time.monotonic()`.
        """
        module, arguments = self.command
        try:
            self._worker = process.Worker(
                python, module, arguments, environment
            )
        except process.Failed as error:
            self.failures.append(str(error))
            return
        self.versions = self._worker.versions
        for method in self.methods:
            if time.monotonic() > until:
                self.failures.append(f"{method}: no time was left")
            elif not self._warm(method):
                return

    def _warm(self, method):
        """Takes the first steps; returns whether the process still lives."""
        try:
            first = self._worker.seconds(method, 1)
            self._step[method] = self._worker.seconds(method, 1)
        except process.Failed as error:
            self.failures.append(f"{method}: {error}")
            return "ended" not in str(error)
        self.facts[method] = self._worker.facts[method]
        self.first[method] = first + self.facts[method].get("compile", 0)
        self.times[method] = []
        return True

    def turn(self, method, seconds):
        """Trains for about so long, at least a step, and notes the time."""
        if method not in self.times:  # It has failed.
            return
        steps = max(1, round(seconds / self._step[method]))
        try:
            taken = self._worker.seconds(method, steps)
        except process.Failed as error:
            self.failures.append(f"{method}: {error}")
            del self.times[method]
            return
        self._step[method] = taken / steps
        self.times[method].append(taken / steps)

    def median(self, method):
        """Returns seconds of a step; None if it was not measured."""
        times = self.times.get(method)
        return statistics.median(times) if times else None

    def stop(self):
        """Ends the process, also while another thread prepares it."""
        if self._worker:
            self._worker.stop()

    def close(self):
        """Ends the process; nothing else may be called after this."""
        if self._worker:
            self._worker.close()
