"""What Keras leaves out, or damages, when it saves a wrapper."""

import keras

from keras_sam._backend import variables
from keras_sam._training import agreement


class Saving(keras.Model):
    """Saves seeds too, and nothing if the config cannot be saved.

    Several workers all call `save` and the like; the file of the first one is
    the one to stay.
    """

    def save(self, filepath, *args, **kwargs):
        """Saves the model; an argument that cannot be saved is an error.

        In that case nothing is written: Keras would empty the file first.
        """
        self.get_config()
        with agreement.writing(self.distribute_strategy, filepath) as path:
            super().save(path, *args, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        """Saves the weights."""
        with agreement.writing(self.distribute_strategy, filepath) as path:
            super().save_weights(path, *args, **kwargs)

    def export(self, filepath, *args, **kwargs):
        """Exports the inner model, for inference."""
        with agreement.writing(self.distribute_strategy, filepath) as path:
            self.model.export(path, *args, **kwargs)

    def save_own_variables(self, store):
        """Saves memory and seeds (Keras leaves out those of inner layers)."""
        super().save_own_variables(store)
        for index, seed in enumerate(variables.seeds(self)):
            store[f"seed_{index}"] = seed

    def load_own_variables(self, store):
        """Loads what `save_own_variables` saved."""
        loaded = {name: store[name] for name in store.keys()}
        for index, seed in enumerate(variables.seeds(self)):
            # Weights may be those of a model with other dropouts.
            seed.assign(loaded.pop(f"seed_{index}", seed))
        weights = {k: v for k, v in loaded.items() if k.isdecimal()}
        super().load_own_variables(weights)
