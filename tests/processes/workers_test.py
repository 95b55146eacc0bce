"""Several workers: real processes on this machine, with a replica each."""

import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from examples.tensorflow import cluster as examples_cluster
from keras_sam._backend import replicas
from keras_sam._training import agreement
from tests.support import processes
from tests.support import testing

WORKER = """
import tensorflow as tf
from tests.support import processes
from tests.processes import workers_test
{devices}
strategy = {strategy}
processes.say(workers_test.{call})
"""
CLUSTER = "workers_test.joined()"
THREE = """
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 3)
"""


def joined():
    """Returns the strategy of a worker; the first one leaves last.

    Otherwise those that are still there take half a minute to end without it.
    """
    return examples_cluster.join("environment", 200, 0)


def workers(count, call):
    """Returns what a function of this module returns on each worker."""
    code = WORKER.format(strategy=CLUSTER, call=call, devices="")
    return processes.results(
        [
            processes.start("-c", code, TF_CONFIG=config)
            for config in processes.tf_configs(count)
        ]
    )


def make(
    strategy,
    learning_rate=0.1,
    momentum=0.9,
    hidden=8,
    units=None,
    **arguments,
):
    """Returns a compiled model."""
    with strategy.scope():
        if units:
            model = keras.Sequential([keras.layers.Dense(units)])
        else:
            model = testing.dense_net(hidden=hidden)
        sam = keras_sam.SAM(model, **{"rho": 0.1, **arguments})
        sam.compile(
            keras.optimizers.SGD(
                learning_rate, momentum=momentum, global_clipnorm=0.5
            ),
            testing.cross_entropy(),
            metrics=["accuracy"],
        )
    return sam


def batches(data, policy="DATA", size=8):
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy[policy]
    )
    if not isinstance(data, tf.data.Dataset):
        data = tf.data.Dataset.from_tensor_slices(data)
    return data.batch(size).with_options(options)


def weights(sam):
    return [w.tolist() for w in sam.get_weights()]


# Name: (arguments of SAM, examples, auto-shard policy, arguments of `fit`).
SAME_AS_REPLICAS = {
    "local": ({"ascent_steps": 2}, 32, "DATA", {}),
    "synced": ({"sync_perturbations": True, "xla": True}, 32, "AUTO", {}),
    # The last batch has two examples: with three replicas, one has none.
    "uneven": ({}, 34, "AUTO", {"class_weight": {0: 1.0, 1: 0.3, 2: 3.0}}),
}


def train_all(strategy):
    """Trains the models above; returns what came of them."""
    found = {}
    for name, (arguments, examples, policy, fit) in SAME_AS_REPLICAS.items():
        keras.utils.set_random_seed(1)
        sam = make(strategy, **arguments)
        dataset = batches(testing.data(examples), policy)
        history = sam.fit(
            dataset,
            epochs=2,
            verbose=0,
            shuffle=False,
            validation_data=batches(testing.data(13, seed=1), policy),
            **fit,
        )
        found[name] = {
            "history": history.history,
            "evaluate": sam.evaluate(dataset, verbose=0, return_dict=True),
            "predict": sam.predict(dataset, verbose=0).tolist(),
            "weights": weights(sam),
        }
    return found


