"""Second derivatives where TensorFlow has wrong ones or none.

Products with a Hessian differentiate a gradient. Most gradients of TensorFlow
can be differentiated exactly. This module is for the others:

* `tf.nn.moments` holds the mean constant in the variance. First derivatives do
  not feel it, as the squares around the mean are least there. Second
  derivatives do. The normalization layers of Keras call this function.
* The gradients of resized images are constants for TensorFlow, or have no
  derivative. The gradient of softsign has none either.
* All others without a derivative are an error.

In second derivatives the labels of a cross entropy with logits are constants,
and so is what a model stops the gradient of.
"""

import functools

import keras
import tensorflow as tf

from keras_sam import _keras_internals
from keras_sam._backend.tensorflow import tensorflow_internals


@functools.cache
def install(active):
    """Has TensorFlow ask this module for gradients that are wrong or missing.

    Args:
        active: Function that returns whether a gradient that is computed now
            will be differentiated again. Without that everything is as before.
    """
    tensorflow_internals.around_moments(functools.partial(_moments, active))
    for name, gradient in _GRADIENTS.items():
        tensorflow_internals.around_gradient(
            name, functools.partial(_differentiated, active, name, gradient)
        )


def _moments(
    active,
    moments,
    x,
    axes,
    shift=None,
    name=None,
    keep_dims=None,
    keepdims=None,
):
    """Returns the mean and the variance, as `tf.nn.moments` does."""
    if not active():
        return moments(x, axes, shift, name, keep_dims, keepdims)
    keepdims = bool(keep_dims or keepdims)
    x = tf.convert_to_tensor(x)
    y = tf.cast(x, "float32") if x.dtype == tf.float16 else x
    mean = tf.reduce_mean(y, axes, keepdims=True)
    variance = tf.reduce_mean(
        tf.math.squared_difference(y, mean), axes, keepdims=True
    )
    if not keepdims:
        mean, variance = tf.squeeze(mean, axes), tf.squeeze(variance, axes)
    return tf.cast(mean, x.dtype), tf.cast(variance, x.dtype)


def _differentiated(
    active, name, gradient, of_tensorflow, operation, *upstream
):
    if active():
        return gradient(name, of_tensorflow, operation, *upstream)
    return of_tensorflow(operation, *upstream)


# Gradients of operations that can be differentiated again. Each function takes
# the type of an operation, TensorFlow's gradient of it, the operation itself,
# and what flows back.


def _of_softsign(name, gradient, operation, upstream):
    del name, gradient
    return upstream / tf.square(1.0 + tf.abs(operation.inputs[0]))


def _of_resized(name, gradient, operation, upstream):
    # This gradient is linear in what flows back, so its own is the operation.
    resize = getattr(tf.raw_ops, name)
    options = {key: operation.get_attr(key) for key in _RESIZED[name]}
    inputs = dict(
        zip(("scale", "translation"), operation.inputs[2:], strict=False)
    )

    @tf.custom_gradient
    def back(upstream):
        def again(change):
            size = tf.shape(upstream)[1:3]
            resized = resize(images=change, size=size, **inputs, **options)
            return tf.cast(resized, upstream.dtype)

        return gradient(operation, upstream)[0], again

    return [back(upstream), *(None for _ in operation.inputs[1:])]


def _refused(name, gradient, operation, upstream):
    del gradient, operation, upstream
    raise _lacking(name)


_RESIZED = {
    **dict.fromkeys(
        ("ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor"),
        ("align_corners", "half_pixel_centers"),
    ),
    "ScaleAndTranslate": ("kernel_type", "antialias"),
}
_GRADIENTS = {
    "Softsign": _of_softsign,
    **dict.fromkeys(_RESIZED, _of_resized),
    **dict.fromkeys(
        (
            "FakeQuantWithMinMaxArgs",
            "FakeQuantWithMinMaxVars",
            "FakeQuantWithMinMaxVarsPerChannel",
        ),
        _refused,
    ),
}


def check(model, assigned, training):
    """Raises NotImplementedError if a pass has no Hessian.

    Some layers have a training gradient that is not the gradient of a function
    of the weights: they assign a weight and then use it, or hold statistics of
    the batch constant.

    Args:
        model: `keras.Model`.
        assigned: List of the paths of the trained variables that the pass has
            assigned.
        training: Bool, whether the pass is in training mode.
    """
    if not training:
        return
    renormalized = [
        layer.path
        for layer in _keras_internals.layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
        and getattr(layer, "renorm", False)  # Keras 3.14 has it not.
    ]
    if assigned or renormalized:
        raise NotImplementedError(
            "Hessian products in training mode need a gradient that is the "
            "derivative of a function of the weights. It is not where a layer "
            "assigns the weight that it uses (`SpectralNormalization`) or "
            "holds statistics constant (`BatchNormalization(renorm=True)`). "
            "Measure in inference mode, with `training=False`. "
            f"Received: {[*assigned, *renormalized]}"
        )


def error(cause, own_gradients):
    """Returns the error that TensorFlow has no second derivatives here.

    Args:
        cause: Exception of TensorFlow: a NotImplementedError of a gradient
            checkpoint, or a LookupError that names an operation.
        own_gradients: Paths of the weights within checkpoints.
    """
    if isinstance(cause, LookupError):
        return _lacking(cause.args[0] if cause.args else cause)
    return NotImplementedError(
        "Hessian products need second derivatives. TensorFlow does not have "
        "them where gradients are checkpointed (`keras.remat`, "
        "`keras.RematScope`, `tf.recompute_grad`). Build the model without "
        f"that. The weights there are {sorted(own_gradients)}"
    )


def _lacking(operation):
    return NotImplementedError(
        "Hessian products need second derivatives. TensorFlow does not "
        "have them for an operation that `model` or its loss uses: "
        f"{operation}. Replace the layer or the loss that uses it"
    )
