"""What the algorithm needs from the backend that Keras runs on.

`tensorflow/` is the only backend so far. Another backend would be a folder
beside it, with files of the same names.
"""

try:
    import keras
except ImportError as error:
    raise ImportError(
        "keras_sam needs Keras 3 and TensorFlow. Install one, for example "
        f"with `pip install 'keras-sam[tensorflow]'`. Received: {error}"
    ) from error

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "keras_sam supports the TensorFlow backend of Keras; set "
        "KERAS_BACKEND=tensorflow before Keras is imported. Received: "
        f"{keras.backend.backend()!r}"
    )

from keras_sam._backend.tensorflow import batch_means as batch_means
from keras_sam._backend.tensorflow import batches as batches
from keras_sam._backend.tensorflow import building as building
from keras_sam._backend.tensorflow import compiled_losses as compiled_losses
from keras_sam._backend.tensorflow import compiling as compiling
from keras_sam._backend.tensorflow import control_flow as control_flow
from keras_sam._backend.tensorflow import datasets as datasets
from keras_sam._backend.tensorflow import evaluator as evaluator
from keras_sam._backend.tensorflow import example_losses as example_losses
from keras_sam._backend.tensorflow import output_gradients as output_gradients
from keras_sam._backend.tensorflow import preparation as preparation
from keras_sam._backend.tensorflow import random as random
from keras_sam._backend.tensorflow import replicas as replicas
from keras_sam._backend.tensorflow import rows as rows
from keras_sam._backend.tensorflow import values as values
