"""What a row of the table trains: a model, its data, how it is compiled."""

import dataclasses
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from keras import tree

import keras_sam
from tests.ecosystem import measures

SEED = 1


class Trained(NamedTuple):
    """A trained model, and what its training was.

    Attributes:
        model: `keras.Model`, plain or wrapped.
        logs: {name of a log: its values}.
        rho: Float or None, the radius that the training chose, if it did.
        epochs: Int, the number of epochs.
    """

    model: keras.Model
    logs: dict
    rho: float | None
    epochs: int

    @property
    def inner(self):
        """The plain model."""
        if isinstance(self.model, keras_sam.SAM):
            return self.model.model
        return self.model

    @property
    def state(self):
        """The weights, batch statistics and seeds of the plain model."""
        return measures.state(self.inner)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model of another package, and how plain Keras trains it.

    Attributes:
        name: String, the model.
        package: String, the package that it comes from.
        make: Function that returns the model. The model is not compiled. Its
            weights follow from Keras's random seed.
        data: (x, y), as `fit` takes them; y may be None.
        compiling: Function that returns a dict of arguments for `compile`,
            besides the optimizer.
        rate: Float, the learning rate.
        momentum: Float, that of SGD.
        dtype: String, of weights and computations.
        remark: String, what the table says of the model.
        memory: Bool, whether to save and load a direction with a memory, too.
    """

    name: str
    package: str
    make: Callable[[], keras.Model]
    data: tuple[Any, Any]
    compiling: Callable[[], dict[str, Any]] = dict
    rate: float = 0.05
    momentum: float = 0.9
    dtype: str = "float32"
    remark: str = ""
    memory: bool = False
    batch_size: int = 4
    epochs: int = 2

    def fresh(self) -> keras.Model:
        """Returns the plain model with its first weights."""
        keras.utils.set_random_seed(SEED)
        return self.make()

    def wrapped(
        self, method: dict | None, rho: float | None = None
    ) -> keras.Model:
        """Returns a model with its first weights, to be compiled.

        Args:
            method: Dict of arguments for the wrapper, or None for plain Keras.
            rho: Float, which replaces the radius of a method that has one.
        """
        model = self.fresh()
        if method is None:
            return model
        if rho is not None and "rho" in method:
            method = {**method, "rho": rho}
        return keras_sam.SAM(model, **method)

    def compile(self, model: keras.Model, **arguments: Any) -> None:
        optimizer = keras.optimizers.SGD(self.rate, momentum=self.momentum)
        model.compile(optimizer, **self.compiling(), **arguments)

    def fit(self, model: keras.Model, epochs: int | None = None) -> dict:
        """Trains a model; returns the logs."""
        return model.fit(
            *self.data,
            batch_size=self.batch_size,
            epochs=epochs or self.epochs,
            shuffle=False,
            verbose=0,
        ).history

    def train(self, method: dict | None, **compiling: Any) -> Trained:
        """Returns the trained model.

        Args:
            method: Dict of arguments for the wrapper, or None for plain Keras.
            **compiling: More arguments for `compile`.
        """
        model = self.wrapped(method)
        self.compile(model, **compiling)
        return Trained(model, self.fit(model), None, self.epochs)

    def predict(self, model: keras.Model) -> list[np.ndarray]:
        outputs = model.predict(
            self.data[0], batch_size=self.batch_size, verbose=0
        )
        return tree.flatten(outputs)

    def batches(self, model: keras.Model) -> list[tuple]:
        """Returns the batches (x, y, sample_weight) of an epoch, as tensors."""
        del model
        examples = len(tree.flatten(self.data)[0])
        return [
            tree.map_structure(
                lambda a, i=i: keras.ops.convert_to_tensor(
                    a[i : i + self.batch_size]
                ),
                self.data,
            )
            + (None,)
            for i in range(0, examples, self.batch_size)
        ]
