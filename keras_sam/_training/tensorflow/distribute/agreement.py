"""Workers of a cluster: who this one is, and whether all of them agree.

Workers that do not agree on the model, or on the steps, wait for each other in
collectives, at worst for ever, or quietly train something else. `agree` looks
first. It goes through the key-value store of TensorFlow's coordination service:
a collective would not do, since TensorFlow numbers those as they come, so that
workers which have already created different variables exchange the wrong ones.
"""

import contextlib
import itertools
import json
import logging
import os
import tempfile
import time

import tensorflow as tf
from tensorflow.python.eager import context  # Nothing public has the store.

from keras_sam._backend import replicas

_LOG = logging.getLogger(__name__)
_PATIENCE = 10  # Seconds after which to say who is missing, again and again.
_LONGEST = 200  # Characters of a value in an error.
_MANY = 10  # Values in an error.
_NOTHING = {"": ""}  # Equals no leaf.

_calls = itertools.count()


def agree(strategy, facts, seconds=600):
    """Compares facts between the workers of a strategy; also a barrier.

    Every worker calls this, equally often. It takes milliseconds where there
    are several, and returns at once where there are not.

    Args:
        strategy: `tf.distribute.Strategy`.
        facts: Dict from names to values of which JSON can be made, or a
            function that returns it. Of nested values an error names the parts
            that differ.
        seconds: Number, how long to wait for the others.

    Raises:
        ValueError: On all workers, if facts differ between any two.
        TimeoutError: If another worker does not call this in time.
        RuntimeError: If another worker is lost.
    """
    told = {
        task: dict(_leaves(said))
        for task, said in exchange(strategy, facts, seconds).items()
    }
    differing = _differing(told)
    if differing:
        raise ValueError(_message(differing, told, replicas.here(strategy)))


def exchange(strategy, facts, seconds=600):
    """Returns {task: what it says}, the same on all workers.

    See `agree`. `{}` where there are not several workers.
    """
    others = replicas.tasks(strategy)
    if len(others) < 2:
        return {}
    me = replicas.here(strategy)
    number = next(_calls)
    deadline = time.monotonic() + seconds
    store = context.context()
    said = json.dumps(facts() if callable(facts) else facts)
    store.set_config_key_value(_key(number, me), said)
    told = _read(number, others, strategy, deadline)
    # The store lives in the first worker, which must not leave before the
    # others have read it.
    store.set_config_key_value(_key(number, me, "read"), "")
    if me == others[0]:
        _read(number, others, strategy, deadline, "read")
    if number:
        # All are here, so all have read what was said the last time.
        for last in (_key(number - 1, me), _key(number - 1, me, "read")):
            store.delete_config_key_value(last)
    return {task: json.loads(text) for task, text in told.items()}


@contextlib.contextmanager
def writing(strategy, path):
    """Gives each worker a place to write what is one file for all of them.

    All workers write, since reading variables may need all of them; where the
    path is the same for all, those but the first write to a temporary folder.
    None leaves before all have written. A disk that workers do not share holds
    the file on the first worker's machine only.

    Args:
        strategy: `tf.distribute.Strategy`.
        path: Where to write.

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
            yield path
        except Exception as error:
            exchange(strategy, repr(error))
            raise
        told = exchange(strategy, None)
    failed = {task: failure for task, failure in told.items() if failure}
    if failed:
        raise RuntimeError(f"Writing has failed elsewhere. Received: {failed}")


def _key(number, task, kind="facts"):
    return f"keras_sam/{number}/{kind}/{task[0]}/{task[1]}"


def _read(number, others, strategy, deadline, kind="facts"):
    """Returns what each task has written, once all have."""
    found = {}
    for task in others:
        while task not in found:
            left = min(_PATIENCE, deadline - time.monotonic())
            try:
                found[task] = context.context().get_config_key_value(
                    _key(number, task, kind),
                    # 0 would be for ever.
                    timeout_in_ms=max(1, int(1000 * left)),
                )
            except tf.errors.DeadlineExceededError:
                _complain(task, strategy, late=time.monotonic() >= deadline)
    return found


def _complain(task, strategy, late):
    """Logs that a task is missing, or raises if it will not come."""
    address = strategy.cluster_resolver.cluster_spec().task_address(*task)
    name = f"{task[0]} {task[1]} at {address}"
    state = context.context().get_task_states([(task[0], task[1] + 1)])[-1]
    if state is not None:
        raise RuntimeError(
            f"Lost {name} while waiting for it. See the log of that worker"
        ) from state
    if late:
        raise TimeoutError(
            f"Gave up waiting for {name}, which has not come as far as this "
            "worker. All workers must build, compile and fit the same way, and "
            "equally often. See the log of that worker"
        )
    _LOG.warning("Still waiting for %s", name)


def _leaves(value, name=""):
    """Yields (dotted name, value) of all that is nested in a value."""
    if not isinstance(value, (dict, list)) or not value:
        yield name, value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield from _leaves(part, f"{name}.{key}" if name else str(key))


def _differing(told):
    """Returns the names of the facts that are not the same for all tasks."""
    names = {name: None for facts in told.values() for name in facts}
    return [
        name
        for name in names
        # Text, which tells 1 from True, and does not mind what is no number.
        if len({json.dumps(f.get(name, _NOTHING)) for f in told.values()}) > 1
    ]


def _message(differing, told, me):
    lines = [
        f"  {name}: "
        + "; ".join(
            f"{_short(facts[name]) if name in facts else 'nothing'} on "
            f"{task[0]} {task[1]}{' (this one)' if task == me else ''}"
            for task, facts in told.items()
        )
        for name in differing[:_MANY]
    ]
    if len(differing) > _MANY:
        lines.append(f"  and {len(differing) - _MANY} more")
    return "All workers must have this in common. Received:\n" + "\n".join(
        lines
    )


def _short(value):
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
