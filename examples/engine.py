"""What the examples need of the backend that Keras runs on.

`tensorflow/` and `jax/` have files of the same names.
"""

import keras

if keras.backend.backend() == "tensorflow":
    from examples.tensorflow import batches as batches
    from examples.tensorflow import machine as machine
    from examples.tensorflow import reading as reading
    from examples.tensorflow import strategies as strategies
else:
    from examples.jax import batches as batches
    from examples.jax import machine as machine
    from examples.jax import reading as reading
    from examples.jax import strategies as strategies
