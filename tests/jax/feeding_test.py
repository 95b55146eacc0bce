"""Data and models that devices cannot share are errors at once."""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import keras
import numpy as np
import scipy.sparse

import keras_sam
from tests.jax import meshes
from tests.support import testing

EIGHT = "8 devices share each batch evenly.*multiple of 8"


class Batches(keras.utils.PyDataset):
    """Batches of 8 examples, but for the last one."""

    def __init__(self, examples):
        super().__init__()
        self._x, self._y = testing.data(examples)

    def __len__(self):
        return -(-len(self._x) // 8)

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return self._x[rows], self._y[rows]


@pytest.fixture(scope="module")
def sam():
    with meshes.devices(8).scope():
        return meshes.wrapped(testing.dense_net)


@pytest.fixture(autouse=True)
def on_eight():
    with meshes.devices(8).scope():
        yield


def arrays(examples, **arguments):
    x, y = testing.data(examples)
    return {"x": x, "y": y, "verbose": 0, **arguments}


WRONG = {
    "size": (arrays(48, batch_size=12), "`batch_size`=12"),
    "last": (arrays(20, batch_size=8), "last batch of 4 from 20 examples"),
    "few": (arrays(4), "last batch of 4 from 4 examples"),
    "split": (
        arrays(32, batch_size=8, validation_split=0.125),
        "last batch of 4 from 28",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_arrays_are_checked_before_the_first_step(case, sam):
    arguments, words = WRONG[case]
    with pytest.raises(ValueError, match=f"(?s){EIGHT}.*{words}"):
        sam.fit(**arguments)
    assert int(sam.optimizer.iterations.numpy()) == 0


def test_data_sets_are_checked_as_they_come():
    sam = meshes.wrapped(testing.dense_net)
    with pytest.raises(ValueError, match=f"(?s){EIGHT}.*batch 2 of 4 examples"):
        sam.fit(Batches(20), shuffle=False, verbose=0)
    assert int(sam.optimizer.iterations.numpy()) == 2
    sam.fit(Batches(24), verbose=0)
    assert int(sam.optimizer.iterations.numpy()) == 5


def test_single_batches_are_checked(sam):
    x, y = testing.data(4)
    for method in (sam.train_on_batch, sam.test_on_batch):
        with pytest.raises(ValueError, match=f"(?s){EIGHT}.*of 4 examples"):
            method(x, y)


def test_sparse_inputs_are_an_error():
    x, y = testing.data(8)
    rows = scipy.sparse.csr_matrix(x)
    inputs = keras.Input((6,), sparse=True)
    sam = meshes.wrapped(
        lambda: keras.Model(inputs, keras.layers.Dense(3)(inputs))
    )
    words = "(?s)Several devices need dense tensors.*Received"
    for method in (sam.fit, sam.evaluate):
        with pytest.raises(ValueError, match=f"{words}: .'BCOO'"):
            method(rows, y, verbose=0)
    with pytest.raises(ValueError, match=f"{words}: .'BCOO'"):
        sam.predict(rows, verbose=0)
    with pytest.raises(ValueError, match=f"{words}: .'csr_matrix'"):
        sam.train_on_batch(rows, y)


def test_what_is_left_out_is_not_checked():
    x, y = testing.data(20)
    sam = meshes.wrapped(testing.dense_net)
    sam.fit(x, y, batch_size=8, steps_per_epoch=2, verbose=0)


def test_a_model_made_elsewhere_is_an_error():
    with meshes.devices(4).scope():
        model = testing.dense_net()
    words = "made under the distribution.*4 devices, under a DataParallel of 8"
    with pytest.raises(ValueError, match=f"(?s){words}"):
        keras_sam.SAM(model)


def test_a_model_made_before_is_an_error():
    keras.distribution.set_distribution(None)
    sam = meshes.wrapped(testing.dense_net)
    x, y = testing.data(8)
    keras.distribution.set_distribution(meshes.devices(8))
    for method in (sam.fit, sam.train_on_batch, sam.evaluate):
        with pytest.raises(ValueError, match="1 device, under a Data"):
            method(x, y)
    with pytest.raises(ValueError, match="1 device, under a DataParallel"):
        keras_sam.SAM(sam.model)


def test_a_model_of_a_distribution_needs_it(sam):
    keras.distribution.set_distribution(None)
    with pytest.raises(ValueError, match="8 devices, under no distribution"):
        sam.predict(testing.data(8)[0], verbose=0)


def test_another_kind_of_distribution_is_an_error():
    class Own(keras.distribution.DataParallel.__base__):
        def get_data_layout(self, data_shape):
            return None

        def get_variable_layout(self, variable):
            return None

    model = testing.dense_net()
    with Own(meshes.devices(8).device_mesh, "batch").scope():
        with pytest.raises(ValueError, match="(?s)DataParallel.*Received: Own"):
            keras_sam.SAM(model)


def test_losses_of_whole_batches_need_climbs_together():
    def of_batch(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_pred), axis=None)

    for together in (True, False):
        sam = meshes.wrapped(
            testing.dense_net, loss=of_batch, sync_perturbations=together
        )
        if together:
            sam.train_on_batch(*testing.data(8))
            continue
        with pytest.raises(ValueError, match="`sync_perturbations=False`"):
            sam.train_on_batch(*testing.data(8))


def test_outputs_need_an_axis_of_examples():
    inputs = keras.Input((6,))
    total = keras.ops.sum(keras.layers.Dense(3)(inputs))
    sam = keras_sam.SAM(keras.Model(inputs, total))
    sam.compile("sgd", loss=lambda y_true, y_pred: y_pred)
    with pytest.raises(ValueError, match="needs outputs with a batch axis"):
        sam.train_on_batch(np.ones((8, 6)), np.ones(8))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
