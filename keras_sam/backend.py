"""Looks for the backend before anything else is imported."""

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
