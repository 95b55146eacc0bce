"""SIGTERM, which announces that a machine goes away, between two steps."""

import os
import signal
import threading
from types import FrameType
from typing import Any

_Handler = Any  # What `signal.signal` takes, or returns.


class Watch:
    """Takes note of SIGTERM from `start` to `stop`, if in the main thread.

    A second SIGTERM does what the first one would have done without a watch.
    After a `fit` that failed nobody calls `stop`, and the first SIGTERM then
    counts as the second one. A backend has a subclass, for several workers.
    """

    def __init__(self) -> None:
        self._received = False
        self._installs = threading.current_thread() is threading.main_thread()

    def start(self) -> None:
        """Installs the handler of the signal."""
        if self._installs:
            self._previous = install(self.receive)
            stale = getattr(self._previous, "__self__", None)
            if isinstance(stale, Watch):  # Of a `fit` that failed.
                self._previous = stale.previous()

    def stop(self) -> None:
        """Puts the earlier handler back, and hands a signal on to it."""
        if self._installs:
            install(self._previous)
            if self._received:
                os.kill(os.getpid(), signal.SIGTERM)

    def due(self) -> bool:
        """Whether to save and to end.

        All workers must call this after the same steps.
        """
        return self._received

    def previous(self) -> _Handler:
        """Returns the handler before this one."""
        return self._previous

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Takes note of a signal; Python calls this."""
        if self._received:
            self.stop()
        self._received = True


def install(handler: _Handler) -> _Handler:
    """Installs a handler of SIGTERM; returns the earlier one.

    The earlier one is None if it was not installed by Python.
    """
    return signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)
