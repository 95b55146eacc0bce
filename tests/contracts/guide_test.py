"""The code of the guides runs as it is, and does what the pages say."""

import ast
import inspect
import re
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import _types
from keras_sam import parts
from keras_sam import recipes
from tests.support import pages
from tests.support import testing

GUIDE = "docs/guides/your_own_rule.md"
METHODS = pages.text("docs/methods.md")
NO_MEMORY = parts.Direction.init  # The default of all roles.
CLASSES = [
    node
    for block in pages.blocks(GUIDE)
    for node in ast.parse(block.code).body
    if isinstance(node, ast.ClassDef)
]


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """Returns the names that the blocks define, and what came from files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("guide"))
        names = pages.run(GUIDE)
        names["first"] = keras.models.load_model("first.keras")
        names["second"] = keras.models.load_model("second.keras")
    return names


@pytest.mark.parametrize("part", CLASSES, ids=lambda part: part.name)
def test_a_part_is_short(part):
    assert part.end_lineno - part.decorator_list[0].lineno + 1 < 15


def test_parts_come_back(guide):
    assert guide["first"].direction == guide["Centralized"]()
    assert guide["first"].descent == guide["Gated"](floor=0.1)
    assert guide["second"].direction == guide["Light"]()
    assert guide["second"].descent == guide["Chord"]()
    assert int(guide["resumed"].optimizer.iterations) == 4
    (sum_of_file,), (sum_after,) = (
        [v for v in sam.variables if v.path.endswith("memory/direction_0")]
        for sam in (guide["second"], guide["resumed"])
    )
    assert 1e-6 < float(sum_of_file) < float(sum_after)


def vectors():
    """Returns two gradients, each as (arrays, tensors)."""
    random = np.random.RandomState(0)
    both = [[random.normal(size=s) for s in ((3, 2), (4,))] for _ in range(2)]
    return [(g, [ops.convert_to_tensor(a) for a in g]) for g in both]


def test_centralized(guide):
    (arrays, tensors), _ = vectors()
    kernel, bias = guide["Centralized"]()(tensors, tensors)
    expected = [arrays[0] - arrays[0].mean(axis=0), arrays[1]]
    length = np.sqrt(sum(np.sum(a**2) for a in expected))
    np.testing.assert_allclose(kernel, expected[0] / length, rtol=1e-12)
    np.testing.assert_allclose(bias, expected[1] / length, rtol=1e-12)


def test_gated(guide):
    (_, a), (_, b) = vectors()
    clean, last = (_types.Point(g, 0.0, g, None, [], []) for g in (a, b))
    opposite = last._replace(grads=[-g for g in a])
    gated = guide["Gated"]
    for d, g in zip(gated()(clean, [last, clean]), a, strict=True):
        np.testing.assert_allclose(d, g, rtol=1e-12)
    for d, g in zip(gated(0.25)(clean, [opposite]), a, strict=True):
        np.testing.assert_allclose(d, 0.5 * g, rtol=1e-12)


def test_fading(guide):
    (a, g), (b, h) = vectors()
    points = [_types.Point(t, 0.0, t, None, [], []) for t in (g, h, g)]
    found = guide["Fading"]()(points[0], points[1:])
    for d, x, y in zip(found, a, b, strict=True):
        np.testing.assert_allclose(d, x + 0.5 * y + 0.25 * x, rtol=1e-12)


def test_light(guide):
    (arrays, tensors), _ = vectors()
    light, square = guide["Light"](), sum(np.sum(a**2) for a in arrays)
    step, memory = light(tensors, tensors, light.init(tensors))
    for s, g in zip(step, arrays, strict=True):
        np.testing.assert_allclose(s, g / np.sqrt(square), rtol=1e-6)
    step, _ = light(tensors, tensors, memory)
    for s, g in zip(step, arrays, strict=True):
        np.testing.assert_allclose(s, g / np.sqrt(2 * square), rtol=1e-6)


def test_chord(guide):
    """Along the chord the mean gradient is the difference of the losses."""
    seen = {}

    class Watched(guide["Chord"]):
        def __call__(self, clean, path, *, context):
            def watched():
                for point in path:
                    seen["last"] = point
                    yield point

            seen["d"] = super().__call__(clean, watched(), context=context)
            seen["clean"] = clean
            return seen["d"]

    keras.utils.set_random_seed(0)
    with testing.float64():
        sam = keras_sam.SAM(testing.dense_net(), rho=0.1, descent=Watched())
        sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
        sam.train_on_batch(*testing.data())
    clean, last = seen["clean"], seen["last"]
    gain = sum(
        float(ops.sum(d * (z - w)))
        for d, z, w in zip(seen["d"], last.params, clean.params, strict=True)
    )
    # Simpson's rule errs by the fifth power of the length.
    assert gain == pytest.approx(float(last.loss - clean.loss), abs=1e-7)


def test_names_exist():
    """All names of the library in the pages exist."""
    for module, name in re.findall(
        r"`(directions|descents|cadences|starts|samples|radii|schedules)\.([A-Z]\w+)",
        "".join(map(pages.text, pages.names())),
    ):
        assert hasattr(getattr(keras_sam, module), name), (module, name)


def test_every_part_with_a_memory_is_in_the_table():
    remembering = {
        type(value).__name__
        for recipe in recipes.RECIPES.values()
        for value in recipe.arguments.values()
        if getattr(type(value), "init", NO_MEMORY) is not NO_MEMORY
    }
    assert remembering
    _, table = METHODS.split("## What each part remembers")
    for name in remembering:
        assert name in table, name


def test_landscapes():
    names = pages.run("docs/landscape.md")
    assert len(names["figure"].axes) == 2
    assert names["worst"].value >= names["worst"].one_step > 0
    table, _, _ = pages.text("docs/landscape.md").partition("\n- ")
    listed = set(re.findall(r"`(\w+)`", table))
    public = {
        name
        for name, value in vars(keras_sam.landscape).items()
        if getattr(value, "__module__", "").startswith("keras_sam.")
        and inspect.isfunction(value)
        and not name.startswith("_")
    }
    # Helpers to make directions of one's own.
    assert public - {"filter_normalized", "weights"} <= listed


def test_late_phase():
    """The block has an assertion of its own."""
    names = pages.run("docs/late_phase.md")
    late, rate = names["late"], names["rate"]
    assert late.start == rate.decay_start == 70
    assert int(names["sam"].optimizer.iterations) == names["steps"] == 100
    assert float(rate(70)) > float(rate(71))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
