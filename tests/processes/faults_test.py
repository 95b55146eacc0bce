"""Processes that die, by SIGKILL and SIGTERM, and start again.

A process is told at which step to send itself the signal, which so is a real
one and needs no timing.
"""

import json
import os
import pathlib
import shutil
import signal
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests.support import processes
from tests.support import testing

LIMIT = 150  # Seconds until all processes have ended.
EPOCHS = 2
STEPS = 8  # In an epoch.

PROGRAM = """
from tests.processes import faults_test
faults_test.train(**{arguments})
"""


class Fault(keras.callbacks.Callback):
    """Sends a signal to its own process, in a step of an epoch."""

    def __init__(self, name, epoch, step):
        super().__init__()
        self._signal = getattr(signal, name)
        self._at = (epoch, step)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self._epoch, batch) == self._at:
            os.kill(os.getpid(), self._signal)


def batches(epochs):
    """Returns the batches of some epochs, each in an order of its own."""
    x, y = map(tf.constant, testing.data(8 * STEPS))

    def of_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(y)), [0, epoch]
        )
        return tf.data.Dataset.from_tensor_slices(
            (tf.gather(x, order), tf.gather(y, order))
        ).batch(8)

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    numbers = tf.data.Dataset.range(epochs.start, epochs.stop)
    return numbers.flat_map(of_epoch).with_options(options)


STRATEGIES = {
    "single": tf.distribute.get_strategy,
    "mirrored": testing.two_replicas,
    "workers": tf.distribute.MultiWorkerMirroredStrategy,
}


def train(kind, directory, result, fault=None, cut_write=None):
    """Trains, in a process of its own, and writes down what came out."""
    strategy = STRATEGIES[kind]()
    if cut_write:
        cut_writing(cut_write)
    keras.utils.set_random_seed(1)
    with strategy.scope():
        sam = keras_sam.SAM(
            testing.full_net(), rho=0.1, direction=testing.Averaged()
        )
        sam.compile(
            keras.optimizers.SGD(0.1, momentum=0.9),
            testing.cross_entropy(),
            metrics=["accuracy"],
        )
    backup = keras_sam.BackupAndRestore(directory, save_freq=3)
    print("RESUMES", backup.epoch, backup.step, flush=True)
    sam.fit(
        batches(range(backup.epoch, EPOCHS)),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        callbacks=[backup] + ([Fault(*fault)] if fault else []),
        shuffle=False,
        verbose=0,
    )
    np.savez(f"{result}.npz", *testing.state(sam).values())
    pathlib.Path(f"{result}.json").write_text(json.dumps(backup.history))


def cut_writing(number):
    """Kills this process when a backup is written, but not yet named."""
    manager = tf.train.CheckpointManager
    save, record = manager.save, manager._record_state
    numbers = []

    def saving(self, checkpoint_number):
        numbers.append(checkpoint_number)
        return save(self, checkpoint_number)

    def recording(self):
        if numbers[-1] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        record(self)

    manager.save, manager._record_state = saving, recording


