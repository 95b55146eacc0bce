"""What Keras's loops feed to several devices."""

from collections.abc import Mapping
from typing import Any

import keras


def check_fit(arguments: Mapping[str, Any]) -> None:
    """Checks that the devices can share the batches of `fit` evenly.

    Args:
        arguments: Dict of the arguments that `fit` was given, by name.

    Raises:
        ValueError: If the batches of arrays cannot be shared.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return
    parts = of_batch(distribution)
    x = arguments.get("x")
    first = next((a for a in keras.tree.flatten(x) if a is not None), None)
    if not hasattr(first, "shape") or not len(first.shape) or parts == 1:
        return
    size = arguments.get("batch_size") or 32
    size = min(size, first.shape[0])
    last = first.shape[0] % size
    for number, what in ((size, "batches"), (last, "a last batch")):
        if number % parts:
            raise ValueError(
                f"{parts} devices share each batch evenly, so its size must be "
                f"a multiple of {parts}. Choose another `batch_size`, or leave "
                f"out the last examples. Received {what} of {number}, from "
                f"{first.shape[0]} examples with batch_size={size}"
            )


def of_batch(distribution: Any) -> int:
    """Returns the number of parts that a distribution makes of a batch."""
    mesh = distribution.device_mesh
    if distribution.batch_dim_name not in mesh.axis_names:
        return 1
    axis = mesh.axis_names.index(distribution.batch_dim_name)
    return mesh.shape[axis]
