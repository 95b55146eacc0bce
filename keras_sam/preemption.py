"""SIGTERM, with which machines are taken back, heeded between two steps."""

import functools
import os
import signal
import tempfile
import threading

import tensorflow as tf


class Preempted(Exception):
    """All workers are to save, now, and to end."""


class Watch:
    """Takes note of SIGTERM from `start` to `stop`, in the main thread.

    A second SIGTERM does what the first would have done without this.

    Args:
        strategy: `tf.distribute` strategy of the training. Several workers
            agree, through TensorFlow, on a step after which all save.
    """

    def __init__(self, strategy):
        self._received = threading.Event()
        self._cluster = _cluster(strategy) if _workers(strategy) > 1 else None

    def start(self):
        """Installs the handler of the signal."""
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._previous = signal.signal(signal.SIGTERM, self._handle)

    def stop(self):
        """Puts the earlier handler back, and hands a signal on to it."""
        if not self._main:
            return
        signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)
        if self._received.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    def due(self):
        """Whether to save and to end, asked after each step by all workers."""
        if self._cluster is None:
            return self._received.is_set()
        handler, received = self._cluster
        if self._received.is_set():
            received.set()
        try:
            handler.save_checkpoint_if_preempted()
        except Preempted:
            return True
        return False

    def _handle(self, number, frame):
        if self._received.is_set():
            self.stop()
        self._received.set()


def _workers(strategy):
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    tasks = strategy.cluster_resolver.cluster_spec().as_dict().values()
    return sum(map(len, tasks))


# Its keys in the cluster can be set once in the life of the cluster.
@functools.cache
def _cluster(strategy):
    """Returns TensorFlow's handler, and the event that it looks at."""

    def preempted():
        raise Preempted

    received = threading.Event()
    handler = tf.distribute.experimental.PreemptionCheckpointHandler(
        strategy.cluster_resolver,
        # It must have one; what is saved, and where, is not its business.
        tf.train.CheckpointManager(
            tf.train.Checkpoint(),
            os.path.join(tempfile.gettempdir(), "keras_sam_unused"),
            max_to_keep=1,
        ),
        termination_config=tf.distribute.experimental.TerminationConfig(
            termination_watcher_fn=received.is_set,
            exit_fn=preempted,
            grace_period=0,
            save_fn=lambda: None,
        ),
    )
    return handler, received
