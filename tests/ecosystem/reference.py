"""SAM as a loop by hand, which moves the weights of a plain Keras model."""

import functools

import numpy as np
import tensorflow as tf


def train(subject, rho, steps, epochs):
    """Returns the plain model, trained by SAM with the mean of the gradients.

    Args:
        subject: `subject.Subject`.
        rho: Float, the length of the climb.
        steps: Int, at least 1: the number of steps of the climb.
        epochs: Int.
    """
    model = subject.fresh()
    subject.compile(model)
    batches = subject.batches(model)
    if not model.built:
        model(batches[0][0], training=False)
    gradients = tf.function(functools.partial(_gradients, model))
    for _ in range(epochs):
        for batch in batches:
            _step(model, functools.partial(gradients, *batch), rho, steps)
    return model


def _step(model, gradients, rho, steps):
    """Applies the mean of the gradients at z_1, ..., z_n to the weights w."""
    weights, state = model.trainable_variables, model.non_trainable_variables
    w, s = values(weights), values(state)
    g = gradients()  # The clean pass alone changes the state.
    changed = values(state)
    path = []
    for _ in range(steps):
        length = np.sqrt(sum(np.sum(np.square(a, dtype="float64")) for a in g))
        for variable, a in zip(weights, g, strict=True):
            variable.assign_add(rho / steps * a / length)
        assign(state, s)
        g = gradients()
        path.append(g)
    assign(weights, w)
    assign(state, changed)
    mean = [sum(each) / steps for each in zip(*path, strict=True)]
    model.optimizer.apply(mean, weights)


def _gradients(model, x, y, sample_weight):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(
            x=x,
            y=y,
            y_pred=model(x, training=True),
            sample_weight=sample_weight,
        )
    found = tape.gradient(
        loss,
        [v.value for v in model.trainable_variables],
        unconnected_gradients="zero",
    )
    # Those of embeddings are sparse.
    return [tf.convert_to_tensor(g) for g in found]


def values(variables):
    """Returns the values of variables, as arrays of their own."""
    return [np.array(v) for v in variables]


def assign(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
