"""The memory of a method, as weights of a layer."""

import dataclasses
import warnings
from typing import Any

import keras
from keras import ops
from keras import tree

from keras_sam import _keras_internals
from keras_sam import vectors
from keras_sam._algorithm import memory as memories
from keras_sam._backend import control_flow
from keras_sam._backend import values
from keras_sam._training import held
from keras_sam._training import memory_file

DESCRIPTION = "description"


@dataclasses.dataclass(frozen=True)
class _Role:
    """The memory of one role.

    Attributes:
        owners: List of the Keras variables that the memory is for.
        structure: What the part calls its memory, with a number in the place
            of each tensor.
        weights: List of Keras variables, the tensors of the memory.
    """

    owners: list
    structure: Any
    weights: list

    def is_for(self, owners):
        """Whether the memory is for some variables. Scalars are for any."""
        return _ids(owners) == _ids(self.owners) or (
            len(self.owners) > 0
            and all(len(weight.shape) == 0 for weight in self.weights)
        )


class MemoryWeights(held.Held):
    """Holds a `Memory` in non-trainable weights.

    It gets weights when all trained variables exist, and others when the
    trained variables change.

    Args:
        method: `method.Method`.
        all_weights: Function that returns all weights of the wrapper.
    """

    def __init__(self, method, all_weights):
        super().__init__("memory")
        self._method = method
        self._all_weights = all_weights
        self._roles = {}
        self._was_read = self._was_loaded = False

    def release(self):
        """Lets `make` replace a memory that train steps have read.

        No compiled train step may use it any more.
        """
        self._was_read = False

    def make(self, trained, selection):
        """Makes the memory of each role, unless it is for the same variables.

        A memory that train steps have read stays. `read` is then an error.

        Args:
            trained: List of all trained Keras variables.
            selection: `selection.Selection` of those that move.
        """
        if self._was_read:
            return
        now = _owners(trained, selection)
        old = [role for role in self._roles if self._is_old(role, now)]
        if self._was_loaded:
            _warn({role: self._differing(role, now) for role in old})
            self._was_loaded = False
        for role in now:
            if role in old or role not in self._roles:
                self._put(role, now[role])

    def read(self, trained, selection):
        """Returns the current `Memory`, for a train step.

        Args:
            trained: List of all trained Keras variables.
            selection: `selection.Selection` of those that move.

        Raises:
            ValueError: If a part's memory is for other variables.
        """
        now = _owners(trained, selection)
        for role in self._roles:
            if self._is_old(role, now):
                raise ValueError(
                    "Other variables are trained now than the memory of "
                    f"`{role}` is for. Call `compile` again after freezing "
                    "layers: the memory then starts anew, as the optimizer "
                    f"does. Received: {self._differing(role, now)}"
                )
        self._was_read = True
        return self.current()

    def current(self):
        """Returns the current `Memory`, or None if there is none yet."""
        if not self._roles:
            return None
        return memories.Memory(
            **{
                role: tree.pack_sequence_as(
                    kept.structure, values.read(kept.weights)
                )
                for role, kept in self._roles.items()
            }
        )

    def write(self, memory, grads):
        """Assigns a new memory, unless it or a gradient is not finite.

        Args:
            memory: `Memory`, the same on all replicas.
            grads: List of tensors, the same on all replicas. If they are not
                finite, the optimizer skips the step.
        """
        if not self.weights:
            return
        finite = vectors.all_finite([*tree.flatten(memory), *grads])
        for role, kept in self._roles.items():
            new = tree.flatten(getattr(memory, role))
            for weight, value in zip(kept.weights, new, strict=True):
                weight.assign(ops.where(finite, value, weight.value))

    def restart(self):
        """Gives the memory its first values, from the weights of now."""
        for role in self._roles:
            self._restart(role)

    def save_own_variables(self, store):
        """Saves the memory, and which variables it is for."""
        described = {
            role: self._described(role)
            for role, kept in self._roles.items()
            if kept.weights
        }
        store[DESCRIPTION] = memory_file.packed(described)
        for role, kept in self._roles.items():
            for index, weight in enumerate(kept.weights):
                store[f"{role}_{index}"] = weight

    def load_own_variables(self, store):
        """Loads the memory of each role, if the file has it for the same part.

        Where it is for other variables than are trained now, it comes back as
        it was, with a warning. It starts anew in a training of the variables
        of now. Where variables are missing, it starts anew at once.
        """
        there = memory_file.unpacked(store[DESCRIPTION])
        if there and not self._roles:  # Nothing is trained now.
            self._roles = {role: _NOTHING for role in memories.Memory._fields}
        differences = {}
        for role in list(self._roles):
            if role in there:
                differences[role] = self._load(role, there[role], store)
            else:
                self._restart(role)
        self._was_loaded = not any(differences.values())
        _warn(differences)

    def _load(self, role, there, store):
        """Loads the memory of a role; returns what differs, or None."""
        differing = memory_file.differing(there, self._described(role))
        if differing:
            owners = memory_file.owners(
                there, self._described(role), self._others()
            )
            if owners is not None:
                self._put(role, owners)
        weights = self._roles[role].weights
        if memory_file.differing(there, self._described(role)):
            self._restart(role)
        else:
            for index, weight in enumerate(weights):
                weight.assign(store[f"{role}_{index}"])
        return differing if weights else None

    def _restart(self, role):
        kept = self._roles[role]
        first = tree.flatten(self._first(role, values.snapshot(kept.owners)))
        for weight, value in zip(kept.weights, first, strict=True):
            weight.assign(ops.cast(value, weight.dtype))

    def _first(self, role, tensors):
        return memories.first(self._method, role, tensors)

    def _put(self, role, owners):
        """Makes the memory of a role, in place of an earlier one."""
        _keras_internals.unlock(self)  # Keras locks it when it quantizes.
        for weight in self._roles.get(role, _NOTHING).weights:
            delattr(self, f"_{weight.name}")  # Keras no longer tracks it.
        outline = control_flow.outline(
            lambda tensors: self._first(role, tensors), owners
        )
        weights = [
            self._weight(role, index, owners, tensor, like)
            for index, (tensor, like) in enumerate(
                zip(
                    tree.flatten(outline),
                    _whose(outline, owners),
                    strict=True,
                )
            )
        ]
        structure = tree.map_structure(lambda tensor: 0, outline)
        self._roles[role] = _Role(owners, structure, weights)

    def _weight(self, role, index, owners, tensor, like):
        """Makes a weight of a memory, on the devices where its owner is.

        Args:
            role: String.
            index: Int, the number of the weight.
            owners: List of Keras variables, whose memory it belongs to.
            tensor: What has the shape and the dtype of the weight.
            like: Keras variable, or None if the weight is of no single one.
        """

        def initial(shape, dtype):
            # Keras calls this when the variables have their values.
            del shape
            first = self._first(role, values.snapshot(owners))
            return ops.cast(tree.flatten(first)[index], dtype)

        layout = None if like is None else _keras_internals.layout(like)
        with keras.name_scope(self.name, caller=self):
            weight = keras.Variable(
                initial,
                shape=tensor.shape,
                dtype=tensor.dtype,
                trainable=False,
                autocast=False,
                name=f"{role}_{index}",
                # Without a distribution there is none to give.
                **({} if layout is None else {"layout": layout}),
            )
        # Keras tracks attributes; tf.train.Checkpoint looks nowhere else.
        setattr(self, f"_{weight.name}", weight)
        return weight

    def _described(self, role):
        kept = self._roles[role]
        part = {"climbs": None, **self._method.arguments()}[role]
        return memory_file.described(
            part, kept.weights, kept.owners, self._others()
        )

    def _others(self):
        """Returns all weights of the wrapper, but the memory."""
        own = set(_ids(self.weights))
        return [w for w in self._all_weights() if id(w) not in own]

    def _is_old(self, role, now):
        return not self._roles[role].is_for(now[role])

    def _differing(self, role, now):
        then = [v.path for v in self._roles[role].owners]
        return memory_file.differing_paths(then, [v.path for v in now[role]])


