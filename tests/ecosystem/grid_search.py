"""scikit-learn: a grid search over rho with `keras.wrappers`."""

import functools
import pickle

import keras
import numpy as np
from sklearn import datasets
from sklearn import model_selection

from tests.ecosystem import measures
from tests.ecosystem import subject


class Searched(subject.Subject):
    """A model whose radius scikit-learn's grid search chooses."""

    def train(self, method, **compiling):
        x, y = self.data
        search = model_selection.GridSearchCV(
            keras.wrappers.SKLearnClassifier(
                functools.partial(build, self, method, compiling)
            ),
            {"model_kwargs": [{"rho": 0.02}, {"rho": 0.05}]},
            cv=2,
            error_score="raise",
        )
        search.fit(
            x,
            np.argmax(y, axis=-1),
            batch_size=self.batch_size,
            epochs=self.epochs,
            shuffle=False,
            verbose=0,
        )
        best = search.best_estimator_
        copy = pickle.loads(pickle.dumps(best))
        if not np.array_equal(best.predict(x), copy.predict(x)):
            raise measures.Difference("a pickled classifier predicts otherwise")
        logs = {
            **best.history_.history,
            "score": search.cv_results_["mean_test_score"],
        }
        rho = search.best_params_["model_kwargs"]["rho"]
        return subject.Trained(best.model_, logs, rho, self.epochs)


def build(given, method, compiling, X, y, rho):
    """Returns a compiled model; scikit-learn asks for these names."""
    del X, y
    model = given.wrapped(method, rho)
    given.compile(model, **compiling)
    return model


def network():
    """Returns a model that is built late."""
    return keras.Sequential(
        [keras.layers.Dense(16, "tanh"), keras.layers.Dense(10, "softmax")]
    )


def data(examples=70):
    """Returns (digits as vectors, one-hot labels)."""
    x, y = datasets.load_digits(return_X_y=True)
    labels = np.eye(10, dtype="float32")[y[:examples]]
    return x[:examples].astype("float32") / 16, labels


def compiling():
    return {"loss": keras.losses.CategoricalCrossentropy()}


SUBJECTS = [
    Searched(
        "GridSearchCV over rho",
        "scikit-learn",
        network,
        data(),
        compiling,
        rate=0.1,
        batch_size=16,
        remark="`keras.wrappers.SKLearnClassifier`, pickled, too",
    )
]
