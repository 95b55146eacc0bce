r"""Step time of SAM in this and in other libraries, side by side.

    make peers
    python -m benchmarks.peers --model=resnet-18 --peer=keras_sam --peer=JAX

Networks, batch and optimizer are the same everywhere, on CPUs, under Linux.
Each library is as its users have it, in an environment of its own, which `make
peers` makes. Each library is a process. All have the same cores, but one works
at a time. In a round every library trains some steps, plain and with SAM, in an
order drawn anew. So a change of the machine's load affects all of them.

A number is the median over the rounds, with the quartiles behind it. A ratio is
taken within a round.

SAM of tf_keras takes its first gradient in inference mode. This is less work
with batch normalization, and fails with embeddings. "XLA" compiles the whole
step; Keras by itself does this on GPUs, and always on JAX. "fused" puts
`fused.BatchNormalization` in place of Keras's layer. "keras_sam, on JAX" is
Keras on its JAX backend. "JAX" is optax with Flax's networks.
"""

import os
import pathlib
import random
import sys
import tempfile

import numpy as np
from absl import app
from absl import flags

from benchmarks import networks
from benchmarks.peers import process
from benchmarks.peers import table

FLAGS = flags.FLAGS
# Name: (interpreter, module, its arguments).
PEERS = {
    table.OURS: (sys.executable, "benchmarks.peers.ours", ["graph"]),
    table.OURS_ON_JAX: (sys.executable, "benchmarks.peers.ours", ["xla"]),
    "keras_sam, XLA": (sys.executable, "benchmarks.peers.ours", ["xla"]),
    "keras_sam, fused": (sys.executable, "benchmarks.peers.ours", ["fused"]),
    "tf_keras": (
        ".venv-peers-tf_keras/bin/python",
        "benchmarks.peers.tf_keras",
        ["graph"],
    ),
    "PyTorch": (".venv-peers-torch/bin/python", "benchmarks.peers.torch", []),
    "JAX": (".venv-peers-jax/bin/python", "benchmarks.peers.jax", []),
}
BACKEND = {table.OURS_ON_JAX: {"KERAS_BACKEND": "jax"}}
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Otherwise the threads of PyTorch wait for each other without letting go of
    # their cores, and a step takes many times as long if others want these.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Otherwise glibc gives memory back after each step of JAX. The next step
    # then waits for new pages, as long as a gradient of the cnn takes.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**34),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}

flags.DEFINE_multi_enum(
    "model",
    list(networks.NETWORKS),
    list(networks.NETWORKS),
    "What to train; may be repeated.",
)
flags.DEFINE_multi_enum(
    "peer",
    list(PEERS),
    list(PEERS),
    "What to train it in, beside ours; may be repeated.",
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


def measure(network, path):
    """Returns a list of `process.Peer`, ours first, trained in turns."""
    peers = []
    try:
        for name, (python, module, arguments) in PEERS.items():
            if name in (table.OURS, *FLAGS.peer):
                peer = process.Peer(name)
                peers.append(peer)
                peer.start(
                    python,
                    module,
                    [*arguments, network, str(path)],
                    {**ENVIRONMENT, **BACKEND.get(name, {})},
                    FLAGS.seconds,
                )
        turns = [(peer, method) for peer in peers for method in peer.steps]
        order = random.Random(0)
        for _ in range(FLAGS.rounds):
            order.shuffle(turns)
            for peer, method in turns:
                peer.turn(method)
    finally:
        for peer in peers:
            peer.close()
    parameters = {p.name: p.parameters for p in peers if p.parameters}
    if len(set(map(tuple, parameters.values()))) > 1:
        raise ValueError(
            f"All must train the same network, {network}. Received numbers of "
            f"parameters: {parameters}"
        )
    return peers


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    cores = sorted(os.sched_getaffinity(0))[: FLAGS.threads]
    # Those of the workers, too; by them libraries number their threads.
    os.sched_setaffinity(0, cores)
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for network in FLAGS.model:
            x, y = networks.NETWORKS[network].batch()
            path = pathlib.Path(folder) / "batch.npz"
            np.savez(path, x=x, y=y)
            measured[network] = measure(network, path)
            print(f"### {network}: {len(x)} examples of {x.shape[1:]}\n")
            print(f"{table.table(measured[network])}\n", flush=True)
    print(f"On {len(cores)} cores; {table.versions(measured)}.\n")
    print(table.targets(measured))


if __name__ == "__main__":
    app.run(main)
