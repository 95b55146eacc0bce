"""What a file of weights says about the memory of a method."""

import json

import numpy as np

_SHOWN = 4  # Paths in a message.


def described(part, tensors, owners, weights):
    """Returns a description of a memory, for JSON.

    Args:
        part: The part that remembers.
        tensors: List of Keras variables, the memory.
        owners: List of the Keras variables that the memory is for.
        weights: List of all weights of the wrapper but the memory. An owner is
            known by its place among them. Its path does not do: a path changes
            when a model is wrapped, and the numbers in it depend on what else
            the process has made.
    """
    places = {id(weight): place for place, weight in enumerate(weights)}
    return {
        "part": type(part).__name__,
        "shapes": [list(tensor.shape) for tensor in tensors],
        "paths": [owner.path for owner in owners],
        "places": [
            [places.get(id(owner)), owner.name, list(owner.shape)]
            for owner in owners
        ],
    }


def owners(there, here, weights):
    """Returns the variables that a memory in a file is for.

    They are None if the memory is of another part, or the variables are
    missing.

    Args:
        there: Description in a file.
        here: Description of the memory that the model has.
        weights: As for `described`.
    """
    known = {
        (place, weight.name, *weight.shape): weight
        for place, weight in enumerate(weights)
    }
    keys = [(place, name, *shape) for place, name, shape in there["places"]]
    if there["part"] != here["part"] or not all(key in known for key in keys):
        return None
    return [known[key] for key in keys]


def differing(there, here):
    """Says how two descriptions differ; None if the memories are alike."""
    if there["part"] != here["part"]:
        return f"the file has it of {there['part']}, not of {here['part']}"
    scalars = there["shapes"] == here["shapes"] and not any(there["shapes"])
    if not scalars and there["places"] != here["places"]:
        return differing_paths(there["paths"], here["paths"])
    if there["shapes"] != here["shapes"]:
        return f"it has the shapes {there['shapes']}, not {here['shapes']}"
    return None


def differing_paths(then, now):
    """Says which paths are in one of two lists only."""
    lost = [path for path in then if path not in now]
    new = [path for path in now if path not in then]
    return (
        f"it is for {len(then)} variables ({_shown(lost)} not trained now), "
        f"and {len(now)} are trained now ({_shown(new)} not in it)"
    )


def packed(descriptions):
    """Returns descriptions as an array, which a file of weights can hold."""
    return np.frombuffer(json.dumps(descriptions).encode(), "uint8")


def unpacked(array):
    """Returns the descriptions in an array that `packed` has returned."""
    return json.loads(np.asarray(array, "uint8").tobytes())


def _shown(paths):
    if not paths:
        return "none"
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" * (more > 0))
