"""Tests of the launcher, and with it of the examples on several workers."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from examples import launch
from examples import options
from examples import train
from tests.support import processes
from tests.support import testing

_RUN = ("--model=mlp", "--epochs=2", "--dropout=0.2", "--ascent_steps=2")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("tfds"))


def run_here(monkeypatch, folder, data_dir, *arguments):
    """Trains in this process; returns the result."""
    monkeypatch.setitem(
        options.STRATEGIES, "mirrored", lambda settings: testing.two_replicas()
    )
    places = (f"--output_dir={folder}", f"--data_dir={data_dir}")
    with flagsaver.flagsaver():
        flags.FLAGS(["train", *_RUN, *places, *arguments])
        return train.train(options.settings())


def run_workers(count, folder, data_dir, *arguments):
    """Trains on workers; returns the result, and what all of them said."""
    process = processes.start(
        *("-m", "examples.launch", f"--workers={count}", "--"),
        *_RUN,
        f"--output_dir={folder}",
        f"--data_dir={data_dir}",
        *arguments,
    )
    ((status, output),) = processes.finish([process])
    assert status == 0, output
    return json.loads((folder / "result.json").read_text()), output


def weights(folder):
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    return model.get_weights()


def test_two_workers_are_two_replicas(monkeypatch, data_dir, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    expected = run_here(monkeypatch, one, data_dir, "--strategy=mirrored")
    result, output = run_workers(2, two, data_dir)
    # Sums over processes are taken in another order, which 22 steps spread.
    for epoch, other in zip(expected["history"], result["history"]):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert epoch[name] == pytest.approx(other[name], abs=1e-4)
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    lines = [line for line in output.splitlines() if "Test accuracy" in line]
    assert [line[:10] for line in sorted(lines)] == ["[worker 0]", "[worker 1]"]
    assert len({line.partition("] ")[2] for line in lines}) == 1
    # Only the first writes what one has to write.
    assert {path.name for path in two.iterdir()} >= {
        "model.keras",
        "result.json",
        "settings.json",
        "tensorboard",
    }
    # The name of a file has the number of the process.
    events = (two / "tensorboard").rglob("train/events*")
    assert len({path.name.split(".")[5] for path in events}) == 1
    before = (two / "result.json").stat().st_mtime_ns
    again, output = run_workers(2, two, data_dir)
    assert again == result and "Epoch" not in output
    assert (two / "result.json").stat().st_mtime_ns == before


def test_one_worker_is_none(monkeypatch, data_dir, tmp_path):
    none, one = tmp_path / "none", tmp_path / "one"
    expected = run_here(monkeypatch, none, data_dir)
    result, output = run_workers(1, one, data_dir)
    assert "[worker" not in output
    assert result["test_loss"] == pytest.approx(expected["test_loss"], abs=1e-5)
    for a, b in zip(weights(none), weights(one), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_workers_with_other_flags_end(data_dir, tmp_path):
    rhos = (0.05, 0.1)
    started = [
        processes.start(
            *("-m", "examples.train", "--strategy=multi_worker", *_RUN),
            f"--output_dir={tmp_path}",
            f"--data_dir={data_dir}",
            f"--rho={rho}",
            TF_CONFIG=tf_config,
        )
        for rho, tf_config in zip(rhos, processes.tf_configs(2))
    ]
    for status, output in processes.finish(started):
        assert status == 1, output
        assert "  rho: 0.05 on worker 0" in output, output
    assert not list(tmp_path.iterdir())


# The launcher itself, with workers that do not train.


def index_is(index, then, otherwise="time.sleep(100)"):
    return [
        "-c",
        "import json, os, signal, sys, time\n"
        "me = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
        f"if me == {index}:\n    {then}\n"
        f"else:\n    {otherwise}\n",
    ]


def test_failure_of_one_ends_all(tmp_path):
    start = time.monotonic()
    arguments = index_is(1, "print('no', flush=True); sys.exit(7)")
    assert launch.launch(3, arguments, tmp_path) == 7
    assert time.monotonic() - start < 50
    assert (tmp_path / "worker-1.txt").read_text() == "no\n"


def test_stubborn_worker_is_killed():
    ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
    start = time.monotonic()
    arguments = index_is(0, "time.sleep(2); sys.exit(3)", ignores)
    assert launch.launch(2, arguments, grace=1.0) == 3
    assert time.monotonic() - start < 50


def test_success(capfd):
    arguments = index_is(0, "print('a')", "print('b')")
    assert launch.launch(2, arguments) == 0
    lines = sorted(capfd.readouterr().out.splitlines())
    assert lines == ["[worker 0] a", "[worker 1] b"]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all(number, tmp_path):
    (tmp_path / "sleeps.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path)!r}, f'{{os.getpid()}}.pid').touch()\n"
        "time.sleep(100)\n"
    )
    process = processes.start(
        *("-m", "examples.launch", "--workers=2", "--module=sleeps"),
        PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]),
    )
    deadline = time.monotonic() + 60
    while len(pids := list(tmp_path.glob("*.pid"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    ((status, output),) = processes.finish([process], 60)
    assert status == 128 + number, output
    assert not any(alive(int(path.stem)) for path in pids)


_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("DEAF", flush=True)
time.sleep(300)
"""


def test_a_second_interrupt_kills_at_once():
    process = subprocess.Popen(
        [sys.executable, "-c", _DEAF], stdout=subprocess.PIPE, text=True
    )

    def interrupt(number, frame):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        assert process.stdout.readline() == "DEAF\n"
        signal.alarm(1)
        with pytest.raises(KeyboardInterrupt):
            launch.end([process], 200)
        assert process.poll() == -signal.SIGKILL
    finally:
        signal.signal(signal.SIGALRM, previous)
        process.kill()
        process.stdout.close()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
