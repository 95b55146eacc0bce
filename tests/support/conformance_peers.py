"""Trains a small network by a rule: here, and in other libraries.

The weights [W, b, V, c] have Keras's shapes everywhere. "mlp" is the network of
`oracle.py`, where W is a matrix. In "cnn", W is the kernel of a convolution.
"""

import functools

import jax
import keras
import numpy as np
import optax
import tf_keras
import torch
from jax import numpy as jnp

import keras_sam

RATES = {"SGD": 0.1, "momentum": 0.1, "Adam": 0.01}
SHAPES = {
    "mlp": [(6, 8), (8,), (8, 3), (3,)],
    "cnn": [(3, 3, 2, 4), (4,), (36, 3), (3,)],
}
INPUTS = {"mlp": (6,), "cnn": (5, 5, 2)}
CLASSES = 3
EXAMPLES = 8
STEPS = 5
# A fixed mask in place of a random dropout: no two libraries draw the same.
MASKS = {"mlp": [2.0, 0.0] * 4, "cnn": [2.0, 0.0] * 2}
L2 = 0.05
# Keras adds epsilon before it corrects the bias of the moments. The others add
# it afterwards.
ADAM_EPSILON = 1e-12


def weights(network):
    """Returns the float32 weights that every training starts from."""
    random = np.random.RandomState(1)
    return [
        random.normal(size=s, scale=0.5).astype("float32")
        for s in SHAPES[network]
    ]


def batches(network):
    """Returns a list of (x, y), one for each step."""
    random = np.random.RandomState(0)
    return [
        (
            random.normal(size=(EXAMPLES, *INPUTS[network])).astype("float32"),
            random.randint(0, CLASSES, EXAMPLES),
        )
        for _ in range(STEPS)
    ]


def ours(network, optimizer, variant=None, **arguments):
    """Returns the weights after training with `keras_sam.SAM`."""
    model = _keras_network(keras, network, variant)
    sam = keras_sam.SAM(model, **arguments)
    return _fit(keras, sam, network, optimizer)


def of_tf_keras(network, optimizer, variant=None, **arguments):
    """Returns the weights after training with tf_keras's class."""
    model = _keras_network(tf_keras, network, variant)
    sam = tf_keras.models.experimental.SharpnessAwareMinimization(
        model, **arguments
    )
    return _fit(tf_keras, sam, network, optimizer)


def _keras_network(k, network, variant):
    """Returns a model of the module `k`, which is keras or tf_keras."""
    penalty = k.regularizers.L2(L2) if variant == "regularized" else None
    inputs = k.Input(INPUTS[network])
    if network == "mlp":
        hidden = k.layers.Dense(8, "tanh", kernel_regularizer=penalty)
    else:
        hidden = k.layers.Conv2D(
            4, 3, activation="tanh", kernel_regularizer=penalty
        )
    x = hidden(inputs)
    if variant == "dropout":

        class Dropout(k.layers.Layer):
            def call(self, x, training=False):
                return x * MASKS[network] if training else x

        x = Dropout()(x)
    x = k.layers.Flatten()(x)
    outputs = k.layers.Dense(CLASSES, kernel_regularizer=penalty)(x)
    return k.Model(inputs, outputs)


def _fit(k, sam, network, optimizer):
    rate = RATES[optimizer]
    sam.compile(
        {
            "SGD": lambda: k.optimizers.SGD(rate),
            "momentum": lambda: k.optimizers.SGD(rate, momentum=0.9),
            "Adam": lambda: k.optimizers.Adam(rate, epsilon=ADAM_EPSILON),
        }[optimizer](),
        k.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    sam.model.set_weights(weights(network))
    for x, y in batches(network):
        sam.train_on_batch(x, y)
    return sam.model.get_weights()


def of_optax(network, optimizer, rho, steps):
    """Returns the weights after training with `optax.contrib.sam`, opaque."""
    rate = RATES[optimizer]
    sam = optax.contrib.sam(
        {
            "SGD": optax.sgd(rate),
            "momentum": optax.sgd(rate, momentum=0.9),
            "Adam": optax.adam(rate, eps=ADAM_EPSILON),
        }[optimizer],
        optax.chain(optax.contrib.normalize(), optax.sgd(rho)),
        sync_period=steps + 1,
        opaque_mode=True,
    )
    gradient = jax.grad(_jax_loss)
    w = [jnp.asarray(a) for a in weights(network)]
    state = sam.init(w)
    for x, y in batches(network):
        at_batch = functools.partial(gradient, x=x, y=y)
        updates, state = sam.update(at_batch(w, 0), state, w, grad_fn=at_batch)
        w = optax.apply_updates(w, updates)
    return [np.asarray(a) for a in w]


def _jax_loss(w, step, x, y):
    del step
    w1, b1, w2, b2 = w
    if x.ndim == 2:
        hidden = jnp.tanh(x @ w1 + b1)
    else:
        hidden = jnp.tanh(
            jax.lax.conv_general_dilated(
                x,
                w1,
                (1, 1),
                "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            + b1
        )
    logits = hidden.reshape(len(x), -1) @ w2 + b2
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return losses.mean()


class _Network(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.weights = torch.nn.ParameterList(
            torch.tensor(a) for a in weights(network)
        )

    def forward(self, x):
        w1, b1, w2, b2 = self.weights
        if x.ndim == 2:
            hidden = torch.tanh(x @ w1 + b1)
        else:
            hidden = torch.nn.functional.conv2d(
                x.permute(0, 3, 1, 2), w1.permute(3, 2, 0, 1), b1
            )
            hidden = torch.tanh(hidden.permute(0, 2, 3, 1))
        return hidden.flatten(1) @ w2 + b2


def of_torch(network, optimizer, wrap):
    """Returns the weights after training with a class of pytorch_optimizer.

    Args:
        network: Key of `SHAPES`.
        optimizer: Key of `RATES`.
        wrap: Function from (module, class of the base optimizer, dict of its
            arguments) to the optimizer.
    """
    module = _Network(network)
    base, options = {
        "SGD": (torch.optim.SGD, {}),
        "momentum": (torch.optim.SGD, {"momentum": 0.9}),
        "Adam": (torch.optim.Adam, {"eps": ADAM_EPSILON}),
    }[optimizer]
    sam = wrap(module, base, {"lr": RATES[optimizer], **options})
    for x, y in batches(network):
        evaluate = functools.partial(
            _evaluate, module, torch.tensor(x), torch.tensor(y)
        )
        # Most want the gradients there before; the others find them anew.
        evaluate()
        sam.step(evaluate)
    return [a.detach().numpy() for a in module.weights]


@torch.enable_grad()  # GSAM leaves that to the closure.
def _evaluate(module, x, y):
    """Puts gradients into a module; returns the values that GSAM asks for."""
    module.zero_grad()
    logits = module(x)
    loss = torch.nn.functional.cross_entropy(logits, y)
    loss.backward()
    return logits, loss.detach()
