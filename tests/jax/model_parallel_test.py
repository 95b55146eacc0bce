"""`ModelParallel`: a Transformer whose weights are sharded over devices."""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import keras
import numpy as np

from keras_sam import directions
from tests.jax import collectives_test
from tests.jax import meshes

# Sums in another order: a few units in the last place of float32.
ATOL = 2e-6
TOKENS, LENGTH, WIDTH, CLASSES = 40, 4, 8, 3
# All of them along the axis "model".
LAYOUTS = {
    "tokens/embeddings": ("model", None),
    "attention/(query|key|value)/kernel": (None, "model", None),
    "attention/attention_output/kernel": ("model", None, None),
    "up/kernel": (None, "model"),
    "up/bias": ("model",),
    "down/kernel": ("model", None),
}


def mesh(batch, model):
    """Returns the `ModelParallel` of a mesh of devices."""
    devices = keras.distribution.list_devices()[: batch * model]
    layouts = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh(
            (batch, model), ("batch", "model"), devices
        )
    )
    for path, layout in LAYOUTS.items():
        layouts[path] = layout
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch"
    )


def transformer():
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(TOKENS, WIDTH, name="tokens")(inputs)
    attended = keras.layers.MultiHeadAttention(4, 2, name="attention")(x, x)
    x = keras.layers.LayerNormalization(name="norm")(x + attended)
    up = keras.layers.Dense(4 * WIDTH, "gelu", name="up")(x)
    x = x + keras.layers.Dense(WIDTH, name="down")(up)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="logits")(x))


def data():
    random = np.random.RandomState(0)
    x = random.randint(0, TOKENS, (8, LENGTH))
    return x, random.randint(0, CLASSES, 8)


def trained(distribution, **arguments):
    return meshes.trained(
        distribution, data(), 2, make=transformer, rho=0.1, **arguments
    )


STATEFUL = {"direction": directions.Friendly(0.7, 0.6), "ascent_steps": 2}


def test_sharded_weights_train_as_on_one_device():
    arguments = {"sync_perturbations": True, **STATEFUL}
    one = trained(None, **arguments)
    sharded = trained(mesh(2, 4), **arguments)
    meshes.assert_same(one, sharded, ATOL)
    assert_sharded(sharded[0])


def test_each_row_of_the_mesh_climbs_on_its_own():
    parts = trained(None, num_batch_splits=2, **STATEFUL)
    sharded = trained(mesh(2, 4), **STATEFUL)
    meshes.assert_same(parts, sharded, ATOL)
    assert_sharded(sharded[0])


def assert_sharded(sam):
    """Asserts that no device holds all of what is sharded, slots included."""
    trained = sam.trainable_variables
    assert sum(is_sharded(v) for v in trained) == 8
    slots = [v for v in sam.optimizer.variables if "momentum" in v.path]
    # Friendly remembers an average of gradients, and a number of steps.
    memory = [
        v for v in sam.non_trainable_variables if "memory" in v.path and v.shape
    ]
    for like in (trained, slots, memory):
        for variable, owner in zip(like, trained, strict=True):
            value, sharding = variable.value, owner.value.sharding
            assert value.sharding.is_equivalent_to(sharding, value.ndim)
            (shard, *_) = value.addressable_shards
            parts = 4 if is_sharded(owner) else 1
            assert parts * shard.data.size == value.size, variable.path


def is_sharded(variable):
    return not variable.value.sharding.is_fully_replicated


@pytest.mark.parametrize("together", [True, False])
def test_no_device_gathers_what_is_sharded(together):
    with mesh(2, 4).scope():
        sam = meshes.wrapped(
            transformer, sync_perturbations=together, **STATEFUL
        )
        text = meshes.program(sam, data())
    whole = {tuple(v.shape) for v in sam.trainable_variables if is_sharded(v)}
    gathered = collectives_test.gathered(text)
    assert not whole & gathered, gathered


def test_weights_along_the_batch_need_climbs_together():
    layouts = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh((8,), ("batch",))
    )
    layouts["up/kernel"] = (None, "batch")
    distribution = keras.distribution.ModelParallel(layout_map=layouts)
    with pytest.raises(ValueError, match="`sync_perturbations=True`.*up/kern"):
        trained(distribution)
    meshes.assert_same(
        trained(None, sync_perturbations=True),
        trained(distribution, sync_perturbations=True),
        ATOL,
    )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
