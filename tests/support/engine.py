"""The backend that the tests run on: its devices, and how it compiles.

`KERAS_BACKEND=jax` runs a test file on JAX. TensorFlow must then not be
imported by anything: here its import is blocked.
"""

import contextlib
import functools
import os
import sys

import numpy as np

os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

JAX = os.environ.get("KERAS_BACKEND") == "jax"
OTHER = "tensorflow" if JAX else "jax"
if JAX:
    sys.modules.setdefault("tensorflow", None)
    import jax
    import keras
    from keras.src.backend.common import dtypes

    # JAX reads the environment where it is imported, which may be earlier.
    DEVICES = int(os.environ.get("JAX_NUM_CPU_DEVICES", "8"))
    jax.config.update("jax_num_cpu_devices", DEVICES)
    tf = None
else:
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )

    def _untuned(dataset):
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.with_options(options)

    # The end of an iterator waits for the thread that tunes it. On a busy
    # machine the thread may miss the signal to end, and sleep on for up to a
    # minute. TensorFlow calls this function for each iterator. If a version of
    # TensorFlow does not, tests are only slower.
    tf.data.Dataset._apply_debug_options = _untuned

# Arguments of `compile` for each way in which Keras can run a step.
MODES = {
    "eager": {"run_eagerly": True},
    "graph": {"jit_compile": False} if JAX else {},
    "xla": {"jit_compile": True},
}


# The modes in which Keras calls a model only to trace it.
TRACED = ("xla",) if JAX else ("graph", "xla")


# TensorFlow numbers collectives anew for each strategy: two strategies in one
# process abort each other where the same number has other shapes.
@functools.cache
def two_replicas():
    """Returns the MirroredStrategy of two logical CPUs, on TensorFlow."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def two_devices():
    """Returns a context in which models train on two CPUs."""
    if not JAX:
        return two_replicas().scope()
    return keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"]).scope()


def compiled(function, mode):
    """Returns a function, compiled as a train step of that mode."""
    if JAX:
        return jax.jit(function) if mode == "xla" else function
    return tf.function(function, jit_compile=mode == "xla")


@contextlib.contextmanager
def float64():
    """Lets the backend compute in float64.

    Keras has no float64 on JAX: a table takes it for float32.
    """
    if not JAX:
        yield
        return
    table = dict(dtypes.BIT64_TO_BIT32_DTYPE)
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    dtypes.BIT64_TO_BIT32_DTYPE.update({name: name for name in table})
    try:
        yield
    finally:
        dtypes.BIT64_TO_BIT32_DTYPE.update(table)
        jax.config.update("jax_enable_x64", before)


def noticed(function, inputs):
    """Returns inputs; calls a function whenever a program computes them."""
    if JAX:
        jax.debug.callback(function)
        return inputs

    def zero():
        function()
        return np.float32(0.0)

    added = tf.numpy_function(zero, [], tf.float32, stateful=True)
    return inputs + tf.ensure_shape(added, [])


def wait():
    """Waits for all calls of `noticed`."""
    if JAX:
        jax.effects_barrier()


def jacobian(function, variable):
    """Returns the derivative of a function, as NumPy, by the backend itself.

    Args:
        function: Function without arguments that returns a tensor. It reads
            the variable.
        variable: Keras variable. Its axes are the last of the derivative.
    """
    if JAX:
        at = _at(function, [variable])
        return np.asarray(jax.jacobian(at)([variable.value])[0])
    with tf.GradientTape() as tape:
        output = function()
    return tape.jacobian(output, variable.value).numpy()


def gradients(loss, variables):
    """Returns the gradients of a function, as NumPy, by the backend itself.

    A gradient is 0 where the function does not depend on the variable.

    Args:
        loss: Function without arguments, which reads the variables.
        variables: List of Keras variables.
    """
    values = [v.value for v in variables]
    if JAX:
        grads = jax.grad(_at(loss, variables))(values)
        return [np.asarray(grad) for grad in grads]
    with tf.GradientTape() as tape:
        value = loss()
    zero = tf.UnconnectedGradients.ZERO
    return [g.numpy() for g in tape.gradient(value, values, None, zero)]


def hessian(loss, variables):
    """Returns the Hessian of a function, as one matrix, by the backend itself.

    Args:
        loss: Function without arguments, which reads the variables.
        variables: List of Keras variables.
    """
    if JAX:
        shapes = [tuple(v.shape) for v in variables]
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])

        def at(vector):
            parts = jax.numpy.split(vector, ends[:-1])
            values = [p.reshape(s) for p, s in zip(parts, shapes)]
            return _at(loss, variables)(values)

        flat = np.concatenate([v.numpy().ravel() for v in variables])
        return np.asarray(jax.hessian(at)(flat))
    values = [v.value for v in variables]
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            value = loss()
        grads = inner.gradient(value, values)
        flat = tf.concat([tf.reshape(g, [-1]) for g in grads], 0)
    rows = outer.jacobian(flat, values, experimental_use_pfor=False)
    return np.concatenate([r.numpy().reshape(len(flat), -1) for r in rows], 1)


def _at(function, variables):
    """Returns a function of the values of variables, for JAX."""

    def at(values):
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(pairs, collect_losses=True):
            return function()

    return at
