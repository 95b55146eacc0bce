"""How Keras trains with the algorithm, on the backend that Keras runs on."""

from keras_sam import _backend  # noqa: F401  Raises for another backend.
from keras_sam._training.tensorflow import trainer as trainer
from keras_sam._training.tensorflow.backup import checkpoints as checkpoints
from keras_sam._training.tensorflow.backup import fast_forward as fast_forward
from keras_sam._training.tensorflow.backup import preemption as preemption
from keras_sam._training.tensorflow.distribute import agreement as agreement
from keras_sam._training.tensorflow.distribute import strategies as strategies
