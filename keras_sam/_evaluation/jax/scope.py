"""Other values in the place of variables."""

import keras


class Scope(keras.StatelessScope):
    """Gives variables other values, and collects what is assigned to them.

    A variable without a value here has the value of the scope around this one.
    Keras's own scope would give it the value that the variable holds, which
    `fit` has taken away.

    Args:
        pairs: Iterable over pairs of a Keras variable and a tensor.
    """

    def __init__(self, pairs):
        super().__init__(pairs, collect_losses=True)
        self._before = dict(self.state_mapping)

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            value = self.original_scope.get_current_value(variable)
        return value

    def updated(self, variables):
        """Returns the ids of those variables that have been assigned."""
        return {
            id(variable)
            for variable in variables
            if self.state_mapping.get(id(variable))
            is not self._before.get(id(variable))
        }
