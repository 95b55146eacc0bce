"""SIGTERM, with which machines are taken back, heeded between two steps."""

import functools
import os
import signal
import tempfile
import threading

import tensorflow as tf

from keras_sam._backend import replicas


class Watch:
    """Takes note of SIGTERM from `start` to `stop`, if in the main thread.

    A second SIGTERM does what the first would have done without this; so it
    is, too, after a `fit` that failed, since nobody calls `stop` then.

    Args:
        strategy: `tf.distribute` strategy of the training. Several workers
            agree, through TensorFlow, on a step after which all of them end.
    """

    def __init__(self, strategy):
        self._received = False
        self._installs = threading.current_thread() is threading.main_thread()
        self._cluster = self._tell = None
        if self._installs and len(replicas.tasks(strategy)) > 1:
            self._cluster, self._tell = _handler(strategy)
            self._installs = self._tell is not None

    def start(self):
        """Installs the handler of the signal."""
        if self._installs:
            self._previous = _install(self._receive)
            stale = getattr(self._previous, "__self__", None)
            if isinstance(stale, Watch):  # Of a `fit` that failed.
                self._previous = stale._previous

    def stop(self):
        """Puts the earlier handler back, and hands a signal on to it."""
        if self._installs:
            _install(self._previous)
            if self._received:
                os.kill(os.getpid(), signal.SIGTERM)

    def due(self):
        """Whether to save and to end; all workers ask after the same steps."""
        if self._cluster is None:
            return self._received
        try:
            self._cluster.save_checkpoint_if_preempted()
        except _Preempted:
            return True
        return False

    def _receive(self, number, frame):
        if self._received:
            self.stop()
        self._received = True
        if self._tell:
            self._tell(number, frame)


class _Preempted(Exception):
    """The step has come on which the workers agreed."""


def _preempted():
    raise _Preempted


def _install(handler):
    """Returns the handler of SIGTERM before, which is None if not Python's."""
    return signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)


@functools.cache  # What it tells the cluster can be told once.
def _handler(strategy):
    """Returns TensorFlow's handler of preemptions, and that of the signal.

    The latter is None on Google's cloud, where TensorFlow heeds no signal: it
    asks the machine's metadata there (with GPUs; without, nothing).
    """
    previous = signal.getsignal(signal.SIGTERM)
    handler = tf.distribute.experimental.PreemptionCheckpointHandler(
        strategy.cluster_resolver,
        # It must have one; what is saved, and where, is not its business.
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
