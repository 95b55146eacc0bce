"""A bad argument is an early error that names it; no variable changes."""

import sys

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import descents
from keras_sam import directions
from tests.support import engine
from tests.support import testing

_DECAY = keras.optimizers.schedules.ExponentialDecay


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"rho": -0.1}, ValueError),
        ({"rho": float("nan")}, ValueError),
        ({"rho": float("inf")}, ValueError),
        ({"rho": "0.05"}, TypeError),
        ({"rho": None}, TypeError),
        ({"rho": True}, TypeError),
        ({"rho": lambda step: 0.1}, TypeError),
        ({"rho": _DECAY(-0.1, 10, 0.5)}, ValueError),
        ({"ascent_steps": -1}, ValueError),
        ({"ascent_steps": 1.0}, TypeError),
        ({"ascent_steps": True}, TypeError),
        ({"ascent_steps": None}, TypeError),
        ({"num_batch_splits": 0}, ValueError),
        ({"num_batch_splits": 2.0}, TypeError),
        ({"num_batch_splits": False}, TypeError),
        ({"radius": "half"}, ValueError),
        ({"radius": None}, ValueError),
        ({"radius": 0.1}, ValueError),
        ({"direction": "adaptve"}, ValueError),
        ({"direction": directions.Adaptive}, TypeError),
        ({"direction": None}, TypeError),
        ({"descent": "median"}, ValueError),
        ({"start": "none"}, ValueError),
        ({"descent": descents.Mean}, TypeError),
        ({"perturb": "("}, ValueError),
        ({"perturb": "no such variable"}, ValueError),
        ({"perturb": lambda variable: False}, ValueError),
        ({"perturb": ["kernel"]}, TypeError),
        ({"perturb": keras.layers.Dense}, TypeError),
        ({"sync_perturbations": 1}, ValueError),
        ({"sync_perturbations": None}, ValueError),
        ({"xla": "on"}, ValueError),
        ({"xla": 1}, ValueError),
        ({"xla": None}, ValueError),
        ({"sync_perturbations": True, "num_batch_splits": 2}, ValueError),
    ],
)
def test_bad_argument(arguments, error):
    name = next(iter(arguments))
    with pytest.raises(error, match=rf"`{name}.* Received") as caught:
        keras_sam.SAM(testing.dense_net(), **arguments)
    assert type(caught.value) is error


@pytest.mark.parametrize("model", [None, "net", keras.layers.Dense(1), [1]])
def test_what_is_not_a_model(model):
    with pytest.raises(TypeError, match="`model` must be .* Received"):
        keras_sam.SAM(model)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_no_trainable_weights(run_eagerly):
    net = testing.dense_net()
    net.trainable = False
    sam = keras_sam.SAM(net)
    assert_refuses(sam, "`model` must have trainable weights", run_eagerly)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_perturb_that_matches_nothing_in_a_model_built_late(run_eagerly):
    net = keras.Sequential([keras.layers.Dense(3)])
    sam = keras_sam.SAM(net, perturb="embedding")
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=run_eagerly)
    with pytest.raises(ValueError, match="`perturb` must match"):
        sam.train_on_batch(*testing.data())


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_choice_of_a_part_that_matches_nothing(run_eagerly):
    direction = directions.Adaptive(scaled="embedding")
    sam = keras_sam.SAM(testing.dense_net(), direction=direction)
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=run_eagerly)
    message = "choice of variables must match .*'embedding'.*'logits/bias'"
    with pytest.raises(ValueError, match=message):
        sam.train_on_batch(*testing.data())


class Sometimes(keras.layers.Layer):
    """Assigns a variable inside of a conditional."""

    def build(self, input_shape):
        self.count = self.add_weight(shape=(), trainable=False, name="count")

    def call(self, inputs):
        largest = keras.ops.max(inputs)
        keras.ops.cond(
            largest > 0, lambda: self.count.assign(largest), lambda: self.count
        )
        return inputs


