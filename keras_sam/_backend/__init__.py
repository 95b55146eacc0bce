"""What the algorithm needs from the backend that Keras runs on.

`tensorflow/` and `jax/` have files of the same names. The files beside these
folders serve both.
"""

from typing import TYPE_CHECKING

try:
    import keras
except ImportError as error:
    raise ImportError(
        "keras_sam needs Keras 3 with TensorFlow or JAX. Install one, for "
        "example with `pip install 'keras-sam[tensorflow]'` or `pip install "
        f"'keras-sam[jax]'`. Received: {error}"
    ) from error

if keras.backend.backend() not in ("tensorflow", "jax"):
    raise ImportError(
        "keras_sam supports the TensorFlow and the JAX backend of Keras; set "
        "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax before Keras is "
        f"imported. Received: {keras.backend.backend()!r}"
    )

if TYPE_CHECKING or keras.backend.backend() == "tensorflow":
    from keras_sam._backend.tensorflow import batches as batches
    from keras_sam._backend.tensorflow import compiling as compiling
    from keras_sam._backend.tensorflow import control_flow as control_flow
    from keras_sam._backend.tensorflow import differentiation as differentiation
    from keras_sam._backend.tensorflow import prepared as prepared
    from keras_sam._backend.tensorflow import random as random
    from keras_sam._backend.tensorflow import replicas as replicas
    from keras_sam._backend.tensorflow import rows as rows
    from keras_sam._backend.tensorflow import store as store
    from keras_sam._backend.tensorflow import values as values
else:
    from keras_sam._backend.jax import batches as batches
    from keras_sam._backend.jax import compiling as compiling
    from keras_sam._backend.jax import control_flow as control_flow
    from keras_sam._backend.jax import differentiation as differentiation
    from keras_sam._backend.jax import prepared as prepared
    from keras_sam._backend.jax import random as random
    from keras_sam._backend.jax import replicas as replicas
    from keras_sam._backend.jax import rows as rows
    from keras_sam._backend.jax import store as store
    from keras_sam._backend.jax import values as values
