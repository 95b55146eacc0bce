r"""Kills trainings at random, again and again, and compares what comes out.

    make soak
    python -m tests.processes.soak --minutes=60 --seed=1

A training is one process, two replicas in a process, or two workers. Each run
of it may get SIGKILL or SIGTERM in a step drawn at random, until one ends
unhurt. Weights, slots and seeds must then equal those of the uninterrupted
training to the bit.
"""

import collections
import pathlib
import random
import signal
import tempfile
import time

from absl import app
from absl import flags

from tests.processes import faults_test

FLAGS = flags.FLAGS
flags.DEFINE_float("minutes", 10.0, "How long to go on.", lower_bound=0.0)
flags.DEFINE_integer("seed", 0, "Seed of the faults.")

KINDS = ("single", "mirrored", "workers")
SIGNALS = ("SIGKILL", "SIGTERM")
MOST = 20  # Runs of one training.


def drawn(draw, count):
    """Returns, for each process, no fault or one at a random step."""
    faults = [
        {
            "fault": (
                draw.choice(SIGNALS),
                draw.randrange(faults_test.EPOCHS),
                draw.randrange(faults_test.STEPS),
            )
        }
        for _ in range(count)
    ]
    for index in range(count):
        if draw.random() < 0.4:
            faults[index] = {}
    return faults


def train(job, draw, statuses):
    """Runs a training until it ends unhurt; counts how its runs ended."""
    for _ in range(MOST):
        ran = job.run(drawn(draw, job.count))
        statuses.update(status for status, _ in ran)
        if all(status == 0 for status, _ in ran):
            return
        for status, output in ran:
            if status is None:
                raise TimeoutError(f"A process has not ended: {output}")
    raise RuntimeError(f"Not done after {MOST} runs: {ran}")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    draw = random.Random(FLAGS.seed)
    statuses = collections.Counter()
    end = time.monotonic() + 60 * FLAGS.minutes
    with tempfile.TemporaryDirectory() as folder:
        whole = {}
        for kind in KINDS:
            whole[kind] = faults_test.Job(kind, pathlib.Path(folder, kind))
            ran = whole[kind].run()
            faults_test.assert_ended(ran, [0] * len(ran), (0, 0))
        number = 0
        while time.monotonic() < end:
            kind = KINDS[number % len(KINDS)]
            number += 1
            job = faults_test.Job(kind, pathlib.Path(folder, str(number)))
            train(job, draw, statuses)
            faults_test.assert_same_result(whole[kind], job)
            print(f"Training {number} ({kind}): equal.", flush=True)
    killed = statuses[-signal.SIGKILL]
    print(
        f"{number} trainings equal the uninterrupted ones. Of their "
        f"{statuses.total()} processes {killed} were killed, "
        f"{statuses[128 + signal.SIGTERM]} preempted, {statuses[0]} ended "
        f"unhurt, {statuses.total() - killed - statuses[143] - statuses[0]} "
        "were left by their peers."
    )


if __name__ == "__main__":
    app.run(main)
