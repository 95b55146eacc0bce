"""The scope in which a Keras model reads and assigns tensors, not variables."""

import contextlib
import threading

import keras
import tensorflow as tf

from keras_sam._backend.tensorflow import values
from keras_sam._evaluation.tensorflow import custom_gradients
from keras_sam._evaluation.tensorflow import nested_functions
from keras_sam._evaluation.tensorflow import second_derivatives


class Scope(keras.StatelessScope):
    """A stateless scope that remembers all updates, even of unlisted variables.

    An entry of the scope behaves like a variable. Gradients stop at an assigned
    value, and results computed from it afterwards contribute to the gradient of
    the variable.

    Args:
        state_mapping: List of pairs of a Keras variable and its value.
        tape: `tf.GradientTape`. The scope lets it watch the values that are
            assigned to trainable variables.
        twice: Bool, whether the gradient of the pass is differentiated again.

    Attributes:
        updates: List of pairs of a Keras variable and the value assigned to it.
        foreign: List of the Keras variables that were read but not listed, as
            those of another model.
        own_gradients: Set of paths: the trainable variables that functions with
            a gradient of their own have read.
    """

    def __init__(self, state_mapping, tape, twice=False):
        super().__init__(state_mapping, collect_losses=True)
        self.updates = []
        self.foreign = []
        self.own_gradients = set()
        self.twice = twice
        self._tape = tape
        self._graph = tf.compat.v1.get_default_graph()
        self._readers = []
        custom_gradients.install(_active)
        second_derivatives.install(_differentiated_twice)

    def __enter__(self):
        _scopes().append(self)
        return super().__enter__()

    def __exit__(self, *error):
        _scopes().pop()
        super().__exit__(*error)

    @contextlib.contextmanager
    def reading(self):
        """Notes which trainable variables are read.

        Yields:
            Dict from the id of a variable to its path and its value.
        """
        read = {}
        self._readers.append(read)
        try:
            yield read
        finally:
            self._readers.pop()

    def add_update(self, update):
        variable, value = update[0], tf.stop_gradient(update[1])
        if tf.compat.v1.get_default_graph() is not self._graph:
            raise NotImplementedError(
                "A layer of `model` must not assign its variables inside of a "
                "conditional, a loop or a `tf.function`: the new value cannot "
                "leave it. "
                f"Received an assignment of {variable.path}"
            )
        if variable.trainable and value.dtype.is_floating:
            self._tape.watch(value)
        self.updates.append((variable, value))
        super().add_update((variable, value))

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        if value is None:
            self.foreign.append(variable)
            return None
        nested_functions.check_read(variable, self._graph)
        if variable.trainable:
            for read in self._readers:
                read[id(variable)] = (variable.path, value)
        return value

    def assigned(self, variable):
        """Returns the list of the values assigned to a variable."""
        return [value for v, value in self.updates if v is variable]

    def values(self, variables):
        """Returns the values of variables after the pass, a list of tensors."""
        with self:
            return values.read(variables)


_local = threading.local()  # The replicas of a strategy run in threads.


def _scopes():
    """Returns the scopes of this thread, the innermost one last."""
    if not hasattr(_local, "scopes"):
        _local.scopes = []
    return _local.scopes


def _active():
    return _scopes()[-1] if _scopes() else None


def _differentiated_twice():
    scope = _active()
    return scope is not None and scope.twice
