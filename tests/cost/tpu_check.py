"""Lowers and compiles SAM's train step for a TPU, on a machine without one.

    make tpu-check
    .venv-tpu/bin/python -m tests.cost.tpu_check --network=cnn --compile=cnn

TensorFlow lowers the whole train step of one replica, which holds the climb,
the optimizer and the metrics, to HLO (what XLA compiles) for TPUs. libtpu then
compiles it for a TPU v5e, by way of JAX, since TensorFlow has no call for that.
What no line of this shows is a step that runs, or one of several replicas.
"""

import collections
import itertools
import os
import re
import sys
import time

# Before TensorFlow: a TPU that is described here is not looked for.
os.environ.update(
    TPU_SKIP_MDS_QUERY="1",
    TPU_ACCELERATOR_TYPE="v5litepod-4",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_WORKER_ID="0",
    TPU_CHIPS_PER_HOST_BOUNDS="2,2,1",
    TPU_HOST_BOUNDS="1,1,1",
    TF_CPP_MIN_LOG_LEVEL="2",
)

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402
from jax.experimental import topologies  # noqa: E402
from jaxlib import _jax  # noqa: E402
from keras import layers  # noqa: E402
from keras.src.optimizers import base_optimizer  # noqa: E402

import keras_sam  # noqa: E402
from examples import models  # noqa: E402
from keras_sam import descents  # noqa: E402

_FLAGS = flags.FLAGS

BATCH = 8  # At 128 the instructions are the same, but compile for minutes.
CLASSES = 10
IMAGE = (32, 32, 3)
WORDS, LENGTH = 1000, 64
STEPS = (1, 3)
HOST_OPS = {"infeed", "outfeed", "send", "recv", "send-done", "recv-done"}
DYNAMIC_OPS = {"get-dimension-size", "set-dimension-size", "dynamic-reshape"}


