"""JAX, with optax's SAM and Flax's networks, as a worker of `benchmarks.peers`.

The networks are the networks of `networks.py`. A step is one compiled program,
and it may overwrite the old weights. In bfloat16 the weights stay in float32,
and all layers compute in bfloat16.
"""

import functools
import time
from collections.abc import Callable

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp

from benchmarks.peers import jax_memory
from benchmarks.peers import worker

CLASSES = 10


def conv(filters, size=3, strides=1):
    return nn.Conv(filters, (size, size), strides, use_bias=False)


def norm():
    return nn.BatchNorm(use_running_average=False, momentum=0.9, epsilon=1e-5)


def norm_relu():
    return nn.Sequential([norm(), nn.relu])


class BasicBlock(nn.Module):
    """Two convolutions, beside a shortcut."""

    filters: int
    strides: int

    @nn.compact
    def __call__(self, x):
        y = norm_relu()(conv(self.filters, 3, self.strides)(x))
        y = norm()(conv(self.filters)(y))
        if self.strides > 1 or x.shape[-1] != self.filters:
            x = norm()(conv(self.filters, 1, self.strides)(x))
        return nn.relu(x + y)


class PreactivationBlock(nn.Module):
    """Two convolutions, normed before, beside a shortcut."""

    filters: int
    strides: int

    @nn.compact
    def __call__(self, x):
        y = norm_relu()(x)
        if self.strides > 1 or x.shape[-1] != self.filters:
            x = conv(self.filters, 1, self.strides)(y)
        y = norm_relu()(conv(self.filters, 3, self.strides)(y))
        return x + conv(self.filters)(y)


class EncoderBlock(nn.Module):
    """Attention and two dense layers, each normed before."""

    width: int
    heads: int
    hidden: int
    activation: Callable = nn.relu

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm(epsilon=1e-5)(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads)(y)
        y = nn.LayerNorm(epsilon=1e-5)(x)
        y = self.activation(nn.Dense(self.hidden)(y))
        return x + nn.Dense(self.width)(y)


class Positions(nn.Module):
    """Adds a trained vector to each place of a sequence."""

    @nn.compact
    def __call__(self, x):
        vectors = self.param(
            "vectors", nn.initializers.normal(0.02), x.shape[1:]
        )
        return x + vectors


def mean(*axes):
    return functools.partial(jnp.mean, axis=axes)


def mlp():
    return nn.Sequential(
        [
            lambda x: x.reshape(len(x), -1),
            *(nn.Dense(256), nn.relu),
            *(nn.Dense(256), nn.relu),
            nn.Dense(CLASSES),
        ]
    )


def cnn():
    body = []
    for filters, strides in ((16, 1), (16, 1), (32, 2), (32, 1)):
        body += [conv(filters, 3, strides), norm_relu()]
    return nn.Sequential([*body, mean(1, 2), nn.Dense(CLASSES)])


def resnet18():
    body = [conv(64), norm_relu()]
    for filters in (64, 128, 256, 512):
        body += [
            BasicBlock(filters, 1 if filters == 64 else 2),
            BasicBlock(filters, 1),
        ]
    return nn.Sequential([*body, mean(1, 2), nn.Dense(CLASSES)])


def wide_resnet(depth=16, width=4):
    body = [conv(16)]
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range((depth - 4) // 6):
            strides = 2 if block == 0 and stage > 0 else 1
            body.append(PreactivationBlock(filters, strides))
    body.append(norm_relu())
    return nn.Sequential([*body, mean(1, 2), nn.Dense(CLASSES)])


def transformer(tokens=1000, width=128, heads=4, blocks=2):
    return nn.Sequential(
        [
            nn.Embed(tokens, width),
            *(EncoderBlock(width, heads, 2 * width) for _ in range(blocks)),
            nn.LayerNorm(epsilon=1e-5),
            mean(1),
            nn.Dense(CLASSES),
        ]
    )


def vit(patch=16, width=384, heads=6, blocks=12):
    gelu = functools.partial(nn.gelu, approximate=False)
    return nn.Sequential(
        [
            nn.Conv(width, (patch, patch), (patch, patch)),
            lambda x: x.reshape(len(x), -1, width),
            Positions(),
            *(
                EncoderBlock(width, heads, 4 * width, gelu)
                for _ in range(blocks)
            ),
            nn.LayerNorm(epsilon=1e-5),
            mean(1),
            nn.Dense(CLASSES),
        ]
    )


def embedding(tokens=200_000, width=64):
    return nn.Sequential(
        [
            nn.Embed(tokens, width),
            mean(1),
            *(nn.Dense(width), nn.relu),
            nn.Dense(CLASSES),
        ]
    )


NETWORKS = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet-18": resnet18,
    "wrn-16-4": wide_resnet,
    "transformer": transformer,
    "embedding": embedding,
    "wrn-28-10": functools.partial(wide_resnet, 28, 10),
    "vit-s-16": vit,
    "wrn-10-1": functools.partial(wide_resnet, 10, 1),
    "vit-tiny": functools.partial(vit, 8, 32, 2, 1),
}


def cast(values, precision):
    """Returns values with their float32 numbers in a precision."""
    return jax.tree.map(
        lambda a: a.astype(precision) if a.dtype == jnp.float32 else a, values
    )


def optimizer(method):
    base = optax.sgd(worker.RATE, momentum=worker.MOMENTUM)
    if method == "SAM":
        base = optax.contrib.sam(
            base,
            optax.chain(optax.contrib.normalize(), optax.sgd(worker.RHO)),
            opaque_mode=True,
        )
    return optax.with_extra_args_support(base)


def start(network, method, x, y, precision="float32"):
    """Returns what `worker.serve` asks for.

    Args:
        network: Key of `NETWORKS`.
        method: "plain" or "SAM".
        x, y: NumPy arrays, the batch.
        precision: "float32" or "bfloat16".
    """
    module = NETWORKS[network]()
    sam = optimizer(method)
    x, y = jnp.asarray(x), jnp.asarray(y)
    # Compiled, since the forward pass is left out then.
    statistics = jax.jit(module.init)(jax.random.key(0), x)
    params = statistics.pop("params")
    variables = params, statistics, sam.init(params)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(variables, x, y):
        params, statistics, state = variables

        @functools.partial(jax.value_and_grad, has_aux=True)
        def evaluate(params):
            logits, updated = module.apply(
                {"params": cast(params, precision), **statistics},
                cast(x, precision),
                mutable=["batch_stats"],
            )
            logits = logits.astype(jnp.float32)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            return losses.mean(), updated

        (loss, updated), grads = evaluate(params)
        updates, state = sam.update(
            grads, state, params, grad_fn=lambda point, _: evaluate(point)[1]
        )
        return (optax.apply_updates(params, updates), updated, state), loss

    before = time.perf_counter()
    compiled = step.lower(variables, x, y).compile()
    facts = {
        "parameters": sum(p.size for p in jax.tree.leaves(params)),
        "compile": time.perf_counter() - before,
    }

    def run(steps):
        nonlocal variables
        for _ in range(steps):
            variables, loss = compiled(variables, x, y)
        jax.block_until_ready((variables, loss))
        facts["peak"] = jax_memory.peak()

    return facts, run


if __name__ == "__main__":
    worker.serve(start, f"JAX {jax.__version__}, optax {optax.__version__}")
