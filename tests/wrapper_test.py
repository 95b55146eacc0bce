"""What the wrapper says of itself, and what its files say."""

import contextlib
import dataclasses
import inspect
import json
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import samples
from keras_sam import starts
from tests.support import engine
from tests.support import testing

ARGUMENTS = [
    name
    for name in inspect.signature(keras_sam.SAM.__init__).parameters
    if name not in ("self", "model", "name")
]


def wrapped(**arguments):
    return keras_sam.SAM(testing.dense_net(), **arguments)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_can_be_read_and_not_set(name):
    sam = wrapped()
    default = inspect.signature(keras_sam.SAM.__init__).parameters[name].default
    assert getattr(sam, name) == default
    with pytest.raises(AttributeError, match=rf"\(sam.model, {name}=\.\.\.\)"):
        setattr(sam, name, object())
    assert getattr(sam, name) == default


def test_the_error_says_what_to_write():
    with pytest.raises(AttributeError) as error:
        wrapped().rho = 0.1
    text = str(error.value)
    for part in ("`rho` is fixed", "Wrap the model again", "Schedule", "0.1"):
        assert part in text


def test_an_argument_is_the_object_that_was_given():
    direction = directions.Friendly(0.5)
    assert wrapped(direction=direction).direction is direction


def test_defaults_of_a_method_are_those_of_the_wrapper():
    from keras_sam._algorithm.method import Method

    parameters = inspect.signature(keras_sam.SAM.__init__).parameters
    assert Method().arguments() == {
        name: parameters[name].default for name in ARGUMENTS
    }


def test_repr_is_the_call():
    sam = wrapped(rho=0.1, ascent_steps=3, descent=descents.Mean())
    assert repr(sam) == (
        f"SharpnessAwareMinimization({sam.model!r}, rho=0.1, ascent_steps=3, "
        "descent=Mean())"
    )


class Unequal:
    """A part whose `==` is element by element, as of an array."""

    def __eq__(self, other):
        return np.array([True, False])

    def __call__(self, clean):
        return True


def test_an_equality_that_is_no_bool_is_none():
    sam = wrapped(cadence=Unequal(), perturb=Unequal())
    assert "cadence=<" in repr(sam) and "perturb=<" in repr(sam)
    assert "says which train steps climb" in sam.describe()


# Before `compile`, with `xla="auto"` and with `xla=True`. On JAX, XLA compiles
# the whole train step.
AUTO, TRUE = (
    ("it compiles the whole train step", "it compiles the whole train step")
    if engine.JAX
    else (
        "it does not compile the evaluations of gradients",
        "it compiles the evaluations",
    )
)
DESCRIPTIONS = {
    "sam": (
        {"rho": 0.1, "ascent_steps": 3},
        [
            "3 steps (n) of length rho / n",
            "rho = 0.1",
            "along Normalized()",
            "every train step climbs",
            "the optimizer gets Last()",
            "4 gradients a train step.",
            "83 of 83 trained weights move (4 of 4 variables)",
            AUTO,
        ],
    ),
    "plain": (
        {"ascent_steps": 0},
        ["(`ascent_steps=0`), which is plain training", "1 gradient a train"],
    ),
    "a start alone": (
        {"ascent_steps": 0, "start": starts.Momentum()},
        [
            "none (`ascent_steps=0`): the start alone perturbs.",
            "1 gradient a train step.",
        ],
    ),
    "some": (
        {
            "perturb": "logits",
            "cadence": cadences.Every(2),
            "start": starts.Momentum(),
            "num_batch_splits": 2,
        },
        [
            "Every(k=2, start=0, stop=None) says which train steps climb",
            "2 gradients a train step that climbs, 1 in the others",
            "w + rho * Momentum(decay=0.9)",
            "27 of 83 trained weights move (2 of 4 variables)",
            "2 parts of a batch climb on their own",
        ],
    ),
    "samples": (
        {
            "ascent_steps": 3,
            "ascent_samples": samples.Largest(0.5),
            "descent_samples": samples.Largest(0.5),
        },
        ["the ascent is on Largest", "5 gradients a train step, some on part"],
    ),
    "samples of the ascent": (
        {"ascent_steps": 3, "ascent_samples": samples.Largest(0.5)},
        ["7 gradients a train step, some on part of the batch."],
    ),
    "synced": (
        {"sync_perturbations": True, "xla": True, "radius": "projected"},
        ["kept within rho", "climb together", TRUE],
    ),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_description(case):
    arguments, parts = DESCRIPTIONS[case]
    text = wrapped(**arguments).describe()
    for part in parts:
        assert part in text, f"{part!r} is not in:\n{text}"


@pytest.mark.parametrize(
    ("strategy", "compiled"),
    [
        (contextlib.nullcontext, "compiles the whole train step"),
        # A step of several replicas cannot be compiled as a whole.
        pytest.param(
            lambda: testing.two_replicas().scope(),
            "it compiles the evaluations of gradients",
            marks=testing.TENSORFLOW,
        ),
    ],
)
def test_description_of_xla(strategy, compiled):
    with strategy():
        sam = wrapped()
        sam.compile("sgd", "mse", jit_compile=True)
    assert compiled in sam.describe()


def test_description_of_what_is_not_built():
    net = keras.Sequential([keras.layers.Dense(3)])
    assert "not built yet" in keras_sam.SAM(net).describe()


def test_what_moves_is_known_once_the_model_is_built():
    sam = keras_sam.SAM(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ValueError, match="is built: call it on a batch first"):
        _ = sam.perturbed_variables
    sam(testing.data()[0])
    assert [v.name for v in sam.perturbed_variables] == ["kernel", "bias"]


def test_a_config_without_what_keras_adds():
    config = wrapped(rho=0.2).get_config()
    del config["dtype"], config["trainable"]
    assert keras_sam.SAM.from_config(config).rho == 0.2


def config_of(path):
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("config.json"))