def transformer():
    """Two blocks over 64 words, with dropout."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(WORDS, 128)(inputs)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(4, 32, dropout=0.1)(y, y)
        x = layers.Add()([x, layers.Dropout(0.1)(y)])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(128)(layers.Dense(256, activation="gelu")(y))
        x = layers.Add()([x, layers.Dropout(0.1)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(CLASSES, dtype="float32")(x))


def image_network(name):
    """Returns a function that makes a network of the examples."""
    return lambda: models.build(name, IMAGE, CLASSES, dropout=0.1)


NETWORKS = {
    "cnn": image_network("cnn"),
    "resnet-18": image_network("resnet-18"),
    "wrn-28-10": image_network("wrn-28-10"),
    "transformer": transformer,
}
POLICIES = {"float32": "f32", "mixed_bfloat16": "bf16"}

LINE = "{:12} {:15} {:>5} {:>12} {:>8} {:>10}  {}"
HEAD = (
    "network",
    "policy",
    "steps",
    "instructions",
    "lower, s",
    "compile, s",
    "convolutions and products",
)

flags.DEFINE_multi_enum(
    "network", list(NETWORKS), list(NETWORKS), "What to lower."
)
flags.DEFINE_multi_enum(
    "compile",
    ["cnn"],
    list(NETWORKS),
    "What to compile as well; takes minutes for others.",
)


class CaughtSGD(keras.optimizers.SGD):
    """SGD whose assignments go to Keras variables, where a scope sees them.

    On TensorFlow, Keras has them go to the `tf.Variable`s, since tf.distribute
    needs that. The arithmetic is the same.
    """

    _var_key = base_optimizer.BaseOptimizer._var_key
    _apply_weight_decay = base_optimizer.BaseOptimizer._apply_weight_decay
    _backend_update_step = base_optimizer.BaseOptimizer._backend_update_step
    assign = base_optimizer.BaseOptimizer.assign
    assign_add = base_optimizer.BaseOptimizer.assign_add
    assign_sub = base_optimizer.BaseOptimizer.assign_sub


class DenseLast(descents.Last):
    """`Last` on dense gradients of embeddings, as under a TPUStrategy.

    A subclass takes no slices unless it says so.
    """


def pure_step(network, ascent_steps):
    """Returns (train step as a function of all variables, its arguments).

    A TPU's variables live on the TPU: without one, only tensors can be lowered.
    """
    # As under a TPUStrategy, which compiles the step as a whole.
    sam = keras_sam.SAM(
        network, ascent_steps=ascent_steps, descent=DenseLast(), xla=False
    )
    sam.compile(
        CaughtSGD(0.1, momentum=0.9, weight_decay=5e-4),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    (inputs,) = network.inputs
    x = tf.zeros([BATCH, *inputs.shape[1:]], inputs.dtype)
    data = x, tf.zeros([BATCH, CLASSES])
    sam._symbolic_build(data_batch=data)
    variables = [
        *sam.variables,
        *sam.metrics_variables,
        *sam.optimizer.variables,
    ]
    variables = list({id(v): v for v in variables}.values())

    def step(values, data):
        with keras.StatelessScope(list(zip(variables, values))):
            logs = sam.train_step(data)
            return logs, [tf.convert_to_tensor(v.value) for v in variables]

    return step, ([tf.convert_to_tensor(v.value) for v in variables], data)


def lowered(step, arguments):
    """Returns the HLO, and the StableHLO, of a function for a TPU."""
    function = tf.function(step, jit_compile=True, autograph=False)
    ir = function.experimental_get_compiler_ir(*arguments)
    return [
        ir(stage=stage, platform_name="TPU") for stage in ("hlo", "stablehlo")
    ]


def compile_for_v5e(stablehlo):
    """Compiles, or raises RuntimeError. Memory is not looked at."""
    device = topologies.get_topology_desc("v5e:2x2", "tpu").devices[0]
    device.client.compile(stablehlo.encode(), _jax.DeviceList((device,)))


def instructions(hlo):
    """Counts instructions, by name."""
    return collections.Counter(
        re.findall(r"^ +(?:ROOT )?\S+ = (?:\(.*?\)|\S+) ([a-z-]+)\(", hlo, re.M)
    )


def products(hlo):
    """Counts convolutions and matrix products, by (name, types)."""
    found = re.findall(
        r" = (\w+)\[\S* (convolution|dot)\((\w+)\[\S* \S+ (\w+)\[", hlo
    )
    return collections.Counter(
        (name, "/".join(sorted({result, left, right})))
        for result, name, left, right in found
    )


def expected_products(network, dtype):
    """Returns what `products` must count in one evaluation of the gradient.

    Each product comes back twice in the gradient, with regard to its weights
    and its input; the data itself has no gradient. The head is in float32.
    """
    found = collections.Counter()
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D):
            found["convolution", dtype] += 3
        elif isinstance(layer, layers.MultiHeadAttention):
            found["dot", dtype] += 3 * 6
        elif isinstance(layer, layers.Dense):
            found["dot", "f32" if layer is network.layers[-1] else dtype] += 3
    if isinstance(network.layers[1], layers.Conv2D):
        found["convolution", dtype] -= 1
    return found


def faults(hlo, expected):
    """Returns what is wrong with the HLO of a step, a list of strings."""
    names = instructions(hlo)
    found = [
        f"{what}: {sorted(bad)}"
        for what, bad in {
            "custom calls": re.findall(r'custom_call_target="([^"]*)"', hlo),
            "host calls": HOST_OPS & {*names},
            "dynamic shapes": [
                *(DYNAMIC_OPS & {*names}),
                *re.findall(r"\b[a-z]\w*\[[\d,]*<=[^]]*\]", hlo),
            ],
        }.items()
        if bad
    ]
    if products(hlo) != expected:
        found.append(f"products: {dict(products(hlo))} instead of {expected}")
    return found


def check_faults():
    """Raises AssertionError where `faults` does not find what is there."""

    def masked(x):
        return tf.boolean_mask(x, x > 0)

    hlo, _ = lowered(masked, [tf.zeros([8])])
    (dynamic,) = faults(hlo, {})
    assert dynamic.startswith("dynamic shapes"), dynamic
    written = """
        %a.1 = (f32[8]{0}, u32[]) send(f32[8]{0} %b.2, token[] %c.3)
        %d.4 = f32[8]{0} custom-call(%b.2), custom_call_target="Sharding"
    """
    assert faults(written, {("dot", "f32"): 1}) == [
        "custom calls: ['Sharding']",
        "host calls: ['send']",
        "products: {} instead of {('dot', 'f32'): 1}",
    ]


def check(name, policy, ascent_steps):
    """Lowers, and where asked compiles, a case; returns (table row, faults)."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    network = NETWORKS[name]()
    step, arguments = pure_step(network, ascent_steps)
    start = time.perf_counter()
    hlo, stablehlo = lowered(step, arguments)
    lowering = f"{time.perf_counter() - start:.1f}"
    one = expected_products(network, POLICIES[policy])
    expected = {key: n * (ascent_steps + 1) for key, n in one.items()}
    found = faults(hlo, expected)
    compiling = "not tried"
    if name in _FLAGS.compile:
        start = time.perf_counter()
        compile_for_v5e(stablehlo)
        compiling = f"{time.perf_counter() - start:.1f}"
    counted = [f"{n} {op} {types}" for (op, types), n in products(hlo).items()]
    row = (
        name,
        policy,
        ascent_steps,
        instructions(hlo).total(),
        lowering,
        compiling,
        ", ".join(counted),
    )
    return row, found


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    check_faults()
    print(LINE.format(*HEAD))
    failed = False
    for case in itertools.product(_FLAGS.network, POLICIES, STEPS):
        row, found = check(*case)
        print(LINE.format(*row), *found, sep="\n  FAULT ", flush=True)
        failed |= bool(found)
    sys.exit(failed)


if __name__ == "__main__":
    app.run(main)
