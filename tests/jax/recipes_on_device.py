"""Every recipe on the device at hand, against the oracle's numbers.

    python -m tests.jax.recipes_on_device --write=expected.npz
    python -m tests.jax.recipes_on_device --check=expected.npz

The first command computes the weights after each step in NumPy, in float64. The
second trains on JAX's device by `fit`, in float64 too, and prints a JSON for
each recipe. Random numbers that a part draws are those of the machine of the
first command, so the second also checks that its device draws the same.
"""

import functools
import json
import os

os.environ["KERAS_BACKEND"] = "jax"

from tests.support import engine  # noqa: E402, F401, isort: skip

import numpy as np  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from keras_sam import recipes  # noqa: E402
from tests.contracts import methods_test as cases  # noqa: E402
from tests.support import testing  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("write", "", "Where the oracle's numbers go.")
flags.DEFINE_string("check", "", "Where they are.")
flags.DEFINE_multi_enum(
    "recipe", list(recipes.RECIPES), list(recipes.RECIPES), "Which to take."
)
MODE = "xla"
# Numbers drawn on two devices may differ in the last digit.
ATOL = 1e-10


def expected(name):
    """Returns the weights after all steps: array of (step, weight)."""
    _, method = cases.CASES[name]
    if name in cases.RANDOM:
        method = functools.partial(method, MODE)
    return flat(method(cases.weights(), cases.batches(), cases.RATE))


def difference(name, points):
    """Returns the largest difference of the library from some weights."""
    arguments, _ = cases.CASES[name]
    found = flat(cases.library(MODE, train=fit, **arguments))
    return float(np.max(np.abs(found - points)))


def fit(sam, x, y):
    sam.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)


def flat(points):
    """Returns lists of arrays as the rows of an array."""
    return np.stack(
        [np.concatenate([np.ravel(a) for a in point]) for point in points]
    )


def main(argv):
    if len(argv) > 1 or bool(FLAGS.write) == bool(FLAGS.check):
        raise app.UsageError("One of --write and --check must be given.")
    with testing.float64():
        if FLAGS.write:
            np.savez(
                FLAGS.write, **{name: expected(name) for name in FLAGS.recipe}
            )
            return
        known = np.load(FLAGS.check)
        for name in FLAGS.recipe:
            said = {
                "recipe": name,
                "difference": difference(name, known[name]),
                "tolerance": cases.TOLERANCES.get(name, ATOL),
            }
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    app.run(main)
