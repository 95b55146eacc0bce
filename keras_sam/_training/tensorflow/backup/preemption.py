"""SIGTERM, which announces that a machine goes away, between two steps."""

import functools
import os
import signal
import tempfile
import threading
from types import FrameType
from typing import Any

import tensorflow as tf

from keras_sam._backend import replicas

_Handler = Any  # What `signal.signal` takes, or returns.


class Watch:
    """Takes note of SIGTERM from `start` to `stop`, if in the main thread.

    A second SIGTERM does what the first one would have done without a watch.
    After a `fit` that failed nobody calls `stop`, and the first SIGTERM then
    counts as the second one.

    Args:
        strategy: `tf.distribute` strategy of the training. Several workers
            agree, through TensorFlow, on a step after which all of them end.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._received = False
        self._installs = threading.current_thread() is threading.main_thread()
        self._cluster = self._tell = None
        if self._installs and len(replicas.tasks(strategy)) > 1:
            self._cluster, self._tell = _handler(strategy)
            self._installs = self._tell is not None

    def start(self) -> None:
        """Installs the handler of the signal."""
        if self._installs:
            self._previous = _install(self._receive)
            stale = getattr(self._previous, "__self__", None)
            if isinstance(stale, Watch):  # Of a `fit` that failed.
                self._previous = stale.previous()

    def stop(self) -> None:
        """Puts the earlier handler back, and hands a signal on to it."""
        if self._installs:
            _install(self._previous)
            if self._received:
                os.kill(os.getpid(), signal.SIGTERM)

    def due(self) -> bool:
        """Whether to save and to end.

        All workers must call this after the same steps.
        """
        if self._cluster is None:
            return self._received
        try:
            self._cluster.save_checkpoint_if_preempted()
        except _Preempted:
            return True
        return False

    def previous(self) -> _Handler:
        """Returns the handler before this one."""
        return self._previous

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            self.stop()
        self._received = True
        if self._tell:
            self._tell(number, frame)


class _Preempted(Exception):
    """The step has come on which the workers agreed."""


def _preempted() -> None:
    raise _Preempted


def _install(handler: _Handler) -> _Handler:
    """Installs a handler of SIGTERM; returns the earlier one.

    The earlier one is None if it was not installed by Python.
    """
    return signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)


@functools.cache  # A cluster can be told of a signal only once.
def _handler(strategy: tf.distribute.Strategy) -> tuple[Any, _Handler]:
    """Returns TensorFlow's handler of preemptions, and its signal handler.

    The latter is None on Google's cloud. TensorFlow takes no signal there: with
    GPUs it asks the machine's metadata, without GPUs it does nothing.
    """
    previous = signal.getsignal(signal.SIGTERM)
    handler = tf.distribute.experimental.PreemptionCheckpointHandler(
        strategy.cluster_resolver,
        # TensorFlow needs one. It never saves: `save_fn` does nothing.
        tf.train.CheckpointManager(
            tf.train.Checkpoint(),
            os.path.join(tempfile.gettempdir(), "keras_sam_unused"),
            max_to_keep=1,
        ),
        termination_config=tf.distribute.experimental.TerminationConfig(
            exit_fn=_preempted, grace_period=0, save_fn=lambda: None
        ),
    )
    tell = _install(previous)
    return handler, None if tell is previous else tell
