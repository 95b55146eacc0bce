"""What the benchmarks need of the backend that Keras runs on.

`tensorflow/` and `jax/` have files of the same names.
"""

import keras

if keras.backend.backend() == "tensorflow":
    from benchmarks.tensorflow import device as device
    from benchmarks.tensorflow import stepping as stepping
else:
    from benchmarks.jax import device as device
    from benchmarks.jax import stepping as stepping
