"""The memory of the parts of a method, as weights of the model."""

import functools

from keras import ops
from keras import tree

from keras_sam import parts
from keras_sam import vectors
from keras_sam._backend import control_flow
from keras_sam._backend import values


class Memory:
    """Holds the memory of some parts in non-trainable weights of a layer.

    Args:
        layer: Keras layer that gets the weights.
        owners: List of (part, list of the Keras variables that it works on).
    """

    def __init__(self, layer, owners):
        with control_flow.outside_graphs():
            self._structure = [
                parts.init(
                    part, [ops.zeros(v.shape, v.dtype) for v in variables]
                )
                for part, variables in owners
            ]
        # Whose memory is shaped like the variables.
        self._shaped = [
            any(len(tensor.shape) for tensor in tree.flatten(memory))
            for memory in self._structure
        ]
        self._paths = self._paths_of(owners)
        self._weights = [
            layer.add_weight(
                shape=tensor.shape,
                dtype=tensor.dtype,
                initializer=functools.partial(_initial, owners, index),
                trainable=False,
                autocast=False,
                name=f"memory_{index}",
            )
            for index, tensor in enumerate(tree.flatten(self._structure))
        ]
        for weight in self._weights:
            # The only place where tf.train.Checkpoint looks for weights.
            setattr(layer, f"_{weight.name}", weight)

    def read(self, owners):
        """Returns the memory of each part, in a list.

        Raises:
            ValueError: If the variables are not those of the constructor.
        """
        paths = self._paths_of(owners)
        if paths != self._paths:
            raise ValueError(
                "A part with a memory needs the variables that were trainable "
                "when the wrapper was built. Wrap the model again after "
                f"freezing layers. Expected: {self._paths}. "
                f"Received: {paths}"
            )
        weights = values.read(self._weights)
        return tree.pack_sequence_as(self._structure, weights)

    def _paths_of(self, owners):
        return {
            type(part).__name__: [v.path for v in variables]
            for (part, variables), shaped in zip(
                owners, self._shaped, strict=True
            )
            if shaped
        }

    def write(self, memory, grads):
        """Assigns a new memory, or nothing after an overflow.

        Args:
            memory: List of the memory of each part, like `grads` the same on
                all replicas.
            grads: List of tensors. If they are not finite, the optimizer
                skips the step.
        """
        if not self._weights:
            return
        new = tree.flatten(memory)
        finite = vectors.all_finite([*new, *grads])
        for weight, value in zip(self._weights, new, strict=True):
            weight.assign(ops.where(finite, value, weight.value))


def _initial(owners, index, shape, dtype):
    # When Keras asks for it, the variables have their values.
    del shape
    memory = [
        parts.init(part, values.read(variables)) for part, variables in owners
    ]
    return ops.cast(tree.flatten(memory)[index], dtype)
