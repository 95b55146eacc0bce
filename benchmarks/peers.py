r"""Step time of SAM in this and in other libraries, side by side.

    make peers
    python -m benchmarks.peers --model=resnet-18 --peer=keras_sam --peer=JAX

The same networks, batch and optimizer everywhere, on CPUs, under Linux; each
library as its users have it, in an environment of its own, which `make peers`
makes. Each is a process, and all have the same cores, but one works at a time:
in a round every one trains some steps, plain and with SAM, in an order drawn
anew, so that a change of the machine's load meets all of them.

A number is the median over the rounds, with the quartiles behind it. Ratios are
those within a round.

SAM of tf_keras takes its first gradient in inference mode, which is less work
where there is batch normalization.
"""

import dataclasses
import os
import pathlib
import random
import sys
import tempfile
import time

import numpy as np
from absl import app
from absl import flags

from benchmarks import networks
from benchmarks import peers_process

FLAGS = flags.FLAGS
OURS = "keras_sam"
# Name: (interpreter, module, arguments). The plain steps of ours are Keras's.
PEERS = {
    OURS: (sys.executable, "benchmarks.peers_keras", ["graph"]),
    "keras_sam, XLA": (sys.executable, "benchmarks.peers_keras", ["xla"]),
    "tf_keras": (
        ".venv-peers-tf_keras/bin/python",
        "benchmarks.peers_tf_keras",
        ["graph"],
    ),
    "PyTorch": (".venv-peers-torch/bin/python", "benchmarks.peers_torch", []),
    "JAX": (".venv-peers-jax/bin/python", "benchmarks.peers_jax", []),
}
OTHERS = ("tf_keras", "PyTorch", "JAX")
METHODS = ("plain", "SAM")
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Otherwise the threads of PyTorch wait for each other without letting go of
    # their cores, and a step takes many times as long if others want these.
    "OMP_WAIT_POLICY": "PASSIVE",
}
FASTEST = ("cnn", "resnet-18", "transformer")  # Where ours is to be that.
# Threads that look for work give up within a millisecond or so.
PAUSE = 0.05

flags.DEFINE_multi_enum(
    "model",
    list(networks.NETWORKS),
    list(networks.NETWORKS),
    "What to train; may be repeated.",
)
flags.DEFINE_multi_enum(
    "peer", list(PEERS), list(PEERS), "What to train it in; may be repeated."
)
flags.DEFINE_integer("rounds", 10, "Rounds.", lower_bound=1)
flags.DEFINE_float(
    "seconds",
    2.0,
    "How long one trains before the next does; at least a step.",
    lower_bound=0,
)
flags.DEFINE_integer(
    "threads", None, "Number of cores; by default all.", lower_bound=1
)


@dataclasses.dataclass
class Peer:
    """A library that trains a network.

    Attributes:
        name: Key of `PEERS`.
        worker: `peers_process.Worker`, or None if it did not start.
        steps: Dict from the methods that work to the steps of a round.
        times: Dict likewise, to lists of seconds a step.
        failures: List of strings.
    """

    name: str
    worker: peers_process.Worker | None = None
    steps: dict = dataclasses.field(default_factory=dict)
    times: dict = dataclasses.field(default_factory=dict)
    failures: list = dataclasses.field(default_factory=list)

    def start(self, network, path):
        python, module, arguments = PEERS[self.name]
        try:
            self.worker = peers_process.Worker(
                python, module, [*arguments, network, str(path)], ENVIRONMENT
            )
        except peers_process.Failed as error:
            self.failures.append(str(error))
            return
        for method in METHODS:
            try:
                for _ in range(3):  # Traces and compiles; warms; measures.
                    seconds = self.worker.seconds(method, 1)
            except peers_process.Failed as error:
                self.failures.append(f"{method}: {error}")
            else:
                self.steps[method] = max(1, round(FLAGS.seconds / seconds))
                self.times[method] = []

    def turn(self, method):
        steps = self.steps[method]
        time.sleep(PAUSE)
        self.times[method].append(self.worker.seconds(method, steps) / steps)

    def ratio(self):
        """Returns SAM to plain of each round, or None."""
        if len(self.times) < len(METHODS):
            return None
        return np.divide(self.times["SAM"], self.times["plain"])

    def relative(self, ours):
        """Returns SAM to that of another peer of each round, or None."""
        if not all("SAM" in peer.times for peer in (self, ours)):
            return None
        return np.divide(self.times["SAM"], ours.times["SAM"])


