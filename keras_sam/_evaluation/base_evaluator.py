"""What the evaluators of all backends know of a model."""

from keras_sam._backend import variables


class BaseEvaluator:
    """Evaluates a model, and its gradient, at weights passed as tensors.

    A call changes no variable. Each call starts from the state that it is
    given. So calls with the same state have the same dropout mask.

    Args:
        model: `keras.Model`, built and compiled.
        training: Bool. True: the model is in training mode, and the optimizer
            scales its losses.
        once: Bool, whether a train step is a single evaluation.

    Attributes:
        model: The model.
        params: List of the Keras variables that are trained by gradients.
        overwritten: List of the other trainable variables. The "gradient" of
            such a variable is its new value (float8 scales).
        state: List of all other variables that a pass may update. On TensorFlow
            a pass adds variables that it updates but Keras does not list.
        accumulators: Slice of `state` that holds the metrics, which add up over
            examples.
        updated: Set of ids of variables: what the last traced pass updates.
        connected: List of bools, one for each of `params`: whether the loss of
            the last traced gradient depends on it. On JAX all are True: JAX has
            zeros for the other gradients.
        hides_logits: Bool, whether an output of the last traced pass is made of
            logits that Keras's losses take instead.
        loss_scale: Float, or scalar tensor if the scale is dynamic.
        loss_scaled: Bool, whether the optimizer scales losses and skips steps
            that overflow.
        once: Bool, whether a train step is a single evaluation.
    """

    def __init__(self, model, training, once):
        self.model = model
        self.params = variables.trained(model)
        self.overwritten = [
            v for v in model.trainable_variables if v.overwrite_with_gradient
        ]
        self.state = variables.unique(
            [
                *model.non_trainable_variables,
                *variables.without_gradient(model),
            ]
        )
        states = len(self.state)
        self.state = variables.unique([*self.state, *model.metrics_variables])
        self.accumulators = slice(states, len(self.state))
        self.updated = set()
        self.hides_logits = False
        self.loss_scale = model.optimizer.scale_loss(1.0) if training else 1.0
        self.loss_scaled = not isinstance(self.loss_scale, float)
        self.once = once
        self._training = training
