"""Trains and measures on one backend, and writes the numbers into a file.

    KERAS_BACKEND=jax python -m tests.both_backends.program \
        recipes float64 found.npz
"""

import dataclasses
import sys

import keras
import numpy as np

from tests.both_backends import landscapes
from tests.both_backends import trainings
from tests.support import handed_draws
from tests.training import other_backend_program

# {name: function that yields (name, result)}.
GROUPS = {
    "recipes": trainings.of_recipes,
    "variants": trainings.of_variants,
    "landscapes": landscapes.results,
}


def arrays(name, value):
    """Yields (name, array) of all that is in a nested value."""
    if value is None:
        return
    if dataclasses.is_dataclass(value):
        value = {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
        }
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, part in value.items():
            yield from arrays(f"{name}: {key}", part)
    elif isinstance(value, str):
        yield name, np.array(value)
    else:
        yield name, keras.ops.convert_to_numpy(value)


def measured(group):
    """Returns {name: array} of a group."""
    return {
        key: array
        for name, result in GROUPS[group]()
        for key, array in arrays(name, result)
    }


if __name__ == "__main__":
    group, precision, path = sys.argv[1:]
    in_precision = other_backend_program.PRECISIONS[precision]
    with handed_draws.handed_over(), in_precision():
        found = measured(group)
    np.savez(path, backend=keras.backend.backend(), **found)
