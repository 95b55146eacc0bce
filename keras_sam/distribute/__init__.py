"""What several workers of one training do together."""

from keras_sam._training.tensorflow.distribute.agreement import agree

__all__ = ["agree"]
