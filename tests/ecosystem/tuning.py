"""KerasTuner: searches for rho, and gives back the best model."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable

import keras_tuner

from tests.ecosystem import grid_search
from tests.ecosystem import measures
from tests.ecosystem import subject


@dataclasses.dataclass(frozen=True)
class Tuned(subject.Subject):
    """A model whose radius a tuner chooses.

    Attributes:
        tuner: Function from the keyword arguments `hypermodel`, `objective`,
            `seed` and `directory` to a tuner.
    """

    tuner: Callable | None = None

    def train(self, method, **compiling):
        build = functools.partial(self._build, method, compiling)
        with tempfile.TemporaryDirectory() as folder:
            tuner = self.tuner(
                hypermodel=build, objective="val_loss", seed=0, directory=folder
            )
            tuner.search(
                *self.data,
                validation_data=self.data,
                batch_size=self.batch_size,
                epochs=self.epochs,
                shuffle=False,
                verbose=0,
            )
            (trial,) = tuner.oracle.get_best_trials(1)
            (model,) = tuner.get_best_models(1)
        loss = model.evaluate(*self.data, batch_size=self.batch_size, verbose=0)
        measures.within(
            abs(loss - trial.score), 1e-6, "the best model has another loss"
        )
        chosen = trial.hyperparameters.values
        # Where a trial begins with the weights of another, its epochs go on.
        epochs = chosen.get("tuner/initial_epoch", 0) + trial.best_step + 1
        logs = {"val_loss": [trial.score]}
        return subject.Trained(model, logs, chosen["rho"], epochs)

    def _build(self, method, compiling, hyperparameters):
        rho = hyperparameters.Float("rho", 0.02, 0.2)
        model = self.wrapped(method, rho)
        self.compile(model, **compiling)
        return model


SUBJECTS = [
    Tuned(
        f"{name} over rho",
        "keras-tuner",
        grid_search.network,
        grid_search.data(),
        grid_search.compiling,
        rate=0.1,
        # A trial that begins with the weights of another has a new optimizer.
        momentum=0.0,
        batch_size=16,
        tuner=tuner,
        remark="`get_best_models`, of a model that is built late",
    )
    for name, tuner in (
        (
            "RandomSearch",
            functools.partial(keras_tuner.RandomSearch, max_trials=2),
        ),
        (
            "Hyperband",
            functools.partial(keras_tuner.Hyperband, max_epochs=2, factor=2),
        ),
    )
]
