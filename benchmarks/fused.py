"""Batch normalization by TensorFlow's fused kernel, which Keras 3 leaves out.

It is the same arithmetic in one operation, and differs by rounding. On CPUs it
takes a fraction of the time: docs/performance.md. Use it in place of Keras's
layer. It differs from that layer only when it trains on images.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_sam_benchmarks")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, fused where a batch has four axes."""

    def call(self, inputs, training=None, mask=None):
        fusible = (
            training
            and self.trainable
            and mask is None
            and not self.synchronized
            and self.axis in (-1, 3)
            and len(inputs.shape) == 4
            and inputs.dtype == self.variable_dtype
        )
        if not fusible:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            self.gamma if self.scale else tf.ones(inputs.shape[-1:]),
            self.beta if self.center else tf.zeros(inputs.shape[-1:]),
            epsilon=self.epsilon,
        )
        # The kernel's is the unbiased one.
        number = tf.cast(tf.size(inputs) / inputs.shape[-1], variance.dtype)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * (number - 1) / number)
        return outputs

    def _follow(self, moving, value):
        kept = self.momentum
        moving.assign(moving * kept + tf.stop_gradient(value) * (1 - kept))