def assert_close(result, expected):
    # Sums over processes are taken in another order.
    for name, values in expected["history"].items():
        np.testing.assert_allclose(result["history"][name], values, rtol=1e-5)
    for name, value in expected["evaluate"].items():
        np.testing.assert_allclose(result["evaluate"][name], value, rtol=1e-5)
    np.testing.assert_allclose(
        result["predict"], expected["predict"], atol=1e-5
    )
    for a, b in zip(result["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_two_workers_are_two_replicas():
    first, second = workers(2, "train_all(strategy)")
    assert first == second
    expected = train_all(testing.two_replicas())
    for name, result in first.items():
        assert_close(result, expected[name])


@pytest.mark.also  # Two workers are tested in any case.
def test_three_workers_are_three_replicas():
    code = WORKER.format(
        strategy="tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1', 'CPU:2'])",
        call="train_all(strategy)",
        devices=THREE,
    )
    (expected,) = processes.results([processes.start("-c", code)])
    first, *others = workers(3, "train_all(strategy)")
    assert others == [first, first]
    for name, result in first.items():
        assert_close(result, expected[name])


# Shards of different sizes. Each example counts once in what is reported.


def exactly(sam, x, y):
    """Returns the mean loss and accuracy over all examples."""
    logits = sam.model(x).numpy().astype("float64")
    total = np.log(np.exp(logits).sum(axis=1))
    return [
        np.mean(total - logits[np.arange(len(y)), y]),
        np.mean(logits.argmax(axis=1) == y),
    ]


def train_shards(strategy, folder):
    """Trains on files, and on data that each worker has for itself."""
    index = strategy.cluster_resolver.task_id
    x, y = testing.data(33)
    files = [f"{folder}/{number}.tfrecord" for number in range(3)]
    if replicas.is_chief(strategy):
        for file, rows in zip(files, np.split(np.arange(33), [20, 29])):
            with tf.io.TFRecordWriter(file) as writer:
                for row in rows:
                    example = tf.concat([x[row], [float(y[row])]], axis=0)
                    writer.write(tf.io.serialize_tensor(example).numpy())
    agreement.agree(strategy, {})

    def read(record):
        example = tf.io.parse_tensor(record, tf.float32)
        example = tf.ensure_shape(example, [7])
        return example[:6], tf.cast(example[6], tf.int64)

    from_files = tf.data.TFRecordDataset(files).map(read)
    own = {
        "OFF, 20 and 13 examples": [slice(0, 20), slice(20, 33)],
        "OFF, 16 examples each": [slice(0, 16), slice(16, 32)],
    }
    datasets = {
        **{
            policy: (batches(from_files, policy), slice(None), 33)
            for policy in ("FILE", "AUTO", "DATA")
        },
        **{
            name: (
                batches((x[rows[index]], y[rows[index]]), "OFF"),
                slice(0, rows[-1].stop),
                rows[-1].stop,
            )
            for name, rows in own.items()
        },
    }
    found = {}
    for name, (dataset, rows, _) in datasets.items():
        keras.utils.set_random_seed(1)
        sam = make(strategy)
        history = sam.fit(
            dataset, epochs=2, verbose=0, shuffle=False, validation_data=dataset
        )
        found[name] = {
            "history": history.history,
            "evaluate": sam.evaluate(dataset, verbose=0),
            "exactly": exactly(sam, x[rows], y[rows]),
            "steps": int(sam.optimizer.iterations.numpy()),
            "weights": weights(sam),
        }
    with pytest.raises(ValueError, match="OFF"):
        sam.predict(batches((x, y), "OFF"), verbose=0)
    return found


def test_uneven_shards(tmp_path):
    first, second = workers(2, f"train_shards(strategy, {str(tmp_path)!r})")
    assert first == second
    for name, result in first.items():
        # The mean of float32 numbers.
        np.testing.assert_allclose(
            result["evaluate"], result["exactly"], rtol=1e-5, err_msg=name
        )
        assert result["history"]["val_loss"][-1] == result["evaluate"][0]
    # Two epochs of the worker with most data, in its half of a batch of 8.
    steps = {name: result["steps"] for name, result in first.items()}
    assert steps == {
        "FILE": 2 * 6,  # 20 and 4 examples.
        "AUTO": 2 * 6,
        "DATA": 2 * 5,  # 33 examples in batches of 8.
        "OFF, 20 and 13 examples": 2 * 5,
        "OFF, 16 examples each": 2 * 4,
    }


# Saving: all workers write the same path.


def save(strategy, folder):
    """Saves in all ways; returns whether what is loaded is what was saved."""
    x, y = testing.data(32)
    sam = make(strategy)
    checkpoint = keras.callbacks.ModelCheckpoint(f"{folder}/checkpoint.keras")
    sam.fit(x, y, verbose=0, callbacks=[checkpoint])
    found = {}
    for attempt in range(3):
        sam.save(f"{folder}/model.keras")
        # Before any other waiting: the file is whole where `save` returns.
        loaded = keras.saving.load_model(f"{folder}/model.keras")
        found[f"model {attempt}"] = weights(loaded) == weights(sam)
        agreement.agree(strategy, {})
    loaded = keras.saving.load_model(f"{folder}/checkpoint.keras")
    found["checkpoint"] = weights(loaded) == weights(sam)
    sam.save_weights(f"{folder}/model.weights.h5")
    before = weights(sam)
    sam.fit(x, y, verbose=0)
    sam.load_weights(f"{folder}/model.weights.h5")
    found["weights"] = weights(sam) == before
    sam.export(f"{folder}/exported", verbose=False)
    exported = tf.saved_model.load(f"{folder}/exported")
    found["export"] = bool(
        np.allclose(exported.serve(x), sam.predict(x, verbose=0), atol=1e-6)
    )
    own = f"{folder}/{strategy.cluster_resolver.task_id}.keras"
    sam.save(own)
    found["own file"] = weights(keras.saving.load_model(own)) == before
    errors = []
    nowhere = f"{folder}/none/model.keras"
    try:
        sam.save(nowhere)
    except Exception as error:
        errors.append(type(error).__name__)
    return found, errors


def test_workers_save_one_file(tmp_path):
    (first, failed), (second, told) = workers(
        2, f"save(strategy, {str(tmp_path)!r})"
    )
    assert all(first.values()), first
    assert all(second.values()), second
    # Only the first fails to write there; the other learns of it.
    assert failed == ["FileNotFoundError"] and told == ["RuntimeError"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "0.keras",
        "1.keras",
        "checkpoint.keras",
        "exported",
        "model.keras",
        "model.weights.h5",
    ]


# What workers must agree on.

DIFFERING = {
    "rho: 0.05 on worker 0{}; 0.1 on worker 1{}": {"rho": (0.05, 0.1)},
    "ascent_steps: 1 on worker 0{}; 2 on worker 1{}": {"ascent_steps": (1, 2)},
    "direction.config.eta: 0.1 on worker 0{}; 0.2 on worker 1{}": {
        "direction": tuple(map(keras_sam.directions.Adaptive, (0.1, 0.2)))
    },
    "perturb: 'kernel' on worker 0{}; 'lambda' on worker 1{}": {
        "perturb": ("kernel", lambda variable: True)
    },
    "compile.optimizer.config.learning_rate.config.initial_learning_rate: "
    "0.1 on worker 0{}; 0.2 on worker 1{}": {
        "learning_rate": tuple(
            keras.optimizers.schedules.ExponentialDecay(rate, 10, 0.5)
            for rate in (0.1, 0.2)
        )
    },
    "compile.optimizer.config.momentum: 0.9 on worker 0{}; 0.8 on worker 1{}": {
        "momentum": (0.9, 0.8)
    },
    # Not built: before any variable is created.
    "model.config.layers.0.config.units: 3 on worker 0{}; 4 on worker 1{}": {
        "units": (3, 4)
    },
}
DIFFERING_CALLS = {
    "fit.epochs: 1 on worker 0{}; 2 on worker 1{}": ("fit", "epochs", 1),
    "fit.batch_size: 4 on worker 0{}; 5 on worker 1{}": (
        "fit",
        "batch_size",
        4,
    ),
    "steps: 1 on worker 0{}; 2 on worker 1{}": ("evaluate", "steps", 1),
}


def disagree(strategy):
    """Returns the errors of workers that differ, and what may differ."""
    index = strategy.cluster_resolver.task_id
    x, y = testing.data(16)

    def error_of(function, *arguments, **keywords):
        start = time.monotonic()
        try:
            function(*arguments, **keywords)
        except (ValueError, tf.errors.OpError) as error:
            return str(error), time.monotonic() - start

    def make_and_fit(arguments):
        own = {name: values[index] for name, values in arguments.items()}
        make(strategy, **own).fit(x, y, verbose=0)

    errors = {
        message: error_of(make_and_fit, arguments)
        for message, arguments in DIFFERING.items()
    }
    sam = make(strategy)
    for message, (method, name, value) in DIFFERING_CALLS.items():
        errors[message] = error_of(
            getattr(sam, method), x, y, verbose=0, **{name: value + index}
        )
    # Initial weights and a learning rate that is a number: TensorFlow creates
    # variables with the values of the first worker.
    keras.utils.set_random_seed(index)
    sam = make(strategy, learning_rate=(0.1, 0.2)[index])
    same = [weights(sam), float(sam.optimizer.learning_rate.numpy())]
    sam.fit(x, y, verbose=0)
    same.append(weights(sam))
    # Last, since TensorFlow then gives up: variables of different shapes.
    shapes = error_of(make, strategy, hidden=8 + index)
    return {"errors": errors, "same": same, "shapes": shapes}


def test_workers_that_differ():
    first, second = workers(2, "disagree(strategy)")
    assert len(first["errors"]) == len(DIFFERING) + len(DIFFERING_CALLS)
    for message in first["errors"]:
        for result, marks in (
            (first, (" (this one)", "")),
            (second, ("", " (this one)")),
        ):
            text, seconds = result["errors"][message]
            assert message.format(*marks) in text
            assert len(text.splitlines()) == 2, text
            assert seconds < 10
    assert first["same"] == second["same"]
    assert first["same"][1] == pytest.approx(0.1)
    texts = first["shapes"][0], second["shapes"][0]
    assert any("[6,9]" in text and "[6,8]" in text for text in texts), texts


LATE = """
import os, sys, time
import tensorflow as tf
from keras_sam._training import agreement
strategy = tf.distribute.MultiWorkerMirroredStrategy()
me = strategy.cluster_resolver.task_id
agreement.agree(strategy, {"a": [1, {"b": None}]})
try:
    agreement.agree(strategy, {"a": float("nan")})
    if me == %d:
        %s
    agreement.agree(strategy, {}, seconds=%d)
except Exception as error:
    print("RAISED", type(error).__name__, error, flush=True)
"""


@pytest.mark.parametrize(
    ("worker", "does", "seconds", "expected"),
    [
        (1, "time.sleep(8)", 2, "TimeoutError Gave up waiting for worker 1"),
        (1, "os._exit(3)", 90, "RuntimeError Lost worker 1 at 127.0.0.1:"),
    ],
    ids=["late", "lost"],
)
def test_waiting_ends(worker, does, seconds, expected):
    code = LATE % (worker, does, seconds)
    finished = processes.finish(
        [
            processes.start("-c", code, TF_CONFIG=config)
            for config in processes.tf_configs(2)
        ]
    )
    assert f"RAISED {expected}" in finished[0][1], finished


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
