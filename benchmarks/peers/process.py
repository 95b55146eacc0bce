"""A library as `__main__.py` sees it: a process that it asks for times."""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
TIMEOUT = 900  # Seconds for an answer; XLA may compile for minutes.

# Seconds before a turn. Threads that look for work stop within milliseconds.
PAUSE = 0.05


class Failed(Exception):
    """A worker did not do what it was asked for; says why."""


class Ended(Failed):
    """The process of a worker has ended, or was ended; says why."""


class Worker:
    """A process that trains a network in one library, see `worker.py`.

    Args:
        python: Path of its interpreter, from `ROOT`.
        module: Name of the module to run, which calls `worker.serve`.
        arguments: Strings, for that.
        environment: Dict of further environment variables.
        timeout: Seconds until it must have started, else it is ended.
        niceness: Int, by how much others go first where processors are scarce.

    Attributes:
        versions: String, what it runs.
        parameters: Set of the numbers of parameters that its models train.
        facts: Dict from methods to what the worker says of each: a dict.
    """

    def __init__(
        self,
        python,
        module,
        arguments,
        environment,
        timeout=TIMEOUT,
        niceness=0,
    ):
        if not (ROOT / python).exists():
            raise Failed(f"there is no {python}; run `make peers`")
        path = [str(ROOT)]
        if python == sys.executable:
            path += sys.path  # Under Bazel our packages are nowhere else.
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [
                *("nice", "-n", str(niceness)),
                *(ROOT / python, "-m", module, *arguments),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.parameters = set()
        self.facts = {}
        try:
            self.versions = self._answer(timeout)["versions"]
        except Failed:
            self.close()
            raise

    def seconds(self, method, steps, timeout=TIMEOUT):
        """Returns how long some steps of a method, such as "SAM", take.

        Args:
            method: String.
            steps: Int. If it is 0, the worker only gets ready for a step.
            timeout: Seconds until it must have answered, else it is ended.
        """
        with contextlib.suppress(BrokenPipeError):  # It has ended.
            self._process.stdin.write(f"{method} {steps}\n".encode())
            self._process.stdin.flush()
        answer = self._answer(timeout)
        self.parameters.add(answer["parameters"])
        self.facts[method] = answer
        return answer["seconds"]

    def close(self):
        """Ends the process, and forgets what it said."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _answer(self, timeout):
        # It writes whole lines, so that one can be read once there is anything.
        output = self._process.stdout
        if not select.select([output], [], [], timeout)[0]:
            self._process.kill()
            raise Ended(f"no answer in {timeout:.0f} s")
        line = output.readline()
        if not line:
            self._errors.seek(0)
            last = self._errors.read().strip().rpartition("\n")[2]
            raise Ended(f"ended with {self._process.wait()}: {last}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer


@dataclasses.dataclass
class Peer:
    """A library that trains a network.

    Attributes:
        name: String.
        steps: Dict from "plain" and "SAM", if they work, to steps of a turn.
        times: Dict likewise, to lists: seconds a step, of each turn.
        failures: List of strings, what did not work.
        versions: String, of what it runs.
        parameters: List of the numbers of parameters that its networks train.
    """

    name: str
    steps: dict = dataclasses.field(default_factory=dict)
    times: dict = dataclasses.field(default_factory=dict)
    failures: list = dataclasses.field(default_factory=list)
    versions: str = ""
    parameters: list = dataclasses.field(default_factory=list)

    def start(self, python, module, arguments, environment, seconds):
        """Starts the worker, and traces, compiles and warms the steps.

        Args:
            python, module, arguments, environment: Those of `Worker`.
            seconds: Float, about how long a turn takes; at least a step.
        """
        self._worker = None
        try:
            self._worker = Worker(python, module, arguments, environment)
        except Failed as error:
            self.failures.append(str(error))
            return
        self.versions = self._worker.versions
        for method in ("plain", "SAM"):
            try:
                for _ in range(3):  # The first compiles, the last is timed.
                    step = self._worker.seconds(method, 1)
            except Failed as error:
                self.failures.append(f"{method}: {error}")
            else:
                self.steps[method] = max(1, round(seconds / step))
                self.times[method] = []
        self.parameters = sorted(self._worker.parameters)

    def turn(self, method):
        """Times a turn, unless one has failed before."""
        if method not in self.steps:
            return
        time.sleep(PAUSE)
        steps = self.steps[method]
        try:
            seconds = self._worker.seconds(method, steps)
        except Failed as error:
            self.failures.append(f"{method}: {error}")
            del self.steps[method], self.times[method]
        else:
            self.times[method].append(seconds / steps)

    def close(self):
        if self._worker:
            self._worker.close()
