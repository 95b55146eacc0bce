"""Ctrl-C waits for the end of a step."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Later:
    """Holds SIGINT back within a `with`, if in the main thread.

    At the end of the `with` the signal does what it would have done. A second
    SIGINT does that at once.
    """

    def __enter__(self) -> None:
        self._received: tuple[int, FrameType | None] | None = None
        self._previous: Callable[..., Any] | None = None
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):
                self._previous = previous
                signal.signal(signal.SIGINT, self._receive)

    def __exit__(self, *error: Any) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            if self._received:
                self._previous(*self._received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received and self._previous is not None:
            self._previous(number, frame)
        self._received = (number, frame)
