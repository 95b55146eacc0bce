"""Metrics of the climb in the logs of `fit`, against NumPy and the library."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import landscape
from keras_sam import samples
from keras_sam._algorithm import measures
from tests.support import engine
from tests.support import testing

RULES = {
    "one step": {},
    "three steps": {"ascent_steps": 3},
    "mean": {"ascent_steps": 2, "descent": descents.Mean()},
    "projected": {"ascent_steps": 2, "radius": "projected"},
}


def wrapped(**arguments):
    arguments = {"rho": 0.2, "track": True, **arguments}
    return lambda model: keras_sam.SAM(model, **arguments)


def expected(batches, rho=0.2, ascent_steps=1, **rule):
    """Returns the metrics of the climbs of a fresh net on some batches."""
    keras.utils.set_random_seed(1)
    model = testing.dense_net()
    model.compile("sgd", testing.cross_entropy())
    rows = []
    for x, y in batches:
        made = landscape.Landscape(model, x, y)
        path = landscape.path(made, rho, ascent_steps=ascent_steps, **rule)
        losses, norms = path.losses[0], path.gradient_norms[0]
        first = path.cosines_to_first[0]
        rows.append(
            [losses[-1], losses[-1] - losses[0], norms[0], norms[-1], first[-1]]
        )
    sizes = [len(x) for x, _ in batches]
    return dict(zip(measures.NAMES, np.average(rows, 0, weights=sizes)))


def parts(bounds):
    x, y = testing.data()
    return [
        (x[start:stop], y[start:stop])
        for start, stop in zip([0, *bounds], bounds)
    ]


def tracked(history):
    return {name: history[name] for name in measures.NAMES}


def fit(wrap, x=None, y=None, make=testing.dense_net, **settings):
    """Returns the history of an epoch in which the weights stay."""
    data = testing.data()
    optimizer = settings.pop("optimizer", None) or keras.optimizers.SGD(0.0)
    batch_size = settings.pop("batch_size", 7)
    given = {"x": data[0] if x is None else x, "y": data[1] if y is None else y}
    return testing.train(
        make,
        wrap,
        optimizer,
        fit={**given, "epochs": 1, "batch_size": batch_size},
        **settings,
    )[1]


def assert_near(history, wanted, rtol=1e-5):
    for name, value in wanted.items():
        np.testing.assert_allclose(
            history[name][-1], value, rtol=rtol, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize(
    ("rule", "mode"),
    [
        *((rule, "graph") for rule in RULES),
        ("three steps", "eager"),
        ("three steps", "xla"),
    ],
)
def test_they_are_the_means_over_examples(rule, mode):
    rule = RULES[rule]
    history = fit(wrapped(**rule), **testing.MODES[mode])
    # Batches of 7, 7, 7 and 3.
    assert_near(history, expected(parts([7, 14, 21, 24]), **rule))
    np.testing.assert_allclose(
        history["sharpness"][0],
        history["perturbed_loss"][0] - history["loss"][0],
        rtol=1e-4,
    )


def test_splits_count_by_their_size():
    history = fit(wrapped(num_batch_splits=2), batch_size=24)
    assert_near(history, expected(parts([12, 24])))
    history = fit(wrapped(num_batch_splits=5), batch_size=24)
    assert_near(history, expected(parts([4, 9, 14, 19, 24])))


def test_more_splits_than_examples():
    history = fit(wrapped(num_batch_splits=5), batch_size=23)
    # The last batch has one example, which is four of the parts' too.
    assert_near(history, expected(parts([4, 9, 13, 18, 23, 24])))


@pytest.mark.parametrize("sync", [False, True])
def test_replicas(sync):
    with engine.two_devices():
        history = fit(
            wrapped(sync_perturbations=sync),
            batch_size=8,
            optimizer=lambda: keras.optimizers.SGD(0.0),
        )
    bounds = [8, 16, 24] if sync else [4, 8, 12, 16, 20, 24]
    assert_near(history, expected(parts(bounds)))


@testing.TENSORFLOW  # On JAX devices share a batch evenly.
def test_uneven_replicas_count_by_their_size():
    with engine.two_devices():
        history = fit(
            wrapped(),
            batch_size=9,
            optimizer=lambda: keras.optimizers.SGD(0.0),
        )
    # Keras gives the replicas 5 and 4, 5 and 4, 3 and 3.
    assert_near(history, expected(parts([5, 9, 14, 18, 21, 24])))


@pytest.mark.parametrize("mode", testing.MODES)
def test_every_second_step(mode):
    history = fit(wrapped(track=2), batch_size=8, **testing.MODES[mode])
    assert_near(history, expected(parts([8, 16, 24])[::2]))


def test_every_second_step_of_replicas():
    with engine.two_devices():
        history = fit(
            wrapped(track=2),
            batch_size=8,
            optimizer=lambda: keras.optimizers.SGD(0.0),
        )
    halves = parts([4, 8, 12, 16, 20, 24])
    assert_near(history, expected([*halves[:2], *halves[4:]]))


def test_steps_that_do_not_climb_are_not_measured():
    wrap = wrapped(cadence=cadences.Every(2), track=4)
    history = fit(wrap, batch_size=4)
    assert_near(history, expected(parts([4, 8, 12, 16, 20, 24])[::4]))


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_steps_that_do_not_climb_count_for_nothing(mode):
    wrap = wrapped(cadence=cadences.Every(2))
    history = fit(wrap, batch_size=8, **testing.MODES[mode])
    climbed = parts([8, 16, 24])[::2]
    assert_near(history, expected(climbed))


def test_synced_steps_that_do_not_climb_count_for_nothing():
    with engine.two_devices():
        history = fit(
            wrapped(cadence=cadences.Every(2), sync_perturbations=True),
            batch_size=8,
            optimizer=lambda: keras.optimizers.SGD(0.0),
        )
    assert_near(history, expected(parts([8, 16, 24])[::2]))


@pytest.mark.parametrize("sync", [False, True])
def test_epochs_without_a_climb_are_not_numbers(sync):
    wrap = wrapped(
        cadence=cadences.Every(start=3, stop=6), sync_perturbations=sync
    )
    _, history = testing.train(
        testing.dense_net, wrap, fit={"epochs": 3, "batch_size": 8}
    )
    for values in tracked(history).values():
        np.testing.assert_array_equal(np.isfinite(values), [0, 1, 0])
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("make", "mode", "splits"),
    [
        (testing.dense_net, "eager", 3),
        (testing.full_net, "eager", None),
        (testing.full_net, "graph", None),
    ],
)
def test_training_is_the_same(make, mode, splits):
    settings = {"num_batch_splits": splits, "ascent_steps": 2}
    on, off = (
        testing.train(
            make,
            wrapped(**settings, track=track),
            lambda: keras.optimizers.SGD(0.1, momentum=0.9),
            **testing.MODES[mode],
        )
        for track in (True, False)
    )
    others = {k: v for k, v in on[1].items() if k not in measures.NAMES}
    # TensorFlow may order the sums of another graph differently.
    atol = 0.0 if mode == "eager" else 1e-6
    testing.assert_same((on[0], others), off, atol)
    assert set(on[1]) == {*off[1], *measures.NAMES}
    assert len(on[0].variables) == len(off[0].variables)
    assert len(on[0].metrics_variables) == len(off[0].metrics_variables) + 1


def test_evaluation_does_not_have_them():
    x, y = testing.data()
    model, history = testing.train(
        testing.dense_net, wrapped(), fit={"validation_data": (x, y)}
    )
    names = {name for name in history if name.startswith("val_")}
    assert names == {"val_loss", "val_accuracy"}
    assert set(model.evaluate(x, y, verbose=0, return_dict=True)) == {
        "loss",
        "accuracy",
    }
    assert len(model.evaluate(x, y, verbose=0)) == 2
    assert set(model.train_on_batch(x, y, return_dict=True)) == {
        "loss",
        "accuracy",
        *measures.NAMES,
    }


def test_an_overflow_counts_for_nothing():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        history = fit(
            wrapped(),
            optimizer=lambda: keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(0.0), initial_scale=2.0**30
            ),
            batch_size=8,
        )
        few = fit(
            wrapped(),
            optimizer=lambda: keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(0.0), initial_scale=2.0**10
            ),
            batch_size=8,
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isnan(v).all() for v in tracked(history).values())
    # Unscaled, but in half precision.
    assert_near(few, expected(parts([8, 16, 24])), rtol=2e-2)


def test_a_zero_gradient_has_cosine_zero():
    def make():
        net = testing.dense_net()
        return keras.Model(net.inputs, 0 * net.outputs[0])

    history = fit(wrapped(), make=make)
    assert history["gradient_norm"] == [0.0]
    assert history["gradient_cosine"] == [0.0]
    assert history["sharpness"] == pytest.approx([0.0], abs=1e-6)


def test_float64():
    with testing.float64():
        history = fit(wrapped())
        wanted = expected(parts([7, 14, 21, 24]))
    assert_near(history, wanted, rtol=1e-12)


def test_a_descent_that_asks_for_no_point():
    history = fit(wrapped(descent=lambda clean, path: clean.grads))
    assert all(np.isnan(v).all() for v in tracked(history).values())


def test_several_steps_an_execution():
    history = fit(wrapped(), batch_size=8, steps_per_execution=3)
    assert_near(history, expected(parts([8, 16, 24])))
    with engine.two_devices():
        history = fit(
            wrapped(),
            batch_size=8,
            steps_per_execution=2,
            optimizer=lambda: keras.optimizers.SGD(0.0),
        )
    assert_near(history, expected(parts([4, 8, 12, 16, 20, 24])))


def test_names_that_are_taken():
    with pytest.raises(ValueError, match=r"must not be called \['sharpness'\]"):
        fit(
            wrapped(),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="sharpness")],
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ascent_steps": 0}, "`ascent_steps` must be at least 1"),
        ({"descent_samples": samples.Drawn(0.5)}, "`descent_samples`"),
        ({"track": 0}, "`track` must be at least 1"),
        ({"track": None}, "`track` must be a bool, or an integer"),
        ({"track": 0.5}, "`track` must be a bool, or an integer"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        wrapped(**arguments)(testing.dense_net())


def test_it_is_saved():
    sam = wrapped()(testing.dense_net())
    assert keras_sam.SAM.from_config(sam.get_config()).track is True
    often = wrapped(track=10)(testing.dense_net())
    assert keras_sam.SAM.from_config(often.get_config()).track == 10
    config = sam.get_config()
    del config["track"]
    assert keras_sam.SAM.from_config(config).track is False


def test_zeros_for_a_tensor_of_nothing():
    assert ops.shape(measures.nothing()) == (6,)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
