"""Which strategies a model may be trained under."""

import keras
import tensorflow as tf

from keras_sam._backend import replicas

SUPPORTED = (
    tf.distribute.OneDeviceStrategy,
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.ParameterServerStrategy,
    tf.distribute.TPUStrategy,
)


def check(model: keras.Model) -> None:
    """Checks that a model may be wrapped under the current strategy.

    Raises:
        ValueError: If the strategy is not supported, or the model was made
            under another strategy.
    """
    here = replicas.current()
    if tf.distribute.has_strategy() and not isinstance(here, SUPPORTED):
        names = [strategy.__name__ for strategy in SUPPORTED]
        raise ValueError(
            "A model must be wrapped under no strategy of `tf.distribute`, or "
            f"under one of {names}. Received: {type(here).__name__}"
        )
    # A variable without the attribute is on one device, under any strategy.
    homes = [model.distribute_strategy] + [
        getattr(
            v.value,
            "distribute_strategy",
            None if replicas.count() > 1 else here,
        )
        for v in model.variables
    ]
    for home in homes:
        if home is not here:
            raise ValueError(
                "`model` must be wrapped in the strategy scope that it was "
                f"made in. Received a model of {_name(home)}, wrapped under "
                f"{_name(here)}"
            )


def _name(strategy: tf.distribute.Strategy | None) -> str:
    return "no strategy" if strategy is None else type(strategy).__name__
