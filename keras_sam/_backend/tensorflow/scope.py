"""The scope in which a Keras model reads and assigns tensors, not variables."""

import keras
import tensorflow as tf

from keras_sam._backend.tensorflow import nested_functions
from keras_sam._backend.tensorflow import values


class Scope(keras.StatelessScope):
    """A stateless scope that remembers all updates, even of unlisted variables.

    An entry of the scope behaves like a variable. Gradients stop at an assigned
    value, and results computed from it afterwards contribute to the gradient of
    the variable.

    Args:
        state_mapping: List of pairs of a Keras variable and its value.
        tape: `tf.GradientTape`. The scope lets it watch the values that are
            assigned to trainable variables.

    Attributes:
        updates: List of pairs of a Keras variable and the value assigned to it.
    """

    def __init__(self, state_mapping, tape):
        super().__init__(state_mapping, collect_losses=True)
        self.updates = []
        self._foreign = []
        self._listed = [variable for variable, _ in state_mapping]
        self._tape = tape
        self._graph = tf.compat.v1.get_default_graph()

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
            self._foreign.append(variable)
        else:
            nested_functions.check_read(variable, self._graph)
        return value

    def assigned(self, variable):
        """Returns the list of the values assigned to a variable."""
        return [value for v, value in self.updates if v is variable]

    def values(self, variables):
        """Returns the values of variables after the pass, a list of tensors."""
        with self:
            return values.read(variables)

    def check(self, watched, model):
        """Checks that the model reads its trainable weights from the scope.

        Args:
            watched: List of the `tf.Variable`s that a tape has seen.
            model: `keras.Model`.

        Raises:
            ValueError: If the model uses weights that are no Keras variables,
                or a function that keeps its variables.
        """
        if not watched:
            return
        seen = {id(variable) for variable in watched}
        nested_functions.check_kept(
            [v for v in self._listed if _parts(v) & seen], model
        )
        # The variables of another Keras model may stay outside of the scope.
        known = set().union(*map(_parts, self._foreign))
        watched = [
            variable for variable in watched if id(variable) not in known
        ]
        if watched:
            raise ValueError(
                "`model` must hold its trainable weights as Keras variables "
                "(`add_weight`, or layers in attributes): other weights can be "
                "neither perturbed nor trained. Received a model that uses the "
                f"`tf.Variable`s {[v.name for v in watched]}"
            )


def _parts(variable):
    """Returns the ids of the `tf.Variable`s of a Keras variable."""
    strategy = tf.distribute.get_strategy()
    local = strategy.experimental_local_results(variable.value)
    return {id(part) for part in (variable.value, *local)}
