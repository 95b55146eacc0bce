"""Recommenders: two towers that retrieve, and a ranker."""

import keras
import keras_rs
import numpy as np
from keras import layers
from keras import ops

from tests.ecosystem import subject

USERS, MOVIES = 12, 20


def tower(number):
    return keras.Sequential(
        [layers.Embedding(number, 8), layers.Dense(8, "tanh"), layers.Dense(4)]
    )


@keras.saving.register_keras_serializable(package="ecosystem")
class Retrieval(keras.Model):
    """Two towers; the outputs in inference mode are the best movies.

    The loss is over the movies of the batch. It takes the tower of the movies,
    which `call` does not use in training.
    """

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.users, self.movies = tower(USERS), tower(MOVIES)
        self.retrieval = keras_rs.layers.BruteForceRetrieval(
            np.zeros((MOVIES, 4), "float32"), k=5, return_scores=False
        )
        self.same = keras_rs.layers.RemoveAccidentalHits()
        self.correction = keras_rs.layers.SamplingProbabilityCorrection()

    def build(self, input_shape):
        self.users.build(input_shape)
        self.movies.build(input_shape)
        super().build(input_shape)

    def call(self, inputs, training=False):
        users = self.users(inputs)
        if training:
            return {"users": users}
        return {"users": users, "best": self.retrieval(users)}

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        movies = self.movies(y["movie"])
        logits = ops.matmul(y_pred["users"], ops.transpose(movies))
        labels = ops.eye(ops.shape(logits)[0])
        logits = self.correction(logits, y["probability"])
        logits = self.same(logits, labels, y["movie"])
        return ops.mean(
            keras.losses.categorical_crossentropy(
                labels, logits, from_logits=True
            )
        )


def ranker():
    """A cross network, trained by a loss of KerasRS over lists of movies."""
    inputs = {
        "user": keras.Input((), dtype="int32", name="user"),
        "movies": keras.Input((4,), dtype="int32", name="movies"),
    }
    user = layers.RepeatVector(4)(layers.Embedding(USERS, 4)(inputs["user"]))
    movies = layers.Embedding(MOVIES, 4)(inputs["movies"])
    x = layers.Concatenate()([user, movies])
    x = keras_rs.layers.FeatureCross()(x, x)
    x = layers.Dropout(0.1)(layers.Dense(8, "relu")(x))
    return keras.Model(inputs, layers.Reshape((4,))(layers.Dense(1)(x)))


def retrieval_data(examples):
    random = np.random.RandomState(0)
    movies = random.randint(0, MOVIES, examples)
    share = np.bincount(movies, minlength=MOVIES)[movies] / examples
    targets = {"movie": movies, "probability": share.astype("float32")}
    return random.randint(0, USERS, examples), targets


def ranking_data(examples):
    random = np.random.RandomState(0)
    x = {
        "user": random.randint(0, USERS, examples),
        "movies": random.randint(0, MOVIES, (examples, 4)),
    }
    return x, random.randint(0, 5, (examples, 4)).astype("float32")


SUBJECTS = [
    subject.Subject(
        "two-tower retrieval",
        "keras-rs",
        Retrieval,
        retrieval_data(30),
        rate=0.5,
        batch_size=8,
        remark="trained by the model's own `compute_loss`",
    ),
    subject.Subject(
        "cross network, ranked lists",
        "keras-rs",
        ranker,
        ranking_data(30),
        lambda: {
            "loss": keras_rs.losses.PairwiseLogisticLoss(),
            "metrics": [keras_rs.metrics.NDCG(k=3, name="ndcg")],
        },
        batch_size=8,
    ),
]