def edited(path, target, change):
    """Copies a `.keras` file with another config of the wrapper."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config["config"])
                content = json.dumps(config)
            new.writestr(name, content)
    return target


def test_a_file_names_classes_by_their_public_module(tmp_path):
    wrapped(direction=directions.Friendly()).save(tmp_path / "a.keras")
    config = config_of(tmp_path / "a.keras")
    name = "keras_sam.model>SharpnessAwareMinimization"
    assert config["registered_name"] == name
    direction = config["config"]["direction"]
    assert direction["registered_name"] == "keras_sam.directions>Friendly"
    assert config["config"]["keras_sam_version"] == keras_sam.__version__


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(tomorrow=1), r"no argument \['tomorrow'\]"),
        (
            lambda c: c["direction"].update(
                registered_name="keras_sam.directions>Tomorrow",
                class_name="Tomorrow",
            ),
            "`direction` cannot be loaded",
        ),
    ],
    ids=["argument", "part"],
)
def test_a_file_of_another_version_says_which(change, reason, tmp_path):
    wrapped().save(tmp_path / "a.keras")

    def from_tomorrow(config):
        config["keras_sam_version"] = "9.9"
        change(config)

    path = edited(tmp_path / "a.keras", tmp_path / "b.keras", from_tomorrow)
    with pytest.raises(ValueError, match=reason) as error:
        keras.saving.load_model(path)
    assert "keras_sam 9.9 wrote the file" in str(error.value)
    assert f"this is keras_sam {keras_sam.__version__}" in str(error.value)


def test_two_classes_of_one_name_are_an_error():
    from keras_sam import _registration

    @dataclasses.dataclass(frozen=True)
    class Normalized(keras_sam.Part):
        pass

    Normalized.__module__ = "keras_sam.directions._other"
    with pytest.raises(ValueError, match="keras_sam.directions>Normalized"):
        _registration.exported(Normalized)


# Views of the inner model.


def test_the_wrapper_shows_the_inner_model():
    sam = wrapped(direction=directions.Friendly())
    assert sam.layers == sam.model.layers
    assert sam.get_layer("hidden") is sam.model.get_layer("hidden")
    assert sam.get_layer(index=-1) is sam.model.layers[-1]
    assert sam.get_layer(sam.model.name) is sam.model
    with pytest.raises(ValueError, match="No such layer: other"):
        sam.get_layer("other")
    for name in ("inputs", "outputs", "input", "output"):
        assert getattr(sam, name) is getattr(sam.model, name)
    assert (sam.input_shape, sam.output_shape) == ((None, 6), (None, 3))
    lines = []
    sam.summary(print_fn=lines.append)
    assert all(name in "".join(lines) for name in ("hidden", "logits"))


def sequential():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])


@pytest.mark.parametrize("make", [testing.dense_net, sequential])
def test_a_wrapper_may_be_a_layer(make):
    """Plain Keras then trains it plainly."""
    x, y = testing.data()
    runs = []
    for wrap in (lambda model: model, keras_sam.SAM):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6,)), wrap(make())])
        model.compile("sgd", testing.cross_entropy())
        model.fit(x, y, verbose=0)
        runs.append(model.predict(x, verbose=0))
    np.testing.assert_array_equal(*runs)


def test_the_wrapper_shows_layers_of_a_subclass():
    class Distilled(keras_sam.SAM):
        def __init__(self, model, teacher):
            super().__init__(model)
            self.teacher = teacher

    teacher = testing.dense_net()
    sam = Distilled(testing.dense_net(), teacher)
    assert sam.layers == [*sam.model.layers, teacher]


@testing.TENSORFLOW  # Keras's TensorBoard needs it.
def test_tensorboard_shows_the_inner_layers(tmp_path):
    net = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Embedding(5, 2, name="words"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="logits"),
        ]
    )
    sam = keras_sam.SAM(net, direction=directions.Friendly())
    sam.compile("sgd", testing.cross_entropy())
    board = keras.callbacks.TensorBoard(
        tmp_path,
        histogram_freq=1,
        embeddings_freq=1,
        embeddings_metadata={"words": "words.tsv"},
    )
    x = np.zeros((8, 4), "int32")
    sam.fit(x, np.zeros(8), verbose=0, callbacks=[board])
    assert "words.tsv" in (tmp_path / "projector_config.pbtxt").read_text()
    tags = set()
    for file in sorted((tmp_path / "train").glob("events*")):
        iterator = engine.tf.compat.v1.train.summary_iterator
        for event in iterator(str(file)):
            tags |= {value.tag for value in event.summary.value}
    histograms = {tag for tag in tags if tag.endswith("/histogram")}
    assert histograms == {f"{w.path}/histogram" for w in net.weights}
    assert "keras" in tags


# Building.


@pytest.mark.parametrize(
    "shape", [(None, 6), {"a": (None, 6), "b": [None, 3]}, [(2, 6), (2, 3)]]
)
def test_a_wrapper_is_built_from_shapes(shape, recwarn):
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, inputs):
            flat = keras.tree.flatten(inputs)
            return self.dense(keras.ops.concatenate(flat, axis=-1))

    sam = keras_sam.SAM(Late(), direction=directions.Friendly())
    sam.build(shape)
    other = keras_sam.SAM(Late(), direction=directions.Friendly())
    other.build_from_config(json.loads(json.dumps(sam.get_build_config())))
    for wrapper in (sam, other):
        assert wrapper.built and wrapper.model.built
        shapes = [w.shape for w in wrapper.model.weights]
        assert shapes == [(6 if shape == (None, 6) else 9, 2), (2,)]
        assert len(wrapper.weights) == 5  # A count, and a mean each.
    assert not [w for w in recwarn if "build" in str(w.message)]


def test_shapes_that_do_not_build_a_model_are_an_error():
    sam = keras_sam.SAM(keras.Sequential([keras.layers.Conv2D(2, 3)]))
    with pytest.raises(ValueError, match=r"Call the wrapper on a batch"):
        sam.build((None, 6))


# Errors.


def test_the_wrapper_itself_must_be_compiled():
    net = testing.dense_net()
    net.compile("sgd", testing.cross_entropy())
    sam = keras_sam.SAM(net)
    for name in ("fit", "evaluate", "train_on_batch"):
        with pytest.raises(ValueError, match="before it was wrapped") as error:
            getattr(sam, name)(*testing.data())
        assert f"before `{name}`: call sam.compile(" in str(error.value)


def test_a_subclass_cannot_hide_an_argument():
    with pytest.raises(TypeError, match=r"`Mine.rho` must have another name"):

        class Mine(keras_sam.SAM):
            @property
            def rho(self):
                return 0.1


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
