"""Saves what Keras leaves out, or damages, when it saves a wrapper."""

import os
from typing import Any

import keras
import numpy as np

from keras_sam._backend import values
from keras_sam._backend import variables
from keras_sam._training import agreement
from keras_sam._training import held


class Seeds(held.Held):
    """Saves the seeds of a model. (Keras leaves out seeds of inner layers.)

    Args:
        model: Function that returns the model.
    """

    def __init__(self, model):
        super().__init__("seeds")
        self._model = model

    def save_own_variables(self, store: Any) -> None:
        """Saves all seeds of the model."""
        for index, seed in enumerate(variables.seeds(self._model())):
            store[f"{index}"] = seed

    def load_own_variables(self, store: Any) -> None:
        """Loads the seeds, though the model may have other dropouts."""
        saved = set(store.keys())
        for index, seed in enumerate(variables.seeds(self._model())):
            if f"{index}" in saved:
                seed.assign(store[f"{index}"])


class _File(keras.Model):
    """Loads chosen objects from a file of weights, and leaves out the others.

    Args:
        **objects: Keras objects, by the names of attributes that the model in
            the file has them under.
    """

    def __init__(self, **objects: Any) -> None:
        super().__init__()
        self.built = True
        for name, value in objects.items():
            setattr(self, name, value)

    @property
    def layers(self) -> list[keras.Layer]:
        """None, so that Keras loads the objects by their names."""
        return []

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing: the variables are another model's."""


class _Probe(keras.Layer):
    """Finds out whether a file has something for this layer."""

    found = False

    def load_own_variables(self, store: Any) -> None:
        """Looks at the names in the store."""
        self.found = bool(store.keys())


class Saving(keras.Model):
    """A model that saves seeds too, and nothing if its config cannot be saved.

    The files have the weights of the inner model where the files of plain
    models have them, as far as Keras finds these weights in `layers`. What only
    a wrapper has is beside them: the layers `_memory` and `_seeds`.

    Where there are several workers, all of them must call `save`,
    `save_weights` and `export`. The file of the first worker stays. It has
    whole weights, also where several processes share a weight.
    """

    # A subclass sets the `MemoryWeights`.
    _memory: Any = None

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
        with agreement.writing(
            self.distribute_strategy, filepath, self
        ) as path:
            super().save(path, *args, **kwargs)

    def save_weights(
        self, filepath: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> None:
        """Saves the weights."""
        with agreement.writing(
            self.distribute_strategy, filepath, self
        ) as path:
            super().save_weights(path, *args, **kwargs)

    def load_weights(
        self,
        filepath: str | os.PathLike,
        skip_mismatch: bool = False,
        **kwargs: Any,
    ) -> None:
        """Loads the weights that a wrapper or a plain model has saved.

        A memory that is for other variables than those that are trained now
        starts anew, with a warning. A file of a plain model has no memory and
        no seeds: the memory starts anew.

        Args:
            filepath: String or path, as for `keras.Model.load_weights`.
            skip_mismatch: Bool, whether to leave out layers that do not match,
                with a warning.
            **kwargs: As for `keras.Model.load_weights`.
        """
        if _is_of_wrapper(filepath):
            super().load_weights(filepath, skip_mismatch, **kwargs)
            return
        self.model.load_weights(filepath, skip_mismatch, **kwargs)
        if _is_new(filepath) and self.compiled:
            _File(optimizer=self.optimizer).load_weights(filepath)
        self._memory.restart()

    def export(
        self, filepath: str | os.PathLike, *args: Any, **kwargs: Any
    ) -> None:
        """Exports the inner model, for inference."""
        with agreement.writing(
            self.distribute_strategy, filepath, self.model
        ) as path:
            self.model.export(path, *args, **kwargs)

    def get_weights(self) -> list[np.ndarray]:
        """Returns all weights, whole.

        Where several processes share a weight, all of them must call this.
        """
        with values.gathered(self.weights):
            return super().get_weights()


def _is_new(filepath):
    """Whether a file has a format that wrappers, too, can write."""
    return str(filepath).endswith((".keras", ".weights.h5", ".weights.json"))


def _is_of_wrapper(filepath):
    """Whether a wrapper has written a file of weights."""
    if not _is_new(filepath):
        return False
    probe = _Probe()
    _File(_memory=probe).load_weights(filepath)
    return probe.found
