"""How Keras trains with the algorithm, on the backend that Keras runs on.

`tensorflow/` and `jax/` have files of the same names. The files beside these
folders serve both.
"""

from typing import TYPE_CHECKING

import keras

from keras_sam import _backend  # noqa: F401  Raises for another backend.

if TYPE_CHECKING or keras.backend.backend() == "tensorflow":
    from keras_sam._training.tensorflow import inner_steps as inner_steps
    from keras_sam._training.tensorflow import loops as loops
    from keras_sam._training.tensorflow import optimizer_step as optimizer_step
    from keras_sam._training.tensorflow.backup import checkpoints as checkpoints
    from keras_sam._training.tensorflow.backup import (
        fast_forward as fast_forward,
    )
    from keras_sam._training.tensorflow.backup import preemption as preemption
    from keras_sam._training.tensorflow.distribute import (
        aggregation as aggregation,
    )
    from keras_sam._training.tensorflow.distribute import (
        strategies as strategies,
    )
else:
    from keras_sam._training.jax import inner_steps as inner_steps
    from keras_sam._training.jax import loops as loops
    from keras_sam._training.jax import optimizer_step as optimizer_step
    from keras_sam._training.jax.backup import checkpoints as checkpoints
    from keras_sam._training.jax.backup import fast_forward as fast_forward
    from keras_sam._training.jax.backup import preemption as preemption
    from keras_sam._training.jax.distribute import aggregation as aggregation
    from keras_sam._training.jax.distribute import strategies as strategies
