"""Saves what Keras leaves out, or damages, when it saves a wrapper."""

import os
from typing import Any

import keras

from keras_sam._backend import variables
from keras_sam._training import agreement


class Saving(keras.Model):
    """A model that saves seeds too, and nothing if its config cannot be saved.

    Where there are several workers, all of them must call `save`,
    `save_weights` and `export`. The file of the first worker stays.
    """

    def save(
        self, filepath: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> None:
        """Saves the model.

        If an argument of the wrapper cannot be saved, the file stays as it is.
        Keras would empty it first.

        Raises:
            ValueError: If an argument of the wrapper cannot be saved.
        """
        self.get_config()
        with agreement.writing(self.distribute_strategy, filepath) as path:
            super().save(path, *args, **kwargs)

    def save_weights(
        self, filepath: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> None:
        """Saves the weights."""
        with agreement.writing(self.distribute_strategy, filepath) as path:
            super().save_weights(path, *args, **kwargs)

    def export(
        self, filepath: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> None:
        """Exports the inner model, for inference."""
        with agreement.writing(self.distribute_strategy, filepath) as path:
            self.model.export(path, *args, **kwargs)

    def save_own_variables(self, store: Any) -> None:
        """Saves memory and seeds. (Keras leaves out seeds of inner layers.)"""
        super().save_own_variables(store)
        for index, seed in enumerate(variables.seeds(self)):
            store[f"seed_{index}"] = seed

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        loaded = {name: store[name] for name in store.keys()}
        for index, seed in enumerate(variables.seeds(self)):
            # The file may be of a model with other dropouts.
            seed.assign(loaded.pop(f"seed_{index}", seed))
        weights = {k: v for k, v in loaded.items() if k.isdecimal()}
        super().load_own_variables(weights)