class Job:
    """One training, in as many processes as it takes, again and again."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.folder = folder
        self.backups = folder / "backups"
        self.count = 2 if kind == "workers" else 1
        for index in range(self.count):
            (folder / f"temporary-{index}").mkdir(parents=True)

    def run(self, faults=({}, {}), directories=None):
        """Runs it once, with other arguments for each process.

        Returns:
            List of (exit status, output) of each process.
        """
        directories = directories or [self.backups] * self.count
        # Other strategies must not see a cluster.
        cluster = [{}] * self.count
        if self.kind == "workers":
            configs = processes.tf_configs(self.count)
            cluster = [{"TF_CONFIG": config} for config in configs]
        started = [
            processes.start(
                "-c",
                PROGRAM.format(
                    arguments={
                        "kind": self.kind,
                        "directory": str(directories[index]),
                        "result": str(self.folder / f"result-{index}"),
                        **faults[index],
                    }
                ),
                TMPDIR=str(self.folder / f"temporary-{index}"),
                **cluster[index],
            )
            for index in range(self.count)
        ]
        return processes.finish(started, LIMIT)

    def result(self):
        """Returns (weights and slots, history) of the chief."""
        return (
            dict(np.load(self.folder / "result-0.npz")),
            json.loads((self.folder / "result-0.json").read_text()),
        )


def assert_ended(ran, statuses, resumed_at):
    for (status, output), expected in zip(ran, statuses, strict=True):
        assert status == expected, output
        epoch, step = resumed_at
        assert f"RESUMES {epoch} {step}\n" in output


def assert_same_result(job, other):
    """Equal to the bit."""
    (weights, history), (others, other_history) = job.result(), other.result()
    assert weights.keys() == others.keys() and len(weights) == 23
    for name, value in weights.items():
        np.testing.assert_array_equal(value, others[name], err_msg=name)
    # Replicas go on with parts of the sums that metrics are.
    tolerance = 0 if job.kind == "single" else 1e-6
    for one, two in zip(history, other_history, strict=True):
        assert one == pytest.approx(two, rel=tolerance, abs=0)


def assert_only_backups_are_left(job):
    names = {name.partition(".")[0] for name in os.listdir(job.backups)}
    assert "checkpoint" in names and len(names) == 3
    assert names - {"checkpoint"} == {
        os.path.basename(path)
        for path in tf.train.get_checkpoint_state(
            job.backups
        ).all_model_checkpoint_paths
    }
    for temporary in job.folder.glob("temporary-*"):
        assert not [p for p in temporary.rglob("*") if "ckpt" in p.name]


@pytest.mark.parametrize("kind", ["single", "mirrored"])
def test_process(kind, tmp_path):
    whole, job = Job(kind, tmp_path / "whole"), Job(kind, tmp_path / "cut")
    assert_ended(whole.run(), [0], (0, 0))
    kill, cut, terminate = (
        {"fault": ("SIGKILL", 0, 4)},
        {"cut_write": 3},
        {"fault": ("SIGTERM", 1, 4)},
    )
    assert_ended(job.run([kill]), [-signal.SIGKILL], (0, 0))
    if kind == "single":
        assert_ended(job.run([cut]), [-signal.SIGKILL], (0, 3))
        assert (job.backups / "ckpt-3.index").exists()
        assert_ended(job.run([terminate]), [143], (0, 6))
    else:
        assert_ended(job.run([terminate]), [143], (0, 3))
    # After the step in which the signal came.
    assert_ended(job.run(), [0], (1, 5))
    assert_same_result(whole, job)
    assert_only_backups_are_left(job)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted training of two workers."""
    job = Job("workers", tmp_path_factory.mktemp("whole"))
    # Where the one that is not the chief would write, if it did.
    unused = job.folder / "unused"
    ran = job.run(directories=[job.backups, unused])
    assert_ended(ran, [0, 0], (0, 0))
    assert_only_backups_are_left(job)
    assert not unused.exists()
    return job


def test_workers(whole, tmp_path):
    job = Job("workers", tmp_path)
    # One is preempted: all end after the next step, on which they agree.
    ran = job.run([{}, {"fault": ("SIGTERM", 0, 4)}])
    assert_ended(ran, [143, 143], (0, 0))
    # All are, as when a whole job has to go.
    ran = job.run([{"fault": ("SIGTERM", 1, 2)}] * 2)
    assert_ended(ran, [143, 143], (0, 6))
    # One is killed: the other ends by itself, with an error that says why.
    ran = job.run([{}, {"fault": ("SIGKILL", 1, 7)}])
    assert_ended(ran[1:], [-signal.SIGKILL], (1, 4))
    status, output = ran[0]
    assert status not in (0, 143, -signal.SIGKILL) and "task:1" in output
    assert_ended(job.run(), [0, 0], (1, 6))
    assert_same_result(whole, job)
    assert_only_backups_are_left(job)


def test_workers_must_see_the_same_backup(whole, tmp_path):
    job = Job("workers", tmp_path)
    shutil.copytree(whole.backups, tmp_path / "backups")
    ran = job.run(directories=[job.backups, tmp_path / "another"])
    for status, output in ran:
        assert status == 1, output
        assert "ValueError" in output and "backup" in output


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
