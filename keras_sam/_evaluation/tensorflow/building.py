"""Creates the variables of a model as the first step of plain `fit` does.

Keras creates variables where a model first uses them: in a call in training
mode, and in the loss. So `build` calls the model in training mode and computes
the loss, once, before a train step fixes what it trains. The call updates
nothing, and a graph of it is thrown away.
"""

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend.tensorflow import tensorflow_internals
from keras_sam._evaluation import first_call
from keras_sam._evaluation.tensorflow import nested_functions


def build(model, data, training=True, optimizer=True, metrics=False):
    """Creates all variables of a compiled model, and of its loss.

    A model that runs eagerly is called only if a layer or the losses of several
    outputs are not built, or `metrics` are asked for.

    Args:
        model: `keras.Model`, compiled.
        data: A batch as `fit` takes it, or its `tf.TypeSpec`s.
        training: Bool, whether the model is in training mode.
        optimizer: Bool, whether to build the optimizer, too. This also builds
            the metrics of a model that runs as a graph.
        metrics: Bool, whether to build the metrics in any case.

    Raises:
        ValueError: If a layer compiles its own `call`.
    """
    _check_calls(model)
    if not model.run_eagerly and not tf.config.functions_run_eagerly():
        with tensorflow_internals.scratch_graph():
            _call(model, _tensors(data), training, optimizer or metrics)
    elif metrics or not first_call.is_built(model, data):
        _call(model, data, training, metrics)
    if optimizer and not model.optimizer.built:
        with tf.init_scope():
            model.optimizer.build(model.trainable_variables)


def has_shapes(specs):
    """Whether `build` can create variables from the specs of a batch."""
    return all(type(spec) in _PLACEHOLDERS for spec in tree.flatten(specs))


def _call(model, data, training, metrics):
    """Calls a model, its loss and its metrics; drops all updates."""
    data = keras.utils.unpack_x_y_sample_weight(data)
    with _Dropping(model):
        first_call.call(model, *data, training, metrics)


class _Dropping(first_call.Values):
    """Drops all updates. New variables get their values at its end.

    Args:
        model: `keras.Model`. No compiled function may read its variables.
    """

    def __init__(self, model):
        super().__init__(collect_losses=True)
        self._known = {id(variable) for variable in model.variables}
        self._graph = tf.compat.v1.get_default_graph()

    def get_current_value(self, variable):
        if id(variable) in self._known:
            nested_functions.check_read(variable, self._graph)
        return super().get_current_value(variable)


_PLACEHOLDERS = {
    tf.TensorSpec: lambda spec: tf.compat.v1.placeholder(
        spec.dtype, spec.shape
    ),
    tf.SparseTensorSpec: lambda spec: tf.compat.v1.sparse_placeholder(
        spec.dtype, spec.shape
    ),
    tf.RaggedTensorSpec: lambda spec: tf.compat.v1.ragged.placeholder(
        spec.dtype, spec.ragged_rank, spec.shape[spec.ragged_rank + 1 :]
    ),
}


def _tensors(data):
    """Returns a batch with a placeholder in the place of each spec."""

    def tensor(value):
        if type(value) in _PLACEHOLDERS:
            return _PLACEHOLDERS[type(value)](value)
        if tf.is_tensor(value) and tf.TensorShape(value.shape)[:1] == [0]:
            # Keras cannot compute the loss of no examples. They may be absent
            # on one of several workers.
            return tf.compat.v1.placeholder(
                value.dtype, [None, *value.shape[1:]]
            )
        return value

    return tree.map_structure(tensor, data)


def _check_calls(model):
    for layer in _keras_internals.layers(model):
        if isinstance(layer.call, tf.types.experimental.PolymorphicFunction):
            raise ValueError(
                "A layer of `model` must not compile its own `call` with "
                "`tf.function`: the function would keep the weights of an "
                "earlier pass. Remove `tf.function`: `fit` compiles the whole "
                "train step. Received: "
                f"{layer.name!r} (a {type(layer).__name__})"
            )
