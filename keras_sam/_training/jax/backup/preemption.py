"""SIGTERM to one of several processes on JAX."""

import itertools
from typing import Any

from jax.experimental import multihost_utils

from keras_sam._backend import replicas
from keras_sam._training import termination

# JAX compares the numbers of all processes, over all trainings of a process.
_steps = itertools.count()


class Watch(termination.Watch):
    """Takes note of SIGTERM, to this process or another one.

    With several processes JAX itself takes the signal, from
    `jax.distributed.initialize` on. JAX looks for it once a second, tells all
    processes, and chooses a step after which all of them end.

    Args:
        strategy: Keras's distribution, or None.
    """

    def __init__(self, strategy: Any) -> None:
        super().__init__()
        self._several = len(replicas.tasks(strategy)) > 1
        if self._several:
            self._installs = False

    def due(self) -> bool:
        """Whether to save and to end.

        All processes must call this after the same steps.

        Raises:
            RuntimeError: If JAX's preemption service is switched off.
        """
        if not self._several:
            return super().due()
        return multihost_utils.reached_preemption_sync_point(next(_steps))
