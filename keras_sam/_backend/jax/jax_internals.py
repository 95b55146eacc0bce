"""The private names of JAX that the library uses, each in one function.

No other file names an attribute of JAX that begins with an underscore, or a
module of `jax._src`; `tests/contracts/layers_test.py` looks for that. Where a
docstring says "Read in JAX 0.10", the sources of that version have the name,
with the meaning that the function gives it.
"""

from typing import Any

import jax

from keras_sam import _private_names

_JAX = _private_names.Package("JAX", "0.10", jax.__version__)
_private = _JAX.private

# What JAX raises if a key is not there in time, among others.
ERROR = jax.errors.JaxRuntimeError


# The key-value store of the coordination service. Nothing public has it.


def _client() -> Any:
    distributed = _JAX.module("jax._src.distributed")
    return _private(_private(distributed, "global_state"), "client")


def write(key: str, text: str) -> None:
    """Writes a text into the store, under a key that must be new.

    Read in JAX 0.10: `DistributedRuntimeClient.key_value_set` of
    `jax._src.distributed.global_state.client`.
    """
    _private(_client(), "key_value_set")(key, text)


def read(key: str, milliseconds: int) -> str:
    """Returns the text under a key, once it is there.

    Read in JAX 0.10: `DistributedRuntimeClient.blocking_key_value_get`.
    """
    return _private(_client(), "blocking_key_value_get")(key, milliseconds)


def delete(key: str) -> None:
    """Deletes a key from the store.

    Read in JAX 0.10: `DistributedRuntimeClient.key_value_delete`.
    """
    _private(_client(), "key_value_delete")(key)


def texts(folder: str) -> list[tuple[str, str]]:
    """Returns pairs of a key and its text, for all keys that are in a folder.

    Read in JAX 0.10: `DistributedRuntimeClient.key_value_dir_get`.
    """
    return _private(_client(), "key_value_dir_get")(folder)


def process_index() -> int:
    """Returns the index of this process among those of `jax.distributed`.

    `jax.process_index` would connect the devices of all processes first.

    Read in JAX 0.10: `process_id` of `jax._src.distributed.global_state`.
    """
    distributed = _JAX.module("jax._src.distributed")
    return _private(_private(distributed, "global_state"), "process_id")
