"""A process that ends before the others do, and what the others do then.

JAX alone lets a process that ends wait for the others, for five minutes. The
others may wait for that process in a collective, just as long. So a process
that ends says so in the store of `jax.distributed`, with the error that ends
it. A thread of each process looks there.
"""

import atexit
import contextlib
import functools
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping

import jax

from keras_sam._backend.jax import jax_internals

_LOG = logging.getLogger("keras_sam")
_FOLDER = "keras_sam/ended"
_LOOK = 1  # Seconds between two looks at the store.
_GRACE = 5  # Seconds until a process ends that does not end by itself.
_LIMIT = 10  # Seconds until a failed process waits no longer for the others.
_LONGEST = 2000  # Characters of an error.


class _Watch(threading.Thread):
    """Looks at which processes have ended, until this process ends."""

    def __init__(self) -> None:
        super().__init__(name=__name__, daemon=True)
        # From the index of a process to its error, or None without an error.
        self.ended: Mapping[int, str | None] = {}
        self._ends = threading.Event()
        self._fails = False

    def run(self) -> None:
        """Looks once a second; ends the process if another one has failed."""
        with contextlib.suppress(jax_internals.ERROR):  # JAX has shut down.
            while not self._ends.wait(_LOOK) and _joined():
                self.ended = _ended()
                if self.failure():
                    self._give_up()
                    break
        self._ends.wait()
        if self._fails:
            # JAX would wait for a killed process until its heartbeat is missed.
            _exit(after=_LIMIT)

    def failure(self) -> str | None:
        """Says which process has failed, and why. None if none has."""
        for index, error in self.ended.items():
            if error:
                return f"process {index} has failed: {error}"
        return None

    def stop(self, fails: bool) -> None:
        """Ends the watch: this process ends, because it fails or not."""
        self._fails = fails
        self._ends.set()
        if not fails:
            self.join(_LIMIT)

    def _give_up(self) -> None:
        """Waits until this process ends by itself; ends it after some time.

        It cannot end by itself while it waits in a collective.
        """
        _LOG.error(
            "%s. This process cannot go on alone, and ends in %s s",
            self.failure(),
            _GRACE,
        )
        if not self._ends.wait(_GRACE) and _joined():
            threading.Thread(target=_exit, args=(_LIMIT,), daemon=True).start()
            # The failed process waits for this one, and then ends in order.
            jax.distributed.shutdown()
            _exit()


@functools.cache
def watch() -> _Watch:
    """Returns the watch of this process, and starts it the first time."""
    started = _Watch()
    started.start()
    return started


def failure(index: int) -> Exception | None:
    """Returns an error if a process will not come, None if it may.

    Args:
        index: Int, the process that this one waits for. It will not come if it
            has ended, or if any process has failed.
    """
    found = watch().failure()
    if found is None and index in watch().ended:
        found = f"process {index} has ended"
    return None if found is None else RuntimeError(found)


# Python calls this before JAX's own hook, which waits: the last hook that is
# registered comes first, and JAX registers its hook when it is imported.
@atexit.register
def _say() -> None:
    """Says to the others that this process ends, and which error ends it."""
    if not _joined():
        return
    # The interpreter sets it when it prints an error that nobody has caught.
    error = getattr(sys, "last_value", None)
    text = None
    if error is not None:
        text = "".join(traceback.format_exception_only(error)).strip()
        text = text[:_LONGEST]
    if watch.cache_info().currsize:
        watch().stop(fails=error is not None)
    key = f"{_FOLDER}/{jax_internals.process_index()}"
    with contextlib.suppress(jax_internals.ERROR):
        jax_internals.write(key, json.dumps(text))


def _joined() -> bool:
    return jax.distributed.is_initialized()


def _ended() -> dict[int, str | None]:
    return {
        int(key.rpartition("/")[2]): json.loads(text)
        for key, text in jax_internals.texts(_FOLDER)
    }


def _exit(after: float = 0) -> None:
    """Ends this process without the hooks of JAX, which would wait."""
    time.sleep(after)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(1)