_NOTHING = _Role([], (), [])


def _owners(trained, selection):
    """Returns {role: the variables that its memory is for}."""
    moving = selection.pick(trained)
    owners = {"start": moving, "direction": moving, "climbs": []}
    return {r: owners.get(r, list(trained)) for r in memories.Memory._fields}


def _whose(outline, owners):
    """Returns the variable that each tensor of a memory is for, or None.

    A list of tensors shaped like all owners has one for each.
    """
    shapes = [tuple(v.shape) for v in owners]

    def taken(part):
        if isinstance(part, (list, tuple)) and shapes == [
            tuple(getattr(tensor, "shape", (None,))) for tensor in part
        ]:
            return list(owners)
        return None

    flat = tree.flatten(tree.traverse(taken, outline))
    kept = {id(v) for v in owners}
    return [part if id(part) in kept else None for part in flat]


def _ids(variables):
    return [id(variable) for variable in variables]


def _warn(differences):
    """Warns of the memories that start anew, {role: what differs or None}."""
    found = [f"`{k}`: {v}" for k, v in differences.items() if v]
    if found:
        warnings.warn(
            "All weights are here, but a memory starts anew in the next "
            "training, as it is for other variables than those that are "
            f"trained now. Received: {'; '.join(found)}",
            stacklevel=3,
        )
