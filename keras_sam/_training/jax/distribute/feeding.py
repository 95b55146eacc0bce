"""What Keras's loops feed to several devices, and to several processes."""

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import jax
import keras
import numpy as np
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend.jax import batches
from keras_sam._backend.jax import replicas
from keras_sam._training import agreement
from keras_sam._training import fingerprint


def axes(variable: keras.Variable) -> list[str]:
    """Returns the axes of the mesh that a variable is sharded along."""
    layout = _keras_internals.layout(variable)
    if layout is None:
        return []
    spec = getattr(layout, "backend_layout", layout).spec
    return [axis for axis in tree.flatten(tuple(spec)) if axis is not None]


def check_fit(arguments: Mapping[str, Any]) -> None:
    """Checks that the devices can share the batches of arrays evenly.

    Args:
        arguments: Dict of the arguments that `fit` was given, by name.

    Raises:
        ValueError: If the batches of arrays cannot be shared.
    """
    size = arguments.get("batch_size") or 32
    examples = size_of(arguments.get("x"))
    share = arguments.get("validation_split") or 0.0
    held = arguments.get("validation_data")
    later = None
    if held is not None:
        later = size_of(keras.utils.unpack_x_y_sample_weight(held)[0])
    elif examples is not None and share:
        first = int(examples * (1.0 - share))  # As Keras divides them.
        later, examples = examples - first, first
    check_arrays(examples, size, arguments.get("steps_per_epoch"))
    if jax.process_count() == 1:
        return  # `evaluate` takes any batch.
    check_arrays(
        later,
        arguments.get("validation_batch_size") or size,
        arguments.get("validation_steps"),
        "validation_batch_size",
    )


def check_data(arguments: Mapping[str, Any]) -> None:
    """Checks the data of `evaluate` in several processes, see `check_fit`."""
    if jax.process_count() == 1:
        return
    size = arguments.get("batch_size") or 32
    check_arrays(size_of(arguments.get("x")), size, arguments.get("steps"))


def check_arrays(
    examples: int | None,
    size: int,
    steps: int | None = None,
    name: str = "batch_size",
) -> None:
    """Checks that the devices can share the batches of arrays evenly.

    Args:
        examples: Int, the number of examples here, None if the data are no
            arrays.
        size: Int, the size of a batch.
        steps: Int, the number of batches that are used, or None for all.
        name: String, the argument that sets the size.

    Raises:
        ValueError: If the batches cannot be shared.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or examples is None:
        return
    number = parts_here(distribution)
    full, last = divmod(examples, size)
    if full and size % number:
        raise _error(number, f"`{name}`={size}", name)
    if last % number and not (steps and steps <= full):
        raise _error(
            number,
            f"a last batch of {last} from {examples} examples with "
            f"`{name}`={size}",
            name,
        )


def check_batch(data: Any, what: str = "a batch") -> None:
    """Checks that the devices can share a batch evenly.

    Args:
        data: A batch as `fit` takes it.
        what: String, what the batch is.

    Raises:
        ValueError: If they cannot.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return
    check_dense(data)
    size = size_of(data)
    if size is not None and size % parts_here(distribution):
        raise _error(parts_here(distribution), f"{what} of {size} examples")


def check_dense(data: Any) -> None:
    """Checks that a batch for several devices has no sparse tensors.

    Raises:
        ValueError: If it has some: Keras cannot divide them.
    """
    kinds = [
        type(tensor).__name__
        for tensor in tree.flatten(data)
        if hasattr(tensor, "tocoo") or not batches.is_dense(tensor)
    ]
    if kinds:
        raise ValueError(
            "Several devices need dense tensors on the JAX backend. Make "
            "sparse inputs dense, or train without a `keras.distribution`. "
            f"Received: {kinds}"
        )


def watch(iterator: Any, training: bool) -> None:
    """Checks each batch of Keras's iterator over an epoch as it comes.

    A batch to evaluate that devices cannot share lies whole on each of them.
    Several processes cannot do that: each of them has a part of the batch.

    Args:
        iterator: Keras's iterator over an epoch.
        training: Bool, whether the model is trained on the batches.
    """
    if keras.distribution.distribution() is None:
        return
    if not training and jax.process_count() == 1:
        _keras_internals.place_by(iterator, _placed)
    elif not isinstance(iterator.data_adapter, _Checked):
        iterator.data_adapter = _Checked(iterator.data_adapter)
        iterator.reset()  # It may hold an iterator over unchecked batches.


def agree(model: keras.Model, iterator: Any) -> None:
    """Checks that all processes run the same model, in equally many steps.

    A process that takes more steps would wait for the others for ever.

    Args:
        model: The wrapper.
        iterator: Keras's iterator over an epoch.

    Raises:
        ValueError: On all processes, if they differ.
    """
    agreement.agree(
        keras.distribution.distribution(),
        lambda: {
            **fingerprint.of_training(model, iterator.steps_per_epoch),
            **numbers(iterator.data_adapter, iterator.steps_per_epoch),
        },
    )


def numbers(adapter: Any, steps: int | None) -> dict[str, int | None]:
    """Returns what processes must have in common of their data.

    Args:
        adapter: Keras's adapter of the data. A number that it does not know is
            None.
        steps: Int, the number of batches that are used, or None for all.
    """
    last = None
    with contextlib.suppress(NotImplementedError):
        last = None if steps else adapter.partial_batch_size
    return {
        "batches of an epoch": adapter.num_batches,
        "examples of the last batch": last,
    }


def _placed(data: Any) -> Any:
    """Returns a batch on all devices, see `watch`."""
    check_dense(data)
    return replicas.distributed(data)


class _Checked:
    """A data adapter whose batches are checked as they come."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def get_jax_iterator(self) -> Iterator[Any]:
        """Yields batches of NumPy arrays."""
        for index, data in enumerate(self._adapter.get_jax_iterator()):
            check_batch(data, f"batch {index}")
            yield data


def parts_here(distribution: Any) -> int:
    """Returns the parts that this process makes of the batches it is given."""
    if replicas.parts(distribution) == 1:
        return 1
    mesh = distribution.device_mesh.backend_mesh
    axis = mesh.axis_names.index(distribution.batch_dim_name)
    # Devices along other axes of the mesh have the same part.
    places = {
        place[axis]
        for place, device in np.ndenumerate(mesh.devices)
        if device.process_index == jax.process_index()
    }
    return len(places)


def size_of(data: Any) -> int | None:
    """Returns the number of examples of arrays, or None for other data."""
    if isinstance(data, keras.utils.PyDataset):
        return None
    arrays = [a for a in tree.flatten(data) if a is not None]
    shape = getattr(arrays[0], "shape", None) if arrays else None
    return shape[0] if shape else None


def _error(number: int, received: str, name: str = "batch_size") -> ValueError:
    return ValueError(
        f"{number} devices share each batch evenly, so the size of a batch "
        f"must be a multiple of {number}. Choose another `{name}`, leave out "
        "the last examples (`drop_remainder=True` of a `tf.data.Dataset`), or "
        "set a `keras.distribution` of fewer devices. Received: "
        f"{received}"
    )
