"""Workers of a cluster: who this one is, and whether all of them agree.

Workers that do not agree on the model, or on the steps, wait for each other in
collectives, at worst for ever, or quietly train something else. `agree` looks
first. It goes through the key-value store of the coordination service that
TensorFlow and JAX have. A collective would not do: TensorFlow numbers
collectives as they come, so that workers which have already created different
variables exchange the wrong ones.
"""

import contextlib
import itertools
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam._backend import replicas
from keras_sam._backend import store
from keras_sam._backend import values
from keras_sam._backend import variables

_LOG = logging.getLogger(__name__)
_SLICE = 1  # Seconds until a worker that is missing is looked for.
_PATIENCE = 10  # Seconds until a worker that is missing is logged once more.
_LONGEST = 200  # Characters of a value in an error.
_MANY = 10  # Values in an error.
_NOTHING = {"": ""}  # Equals no leaf.

_Task = tuple[str, int]  # The type of a task and its index.

_calls = itertools.count()


def agree(
    strategy: Any,
    facts: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    seconds: float = 600,
) -> None:
    """Compares facts between the workers of a strategy; also a barrier.

    Every worker must call this, equally often. It takes milliseconds where
    there are several workers, and returns at once where there are not.

    Args:
        strategy: `tf.distribute.Strategy`, or Keras's distribution on JAX.
        facts: Dict from names to values that JSON can hold, or a function that
            returns such a dict. Of nested values an error names the parts that
            differ.
        seconds: Number, how long to wait for the others.

    Raises:
        ValueError: On all workers, if facts differ between any two.
        TimeoutError: If another worker does not call this in time.
        RuntimeError: If another worker is lost.
    """
    facts_by_task = {
        task: dict(_leaves(theirs))
        for task, theirs in exchange(strategy, facts, seconds).items()
    }
    differing = _differing(facts_by_task)
    if differing:
        raise ValueError(
            _message(differing, facts_by_task, replicas.here(strategy))
        )


def exchange(
    strategy: Any, facts: Any, seconds: float = 600
) -> dict[_Task, Any]:
    """Returns the facts of each task, the same dict on all workers.

    See `agree`. The dict is empty where there are not several workers.
    """
    others = replicas.tasks(strategy)
    if len(others) < 2:
        return {}
    me = replicas.here(strategy)
    number = next(_calls)
    deadline = time.monotonic() + seconds
    text = json.dumps(facts() if callable(facts) else facts)
    store.write(_key(number, me), text)
    texts = _read(number, others, strategy, deadline)
    # The store lives in the first worker, which must not leave before the
    # others have read it.
    store.write(_key(number, me, "read"), "")
    if me == others[0]:
        _read(number, others, strategy, deadline, "read")
    if number:
        # All workers are here, so all have read the facts of the last call.
        for key in (_key(number - 1, me), _key(number - 1, me, "read")):
            store.delete(key)
    return {task: json.loads(text) for task, text in texts.items()}


def on_chief(
    strategy: Any, function: Callable[[], Any], seconds: float = 600
) -> Any:
    """Returns on all workers what a function returns on the first.

    Every worker must call this, equally often.

    Args:
        strategy: `tf.distribute.Strategy`, or Keras's distribution on JAX.
        function: Function without arguments. It returns what JSON can hold.
        seconds: Number, how long the others wait for the first.

    Raises:
        RuntimeError: On the others, if the function raises on the first.
        TimeoutError: If another worker does not call this in time.
    """
    if len(replicas.tasks(strategy)) < 2:
        return function()
    result, error = None, None
    if replicas.is_chief(strategy):
        try:
            result = function()
        except Exception as caught:
            error = caught
    said = {"result": result, "error": error and repr(error)}
    told = exchange(strategy, said, seconds)
    if error is not None:
        raise error
    for theirs in told.values():
        if theirs["error"]:
            raise RuntimeError(
                f"The first worker has failed: {theirs['error']}"
            )
    return told[replicas.tasks(strategy)[0]]["result"]