def measure(network, path):
    """Returns a list of `Peer`, which have trained in turns."""
    peers = [Peer(name) for name in PEERS if name in FLAGS.peer]
    try:
        for peer in peers:
            peer.start(network, path)
        turns = [(peer, method) for peer in peers for method in peer.steps]
        order = random.Random(0)
        for _ in range(FLAGS.rounds):
            order.shuffle(turns)
            for peer, method in turns:
                peer.turn(method)
    finally:
        for peer in peers:
            if peer.worker:
                peer.worker.close()
    parameters = {
        peer.name: sorted(peer.worker.parameters)
        for peer in peers
        if peer.steps
    }
    if len({tuple(p) for p in parameters.values()}) > 1:
        raise ValueError(
            f"All must train the same network, {network}. Received numbers of "
            f"parameters: {parameters}"
        )
    return peers


def cell(values, digits=2):
    """Returns median and quartiles, as a string."""
    if values is None:
        return "-"
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(network, peers):
    """Returns the section of a network, in Markdown."""
    parameters = {n for p in peers if p.steps for n in p.worker.parameters}
    each = networks.NETWORKS[network]
    lines = [
        f"### {network}",
        "",
        f"{each.batch_size} examples of {each.shape}; "
        f"{''.join(f'{n:,}' for n in parameters)} parameters.",
        "",
        "| library | plain, ms | SAM, ms | SAM to plain | SAM to ours |",
        "|---|---|---|---|---|",
    ]
    for peer in peers:
        times = [
            cell(1000 * np.array(peer.times[m]), 1) if m in peer.times else "-"
            for m in METHODS
        ]
        ratios = cell(peer.ratio()), cell(peer.relative(peers[0]))
        lines.append(f"| {' | '.join((peer.name, *times, *ratios))} |")
    lines += [f"\n{p.name}, {f}." for p in peers for f in p.failures]
    return "\n".join(lines)


def targets(measured):
    """Returns a line a target, that says whether it was met.

    Args:
        measured: Dict from networks to lists of `Peer`, ours first.
    """
    ratios, times = [], []
    for network, (ours, *others) in measured.items():
        for peer in others:
            if peer.name not in OTHERS:
                continue
            pair = ours.ratio(), peer.ratio()
            if None not in [None if p is None else 0 for p in pair]:
                ratios.append((network, peer.name, *map(np.median, pair)))
            relative = peer.relative(ours)
            if network in FASTEST and relative is not None:
                times.append((network, peer.name, 1.0, np.median(relative)))
    return "\n".join(
        f"(d) {what}, {network}: ours {ours:.2f}, {name} {theirs:.2f}: "
        f"{'met' if ours <= theirs else 'missed'}"
        for what, found in (("SAM to plain", ratios), ("SAM", times))
        for network, name, ours, theirs in found
    )


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    cores = sorted(os.sched_getaffinity(0))[: FLAGS.threads]
    # Of the workers, too. By it the libraries number their threads.
    os.sched_setaffinity(0, cores)
    print(f"On {len(cores)} cores.")
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for network in FLAGS.model:
            path = pathlib.Path(folder) / f"{network}.npz"
            x, y = networks.NETWORKS[network].batch()
            np.savez(path, x=x, y=y)
            measured[network] = measure(network, path)
            print(f"\n{table(network, measured[network])}", flush=True)
    print(f"\n{targets(measured)}")


if __name__ == "__main__":
    app.run(main)
