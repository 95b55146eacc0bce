"""Backups on JAX: their files, and real processes that die and start again."""

import json
import signal
import sys

import keras
import numpy as np
import pytest

import keras_sam
from tests.support import backups
from tests.support import engine
from tests.support import processes
from tests.support import testing

if not engine.JAX:
    pytest.skip("needs the JAX backend", allow_module_level=True)

LIMIT = 200  # Seconds until all processes have ended.


class Job:
    """One training, in as many processes as it takes, again and again."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.folder = folder
        self.backups = folder / "backups"
        folder.mkdir(exist_ok=True)

    def run(self, *faults, directories=None):
        """Runs it once, with other arguments for each process.

        Returns:
            List of (exit status, output) of each process.
        """
        count = len(faults)
        directories = directories or [self.backups] * count
        (port,) = processes.free_ports(1)
        started = []
        for index, arguments in enumerate(faults):
            arguments = {
                "kind": self.kind,
                "directory": str(directories[index]),
                "result": str(self.folder / f"result-{index}"),
                **arguments,
            }
            started.append(
                processes.start(
                    "-m",
                    "tests.jax.backup_program",
                    json.dumps([port, count, index, arguments]),
                )
            )
        return processes.finish(started, LIMIT)

    def result(self):
        """Returns (weights and slots, history) of the first process."""
        return (
            dict(np.load(self.folder / "result-0.npz")),
            json.loads((self.folder / "result-0.json").read_text()),
        )


def resumed_at(ran):
    """Returns where the processes said that they resume, all at one place."""
    (place,) = {
        line.removeprefix("RESUMES ")
        for _, output in ran
        for line in output.splitlines()
        if line.startswith("RESUMES ")
    }
    return tuple(map(int, place.split()))


def assert_ended(ran, statuses):
    for (status, output), expected in zip(ran, statuses, strict=True):
        assert status == expected, output


def assert_same_result(job, other):
    """Equal to the bit, the logs of all epochs included."""
    (weights, history), (others, other_history) = job.result(), other.result()
    assert weights.keys() == others.keys() and len(weights) == 23
    for name, value in weights.items():
        np.testing.assert_array_equal(value, others[name], err_msg=name)
    assert history == other_history and len(history) == 2


def test_one_process(tmp_path):
    whole, job = Job("one", tmp_path / "whole"), Job("one", tmp_path / "cut")
    assert_ended(whole.run({}), [0])
    assert_ended(job.run({"fault": ("SIGKILL", 0, 3)}), [-signal.SIGKILL])
    ran = job.run({"cut_write": 3})
    assert_ended(ran, [-signal.SIGKILL])
    assert resumed_at(ran) == (0, 2)
    assert "unfinished-ckpt-3" in backups.names(job.backups)
    ran = job.run({"fault": ("SIGTERM", 1, 2)})
    assert_ended(ran, [143])
    assert resumed_at(ran) == (0, 4)
    ran = job.run({})
    assert_ended(ran, [0])
    assert resumed_at(ran) == (1, 3)  # After the step in which the signal came.
    assert_same_result(whole, job)
    assert len(backups.names(job.backups)) == 2


@pytest.mark.parametrize(
    "kind", testing.thinned(["data", "model"], lambda i, kind: kind == "data")
)
def test_two_processes(kind, tmp_path):
    whole, job = Job(kind, tmp_path / "whole"), Job(kind, tmp_path / "cut")
    assert_ended(whole.run({}, {}), [0, 0])
    # One is preempted: both end, after a step that they agree on.
    slow = {"pause": 0.5}
    ran = job.run(slow, {**slow, "fault": ("SIGTERM", 0, 1)})
    assert_ended(ran, [143, 143])
    # One is killed: the other cannot go on.
    ran = job.run({}, {"fault": ("SIGKILL", 1, 5)})
    assert (0, 1) < resumed_at(ran) < (1, 5)
    assert ran[1][0] == -signal.SIGKILL, ran[1][1]
    assert ran[0][0] not in (0, 143), ran[0][1]
    ran = job.run({}, {})
    assert_ended(ran, [0, 0])
    assert resumed_at(ran) == (1, 4)
    assert_same_result(whole, job)
    assert len(backups.names(job.backups)) == 2
    if kind == "model":  # The file has the whole weight.
        newest = backups.progress(backups.newest(job.backups))
        assert ["hidden/kernel", "float32", [6, 8]] in newest["variables"][
            "state"
        ]


def test_processes_must_see_the_same_backup(tmp_path):
    job = Job("one", tmp_path)
    assert_ended(job.run({"fault": ("SIGTERM", 0, 1)}), [143])
    job.kind = "data"
    ran = job.run({}, {}, directories=[job.backups, tmp_path / "another"])
    for status, output in ran:
        assert status == 1, output
        assert "ValueError" in output and "backup" in output


# The files.


def trained(directory):
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(testing.dense_net(), direction=testing.Averaged())
    sam.compile("adam", testing.cross_entropy())
    backup = keras_sam.BackupAndRestore(directory)
    sam.fit(*testing.data(), shuffle=False, verbose=0, callbacks=[backup])
    return sam


def test_a_changed_byte_is_found_or_without_effect(tmp_path):
    whole = trained(tmp_path)
    path = backups.newest(tmp_path)
    good = path.read_bytes()
    refused = 0
    for place in range(0, len(good), 211):
        content = bytearray(good)
        content[place] ^= 1
        path.write_bytes(content)
        try:
            resumed = trained(tmp_path)
        except ValueError as error:
            assert "damaged" in str(error)
            refused += 1
        else:
            for a, b in zip(whole.variables, resumed.variables, strict=True):
                np.testing.assert_array_equal(a, b)
    assert refused > len(good) / 211 * 0.9


def test_another_program_can_read_a_backup(tmp_path):
    """It is a file of Keras."""
    sam = trained(tmp_path)
    editor = keras.saving.KerasFileEditor(str(backups.newest(tmp_path)))
    values = editor.weights_dict["vars"]
    np.testing.assert_array_equal(values["state_0"], sam.variables[0])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_weights_of_bfloat16(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        whole = trained(tmp_path)
        again = trained(tmp_path)
    finally:
        keras.config.set_dtype_policy("float32")
    for a, b in zip(whole.variables, again.variables, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_another_number_of_devices(tmp_path):
    whole = trained(tmp_path)
    with keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"]).scope():
        again = trained(tmp_path)
        for a, b in zip(whole.variables, again.variables, strict=True):
            np.testing.assert_array_equal(a, b)
            assert len(b.value.sharding.device_set) == 2


def test_an_address_is_refused():
    with pytest.raises(ValueError, match="`directory`.*gs://bucket/folder"):
        keras_sam.BackupAndRestore("gs://bucket/folder")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        trained(tmp_path / "file" / "backups")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
