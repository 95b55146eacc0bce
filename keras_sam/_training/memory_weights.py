"""The memory of a method, as weights of the model."""

from keras import ops
from keras import tree

from keras_sam import vectors
from keras_sam._algorithm import memory as memories
from keras_sam._backend import control_flow
from keras_sam._backend import values


class MemoryWeights:
    """Holds a `Memory` in non-trainable weights of a layer.

    Args:
        layer: Keras layer that gets the weights.
        method: `method.Method`.
        trained: List of all trained Keras variables.
        selection: `selection.Selection` of those that move.
    """

    def __init__(self, layer, method, trained, selection):
        def first(value):
            tensors = [value(variable) for variable in trained]
            return memories.first(method, tensors, selection.pick(tensors))

        def initializer(role, index):
            def initial(shape, dtype):
                # Keras calls this when the variables have their values.
                del shape
                memory = getattr(first(lambda v: values.read([v])[0]), role)
                return ops.cast(tree.flatten(memory)[index], dtype)

            return initial

        with control_flow.outside_graphs():
            self._structure = first(lambda v: ops.zeros(v.shape, v.dtype))
        self._paths = self._paths_of(trained, selection)
        self._weights = [
            layer.add_weight(
                shape=tensor.shape,
                dtype=tensor.dtype,
                initializer=initializer(role, index),
                trainable=False,
                autocast=False,
                name=f"memory_{role}_{index}",
            )
            for role, memory in self._structure._asdict().items()
            for index, tensor in enumerate(tree.flatten(memory))
        ]
        for weight in self._weights:
            # tf.train.Checkpoint looks for weights in attributes only.
            setattr(layer, f"_{weight.name}", weight)

    def read(self, trained, selection):
        """Returns the current `Memory`.

        Args:
            trained: List of all trained Keras variables.
            selection: `selection.Selection` of those that move.

        Raises:
            ValueError: If a part's memory was made for other variables.
        """
        paths = self._paths_of(trained, selection)
        if paths != self._paths:
            raise ValueError(
                "A part with a memory needs the variables that were trainable "
                "when the wrapper was built. Wrap the model again after "
                f"freezing layers. Expected: {self._paths}. "
                f"Received: {paths}"
            )
        weights = values.read(self._weights)
        return tree.pack_sequence_as(self._structure, weights)

    def write(self, memory, grads):
        """Assigns a new memory, unless it or a gradient is not finite.

        Args:
            memory: `Memory`, the same on all replicas.
            grads: List of tensors, the same on all replicas. If they are not
                finite, the optimizer skips the step.
        """
        if not self._weights:
            return
        new = tree.flatten(memory)
        finite = vectors.all_finite([*new, *grads])
        for weight, value in zip(self._weights, new, strict=True):
            weight.assign(ops.where(finite, value, weight.value))

    def _paths_of(self, trained, selection):
        """Returns the paths of the variables that each memory is made for.

        A memory of scalars is made for no variables.
        """
        shaped_after = {
            "start": selection.pick(trained),
            "direction": selection.pick(trained),
            "descent": trained,
            "cadence": trained,
        }
        return {
            role: [variable.path for variable in variables]
            for role, variables in shaped_after.items()
            if any(
                len(tensor.shape)
                for tensor in tree.flatten(getattr(self._structure, role))
            )
        }
