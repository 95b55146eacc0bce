"""The examples of a batch: dense, ragged and sparse rows."""

import sys

import keras
import numpy as np
import pytest
import scipy.sparse
from keras import ops

import keras_sam
from keras_sam import _keras_internals
from keras_sam import _types
from keras_sam import directions
from keras_sam import samples
from keras_sam._backend import batches
from tests.support import engine
from tests.support import testing

tf = engine.tf

DENSE = np.array([[1, 0, 2], [0, 0, 0], [0, 3, 0], [4, 5, 6]], "float32")


def ragged():
    return tf.ragged.constant([[1.0], [], [2.0, 3.0], [4.0]])


def listed(x):
    if engine.JAX:
        return np.array(x.todense() if hasattr(x, "todense") else x).tolist()
    if isinstance(x, tf.RaggedTensor):
        return x.to_list()
    if isinstance(x, tf.SparseTensor):
        x = tf.sparse.to_dense(tf.sparse.reorder(x))
    return np.array(x).tolist()


def kinds():
    """Returns tensors of all kinds that a batch may have."""
    if engine.JAX:
        return {"dense": ops.convert_to_tensor(DENSE)}
    sparse = tf.sparse.from_dense(DENSE)
    return {
        "dense": tf.constant(DENSE),
        "ragged": ragged(),
        "sparse": sparse,
        # With its elements in another order.
        "reversed": tf.SparseTensor(
            sparse.indices[::-1], sparse.values[::-1], sparse.dense_shape
        ),
    }


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("traced", [False, True])
def test_rows(kind, traced):
    tensor = kinds()[kind]
    one = 1 if engine.JAX else tf.constant(1)  # On JAX sizes are ints.

    def rows(tensor):
        batch = _types.Batch({"x": tensor})
        return [
            taken.x["x"]
            for taken in (
                batches.take(batch, [3, 1, 3]),
                batches.take(batch, ops.convert_to_tensor([2])),
                batches.part(batch, 1, 3),
                batches.part(batch, 0, one),
            )
        ]

    if traced:
        rows = engine.compiled(rows, engine.TRACED[0])
    found = rows(tensor)
    every = listed(tensor)
    assert [listed(x) for x in found] == [
        [every[3], every[1], every[3]],
        every[2:3],
        every[1:3],
        every[:1],
    ]


@testing.TENSORFLOW
def test_sparse_rows_keep_their_width():
    spec = tf.SparseTensorSpec((None, 3))
    taken = []

    @tf.function(input_signature=[spec])
    def take(x):
        taken.append(batches.take(_types.Batch(x), [0]).x)

    take.get_concrete_function()
    assert taken[0].shape.as_list() == [None, 3]


def test_rows_keep_masks_and_factors():
    x = ops.convert_to_tensor(DENSE)
    _keras_internals.set_mask(x, x > 0)
    batch = batches.take(_types.Batch(x, None, None, [2.0, None]), [3, 0])
    mask = _keras_internals.mask(batch.x)
    np.testing.assert_array_equal(mask, DENSE[[3, 0]] > 0)
    assert batch == _types.Batch(batch.x, scales=[2.0, None])


@pytest.mark.parametrize("kind", kinds())
def test_concatenate(kind):
    x = kinds()[kind]
    batch = _types.Batch(x)
    parts = [batches.part(batch, 0, 1).x, batches.part(batch, 1, 4).x]
    assert listed(batches.concatenate(*parts)) == listed(x)


def test_arrays_of_scipy():
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
        tensor = batches.tensor(kind(DENSE))
        assert tensor.dtype == "float32"
        assert listed(tensor) == DENSE.tolist()
    for x in kinds().values():
        assert batches.tensor(x) is x
    assert isinstance(batches.tensor([1, 2]), np.ndarray)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (
            lambda: (ops.ones((4, 2)), ops.ones((3, 2), "int32")),
            r"\(3, 2\) int32",
        ),
        (lambda: (ops.ones((4, 2)), ops.ones(())), r"\(\) float32"),
        pytest.param(
            lambda: (tf.sparse.eye(3), tf.ones(4)),
            r"sparse \(3, 3\) float32",
            marks=testing.TENSORFLOW,
        ),
        pytest.param(
            lambda: (ragged(), np.ones(3)),
            r"ragged \(4, None\) float32",
            marks=testing.TENSORFLOW,
        ),
    ],
)
def test_no_axis_in_common(make, received):
    x = make()
    with pytest.raises(ValueError, match=f"It needs inputs.*{received}"):
        batches.check("It", _types.Batch(x))


@testing.TENSORFLOW
def test_no_axis_in_common_at_run_time():
    @tf.function(input_signature=[tf.SparseTensorSpec(), tf.TensorSpec([None])])
    def check(x, y):
        batches.check("It", _types.Batch(x, y))
        return tf.constant(True)

    assert check(tf.sparse.eye(3), tf.ones(3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="It needs inputs"):
        check(tf.sparse.eye(3), tf.ones(4))


SPARSE_STEPS = {
    "parts": {"num_batch_splits": 3},
    "samples": {"ascent_samples": samples.Largest(), "rho": 0.3},
    "fisher mask": {
        "direction": directions.Sparse(directions.FisherMask(3), 0.5)
    },
}


@testing.TENSORFLOW
@pytest.mark.parametrize("name", SPARSE_STEPS)
def test_sparse_inputs_train_as_dense_ones(name):
    x, y = testing.data(8)
    x *= np.random.RandomState(1).uniform(size=x.shape) < 0.5

    def trained(x, sparse):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6,), sparse=sparse)
        net = keras.Model(inputs, keras.layers.Dense(3)(inputs))
        sam = keras_sam.SAM(net, **{"rho": 0.1, **SPARSE_STEPS[name]})
        sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
        sam.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        return net.get_weights()

    found = trained(scipy.sparse.csr_matrix(x), True)
    for one, other in zip(found, trained(x, False), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
