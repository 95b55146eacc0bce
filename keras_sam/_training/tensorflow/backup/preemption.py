"""SIGTERM to one of several workers on TensorFlow."""

import functools
import os
import signal
import tempfile
from types import FrameType
from typing import Any

import tensorflow as tf

from keras_sam._backend import replicas
from keras_sam._training import termination


class Watch(termination.Watch):
    """Takes note of SIGTERM, to this worker or another one.

    Args:
        strategy: `tf.distribute` strategy of the training. Several workers
            agree, through TensorFlow, on a step after which all of them end.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        super().__init__()
        self._cluster = self._tell = None
        if self._installs and len(replicas.tasks(strategy)) > 1:
            self._cluster, self._tell = _handler(strategy)
            self._installs = self._tell is not None

    def due(self) -> bool:
        """Whether to save and to end.

        All workers must call this after the same steps.
        """
        if self._cluster is None:
            return super().due()
        try:
            self._cluster.save_checkpoint_if_preempted()
        except _Preempted:
            return True
        return False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Takes note of a signal, and tells TensorFlow of it."""
        super().receive(number, frame)
        if self._tell:
            self._tell(number, frame)


class _Preempted(Exception):
    """The step has come on which the workers agreed."""


def _preempted() -> None:
    raise _Preempted


@functools.cache  # A cluster can be told of a signal only once.
def _handler(
    strategy: tf.distribute.Strategy,
) -> tuple[Any, Any]:
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
    tell = termination.install(previous)
    return handler, None if tell is previous else tell
