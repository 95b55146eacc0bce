"""A training of each recipe, and the values of all variables in it."""

import keras
import numpy as np

import keras_sam
from keras_sam import recipes
from tests.both_backends import models
from tests.contracts import methods_test

STEPS = 3


def _arguments(name):
    """Returns the arguments of the wrapper.

    They are those that `methods_test.py` compares with the oracle, whose
    periods are short. But the variables that move are chosen as in the recipe:
    here there is a normalization layer.
    """
    arguments, _ = methods_test.CASES[name]
    if "perturb" in arguments and name in recipes.RECIPES:
        chosen = recipes.RECIPES[name].arguments["perturb"]
        return {**arguments, "perturb": chosen}
    return arguments


def _trained(rho=methods_test.RHO, optimizer=models.optimizer, **arguments):
    """Returns {name: value} of all that a training changes, by step."""
    rho = rho() if callable(rho) else rho
    sam = models.compiled(
        keras_sam.SAM(models.network(), rho, **arguments), optimizer
    )
    found = {}
    for step in range(STEPS):
        logs = sam.train_on_batch(*models.batch(step), return_dict=True)
        variables = [*sam.variables, *sam.optimizer.variables]
        found[f"step {step}"] = {
            **logs,
            **{f"{i} {v.name}": v.numpy() for i, v in enumerate(variables)},
        }
    return found


def _evaluated():
    """Returns what a wrapper says of other data, without a training."""
    sam = models.compiled(keras_sam.SAM(models.network()))
    x, y = models.batch(0)
    weights = np.linspace(0.5, 2.0, len(y))
    return {
        "predict": sam.predict(x, batch_size=5, verbose=0),
        "evaluate": sam.evaluate(
            x, y, batch_size=5, sample_weight=weights, verbose=0
        ),
    }


RECIPES = tuple(recipes.RECIPES)
VARIANTS = tuple(name for name in methods_test.CASES if name not in RECIPES)


def of_recipes():
    """Yields (name, what came out) of each recipe, and of an evaluation."""
    yield from _of(RECIPES)
    yield "evaluation", _evaluated()


def of_variants():
    """Yields (name, what came out) of each recipe with other arguments."""
    yield from _of(VARIANTS)


def _of(names):
    for name in names:
        yield name, _trained(**_arguments(name))
        keras.backend.clear_session()