@testing.TENSORFLOW  # On JAX Keras refuses the layer itself.
def test_an_assignment_that_cannot_be_seen():
    net = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3), Sometimes()]
    )
    sam = keras_sam.SAM(net)
    sam.compile("sgd", testing.cross_entropy())
    with pytest.raises(NotImplementedError, match="assignment of .*/count"):
        sam.train_on_batch(*testing.data())


def assert_refuses(sam, match, run_eagerly):
    sam.compile("adam", testing.cross_entropy(), run_eagerly=run_eagerly)
    before = [v.numpy() for v in sam.variables]
    with pytest.raises(ValueError, match=match):
        sam.fit(*testing.data(), verbose=0)
    for a, b in zip(before, sam.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    assert int(sam.optimizer.iterations.numpy()) == 0


def test_splits_need_a_batch_axis():
    sam = keras_sam.SAM(testing.dense_net(), num_batch_splits=2)
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    x, y = testing.data()
    with pytest.raises(ValueError, match="`num_batch_splits` needs"):
        sam.train_on_batch(x, y, np.float32(1.0))


def test_a_step_before_compile():
    sam = keras_sam.SAM(testing.dense_net())
    with pytest.raises(ValueError, match="compile"):
        sam.fit(*testing.data(), verbose=0)


def test_numbers_may_be_numpys():
    sam = keras_sam.SAM(
        testing.dense_net(),
        rho=np.float32(0.5),
        ascent_steps=np.int64(2),
        num_batch_splits=np.int32(2),
    )
    assert (sam.rho, sam.ascent_steps, sam.num_batch_splits) == (0.5, 2, 2)
    assert {type(v) for v in (sam.ascent_steps, sam.num_batch_splits)} == {int}


@testing.TENSORFLOW  # Its compiled functions keep the weights of a trace.
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_layer_that_compiles_itself(run_eagerly):
    class Compiled(keras.layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(), name="a")

        @engine.tf.function
        def call(self, inputs, training=None):
            return self.factor * inputs

    net = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3), Compiled()]
    )
    assert_refuses(keras_sam.SAM(net), "must not compile", run_eagerly)


@pytest.mark.parametrize(
    "arguments",
    [
        {"direction": lambda grads, params: grads[:1]},
        {"direction": lambda grads, params: None},
        {"descent": lambda clean, path: next(path).grads[:1]},
        {"descent": lambda clean, path: next(path)},
    ],
)
def test_a_part_that_returns_something_else(arguments):
    sam = keras_sam.SAM(testing.dense_net(), **arguments)
    assert_refuses(sam, "must return a list of 4 tensors", run_eagerly=True)


def test_a_part_that_forgets_its_memory():
    class Forgetful:
        def init(self, params):
            return params

        def __call__(self, grads, params, memory):
            return grads

    sam = keras_sam.SAM(testing.dense_net(), direction=Forgetful())
    assert_refuses(sam, "has `init`, so it must return", run_eagerly=True)


class OfExamples(keras_sam.SAM):
    """Its loss is one number for each example, which Keras lets pass."""

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return keras.losses.sparse_categorical_crossentropy(
            y, y_pred, from_logits=True
        )


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"track": True}, "`track`"),
        ({"num_batch_splits": 2}, "`num_batch_splits`"),
        ({"descent": descents.SearchedSlerp()}, "SearchedSlerp,"),
    ],
)
def test_a_loss_of_each_example(arguments, name, run_eagerly):
    sam = OfExamples(testing.dense_net(), **arguments)
    match = f"{name} needs the loss of a batch as one number.*Received a loss"
    assert_refuses(sam, match, run_eagerly)


@testing.TENSORFLOW  # On JAX Keras needs one number.
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_loss_of_each_example_trains_as_in_keras(run_eagerly):
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=None
    )
    first, second = (
        testing.train(
            testing.dense_net, wrap, loss=loss, run_eagerly=run_eagerly
        )
        for wrap in (lambda m: m, lambda m: keras_sam.SAM(m, ascent_steps=0))
    )
    testing.assert_same(first, second)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
