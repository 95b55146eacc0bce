"""Variables come into being as in the first step of plain `fit`."""

import contextlib
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from tests.support import engine
from tests.support import testing


def sam(**arguments):
    return lambda model: keras_sam.SAM(model, **arguments)


plainly = sam(ascent_steps=0)


class LateHead(keras.Model):
    """Uses a layer only in training mode."""

    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(4, activation="tanh")
        self.head = keras.layers.Dense(3)

    def call(self, x, training=False):
        z = self.body(x)
        return self.head(z) if training else z[:, :3]


class HeadInLoss(keras.layers.Layer):
    """Mixed into a model: the loss has a layer of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.head = keras.layers.Dense(3, name="head")

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return testing.cross_entropy()(y, self.head(y_pred))


class PlainWithHead(HeadInLoss, keras.Model):
    def __init__(self, model):
        super().__init__()
        self.model = model
        if engine.JAX:  # Where Keras mixes up variables that the loss makes.
            self.head.build((None, 3))

    def call(self, x, training=None):
        return self.model(x, training=training)


class SamWithHead(HeadInLoss, keras_sam.SAM):
    pass


class OnlyTraining(keras.Model):
    """Refuses to be called in inference mode."""

    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(3)

    def call(self, x, training=False):
        if not training:
            raise TypeError("inference needs more")
        return self.body(x)


class OtherOutputs(keras.Model):
    """Has logits in training, and classes in inference."""

    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(3)

    def call(self, x, training=False):
        logits = self.body(x)
        return logits if training else ops.argmax(logits, -1)


class Recording(keras.layers.Layer):
    """Notes the mode of each call."""

    def __init__(self):
        super().__init__()
        self.modes = set()

    def call(self, x, training=None):
        self.modes.add(training)
        return x


class OnlyEager(keras.Model):
    """Asks for the value of a tensor, and has a layer that it never calls."""

    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(3)
        self.spare = keras.layers.Dense(2)

    def call(self, x):
        z = self.body(x)
        return {"p": z if float(ops.max(z)) > 0 else -z}


def early():
    """Returns a late head whose variables are there."""
    model = LateHead()
    model(np.zeros((1, 6), "float32"), training=True)
    return model


def dense():
    return keras.Sequential([keras.layers.Dense(3)])


# What plain Keras trains to the same weights. On JAX it first calls a model in
# inference mode.
PLAIN = {
    LateHead: early if engine.JAX else LateHead,
    OnlyTraining: OnlyTraining,
    OtherOutputs: dense if engine.JAX else OtherOutputs,
}


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    "make",
    [
        LateHead,
        pytest.param(OnlyTraining, marks=testing.TENSORFLOW),
        OtherOutputs,
    ],
)
def test_no_ascent_is_keras(make, mode):
    settings = {"metrics": [], **testing.MODES[mode]}
    testing.assert_same(
        testing.train(make, plainly, **settings),
        testing.train(PLAIN[make], **settings),
    )


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_head_of_the_loss_is_trained(mode):
    settings = {"loss": None, "metrics": [], **testing.MODES[mode]}
    with_sam = testing.train(
        testing.dense_net, lambda m: SamWithHead(m, ascent_steps=0), **settings
    )
    plain = testing.train(testing.dense_net, PlainWithHead, **settings)
    np.testing.assert_array_equal(
        with_sam[0].head.kernel.numpy(), plain[0].head.kernel.numpy()
    )
    assert with_sam[1] == plain[1]


@pytest.mark.parametrize("mode", testing.MODES)
@pytest.mark.parametrize(
    "arguments", [{}, {"ascent_steps": 2}, {"num_batch_splits": 2}], ids=str
)
def test_a_late_head_climbs_like_an_early_one(arguments, mode):
    settings = {"metrics": [], **testing.MODES[mode]}
    late = testing.train(LateHead, sam(**arguments), **settings)
    testing.assert_same(
        late, testing.train(early, sam(**arguments), **settings)
    )


def test_a_late_head_on_two_replicas():
    x, y = testing.data()

    def trained(devices):
        with devices:
            keras.utils.set_random_seed(1)
            model = keras_sam.SAM(
                LateHead(), ascent_steps=2, sync_perturbations=True
            )
            model.compile("sgd", testing.cross_entropy())
            model.fit(x, y, batch_size=24, verbose=0)
        return model.model

    one = trained(contextlib.nullcontext())
    two = trained(engine.two_devices())
    assert len(two.trainable_variables) == 4
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=1e-6)


@testing.TENSORFLOW
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_fit_makes_no_call_in_inference_mode(mode):
    layer = Recording()

    def make():
        return keras.Sequential([layer, keras.layers.Dense(3)])

    testing.train(make, sam(), **testing.MODES[mode])
    assert True in layer.modes and False not in layer.modes


@testing.TENSORFLOW  # On JAX Keras first calls it on shapes.
def test_a_model_that_only_runs_eagerly():
    def make():
        model = OnlyEager()
        model(testing.data()[0])
        return model

    x, y = testing.data()
    settings = {
        "loss": {"p": testing.cross_entropy()},
        "metrics": [],
        "run_eagerly": True,
        "fit": {"x": x, "y": {"p": y}},
    }
    testing.assert_same(
        testing.train(make, plainly, **settings),
        testing.train(make, **settings),
    )


@testing.TENSORFLOW
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_sparse_inputs(mode):
    tf = engine.tf

    class Product(keras.Model):
        def __init__(self):
            super().__init__()
            self.kernel = self.add_weight(shape=(6, 3), name="kernel")

        def call(self, x):
            return tf.sparse.sparse_dense_matmul(x, self.kernel.value)

    def make():
        model = Product()
        model(tf.sparse.from_dense(x))
        return model

    x, y = testing.data()
    data = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(x), y))
    settings = {
        "fit": {"x": data.batch(8), "y": None, "batch_size": None},
        **testing.MODES[mode],
    }
    testing.assert_same(
        testing.train(make, plainly, **settings),
        testing.train(make, **settings),
    )


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_variable_that_comes_later_is_an_error(mode):
    class Later(LateHead):
        late = False

        def call(self, x, training=False):
            return super().call(x, training=training and self.late)

    x, y = testing.data()
    model = keras_sam.SAM(Later())
    model.compile("sgd", testing.cross_entropy(), **testing.MODES[mode])
    model.train_on_batch(x[:8], y[:8])
    model.model.late = True
    before = model.model.body.kernel.numpy()
    with pytest.raises(ValueError, match="(created o|O)ther.*late"):
        model.train_on_batch(x, y)
    np.testing.assert_array_equal(before, model.model.body.kernel.numpy())


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