@contextlib.contextmanager
def writing(
    strategy: Any,
    path: str | os.PathLike,
    model: keras.Model | None = None,
) -> Iterator[str | os.PathLike]:
    """Gives each worker a place to write what is one file for all of them.

    All workers write, since reading variables may need all of them. Where the
    path is the same for all, only the first worker writes there; the others
    write to a temporary folder. No worker leaves before all have written. A
    disk that workers do not share holds the file on the first worker's machine
    only.

    Args:
        strategy: `tf.distribute.Strategy`, or Keras's distribution on JAX.
        path: Where to write.
        model: `keras.Model` that is written, or None. On JAX `ModelParallel`
            may divide a weight among processes. Where the model is given, each
            process sees all of its weights, and those of its optimizer, whole
            in this context.

    Yields:
        The path for this worker.

    Raises:
        RuntimeError: If another worker could not write.
    """
    if len(replicas.tasks(strategy)) < 2:
        yield path
        return
    paths = exchange(strategy, os.fspath(path))
    with tempfile.TemporaryDirectory() as folder:
        if len(set(paths.values())) == 1 and not replicas.is_chief(strategy):
            path = os.path.join(folder, os.path.basename(path))
        try:
            with values.gathered(_variables(model)):
                yield path
        except Exception as error:
            exchange(strategy, repr(error))
            raise
        outcomes = exchange(strategy, None)
    failed = {task: failure for task, failure in outcomes.items() if failure}
    if failed:
        raise RuntimeError(f"Writing has failed elsewhere. Received: {failed}")


def _variables(model: keras.Model | None) -> list[keras.Variable]:
    """Returns all variables that a file of a model may have."""
    optimizer = getattr(model, "optimizer", None)
    return variables.unique(
        [
            *(model.variables if model else ()),
            *(optimizer.variables if optimizer else ()),
        ]
    )


def _key(number: int, task: _Task, kind: str = "facts") -> str:
    return f"keras_sam/{number}/{kind}/{task[0]}/{task[1]}"


def _read(
    number: int,
    others: Sequence[_Task],
    strategy: Any,
    deadline: float,
    kind: str = "facts",
) -> dict[_Task, str]:
    """Returns the text of each task, once all have written theirs."""
    texts = {}
    for task in others:
        named = time.monotonic()
        failure = None
        while task not in texts:
            left = min(_SLICE, deadline - time.monotonic())
            try:
                texts[task] = store.read(
                    _key(number, task, kind), max(1, int(1000 * left))
                )
            except store.LateError:
                now = time.monotonic()
                if failure or now >= deadline:
                    raise _absent(task, strategy, failure) from failure
                # A task may have written its text before it ended.
                failure = store.failure(*task)
                if now >= named + _PATIENCE:
                    named = now
                    _LOG.warning("Still waiting for %s", _name(task, strategy))
    return texts


def _absent(
    task: _Task, strategy: Any, failure: Exception | None
) -> RuntimeError | TimeoutError:
    """Returns the error that a task does not come."""
    name = _name(task, strategy)
    if failure is not None:
        return RuntimeError(
            f"Lost {name} while waiting for it. See the log of that worker. "
            f"Received: {failure}"
        )
    return TimeoutError(
        f"Gave up waiting for {name}, which has not come as far as this "
        "worker. All workers must build, compile and fit the same way, and "
        "equally often. See the log of that worker"
    )


def _name(task: _Task, strategy: Any) -> str:
    return f"{task[0]} {task[1]}{replicas.address(strategy, task)}"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yields a dotted name and a value for all that is nested in a value."""
    if not isinstance(value, (dict, list)) or not value:
        yield name, value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield from _leaves(part, f"{name}.{key}" if name else str(key))


def _differing(facts_by_task: Mapping[_Task, Mapping[str, Any]]) -> list[str]:
    """Returns the names of the facts that are not the same for all tasks."""
    names = {name: None for facts in facts_by_task.values() for name in facts}
    return [
        name
        for name in names
        # As text 1 differs from True, and a NaN equals another one.
        if len(
            {
                json.dumps(facts.get(name, _NOTHING))
                for facts in facts_by_task.values()
            }
        )
        > 1
    ]


def _message(
    differing: Sequence[str],
    facts_by_task: Mapping[_Task, Mapping[str, Any]],
    me: _Task,
) -> str:
    lines = [
        f"  {name}: "
        + "; ".join(
            f"{_short(facts[name]) if name in facts else 'nothing'} on "
            f"{task[0]} {task[1]}{' (this one)' if task == me else ''}"
            for task, facts in facts_by_task.items()
        )
        for name in differing[:_MANY]
    ]
    if len(differing) > _MANY:
        lines.append(f"  and {len(differing) - _MANY} more")
    return "All workers must have this in common. Received:\n" + "\n".join(
        lines
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
