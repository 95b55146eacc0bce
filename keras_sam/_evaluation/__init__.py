"""The model as a function of its weights: losses, gradients, and their data.

`tensorflow/` and `jax/` have files of the same names. The files beside these
folders serve both.
"""

from typing import TYPE_CHECKING

import keras

from keras_sam import _backend  # noqa: F401  Raises for another backend.

if TYPE_CHECKING or keras.backend.backend() == "tensorflow":
    from keras_sam._evaluation.tensorflow import batch_means as batch_means
    from keras_sam._evaluation.tensorflow import building as building
    from keras_sam._evaluation.tensorflow import datasets as datasets
    from keras_sam._evaluation.tensorflow import evaluator as evaluator
else:
    from keras_sam._evaluation.jax import batch_means as batch_means
    from keras_sam._evaluation.jax import building as building
    from keras_sam._evaluation.jax import datasets as datasets
    from keras_sam._evaluation.jax import evaluator as evaluator
