"""The losses that a model is compiled with, one by one.

Keras adds up the losses of all outputs. Each of them is a reduction of values:
the sum of all values, times the sample weights, over a divisor. The divisor is

    1                                     for "sum"
    the number of values, without a mask  for "sum_over_batch_size", "mean"
    the sum of the sample weights         for "mean_with_sample_weight"
"""

import keras
from keras import ops
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import batches
from keras_sam._backend import replicas
from keras_sam._evaluation import linearized

ONE = "one"
SAMPLES = "A choice of samples"


def compute(model, batch, y_pred, training=True, weights=None):
    """Returns Keras's loss of a batch, or this loss with factors.

    Args:
        model: `keras.Model`, compiled.
        batch: `Batch`. Its `scales` multiply the compiled losses. With
            `output_gradients` the result has these gradients with respect to
            the outputs. What does not go through them stays as it is.
        y_pred: The outputs of the model.
        training: Bool.
        weights: Tensor of a factor for each example, or None. They multiply
            the values of losses. Unlike sample weights they leave the divisors
            alone.

    Raises:
        ValueError: If there are weights, but a loss has not at least one value
            for each example.
    """

    def scaled(loss, scale):
        if weights is not None:
            loss = _Weighted(loss, weights)
        return loss if scale is None else _Scaled(loss, scale)

    if batch.output_gradients is not None:
        rest = batch._replace(output_gradients=None)
        held = linearized.copies(y_pred, ops.stop_gradient)
        rest = ops.sum(compute(model, rest, held, training))
        terms = linearized.terms(y_pred, batch.output_gradients)
        # Keras divides losses by the number of replicas.
        return rest + ops.cast(terms / replicas.count(), rest.dtype)
    if batch.scales is None and weights is None:
        return _loss(model, batch, y_pred, training)
    losses = _losses(model, batch, y_pred)
    scales = batch.scales or [None] * len(losses)
    losses = [scaled(*of) for of in zip(losses, scales, strict=True)]
    with _keras_internals.replaced_losses(model, losses):
        return _loss(model, batch, y_pred, training)


def divisors(model, batch, y_pred, who):
    """Returns the divisor of each loss: a scalar tensor, `ONE` or None.

    None is the number of all values, in proportion to the number of examples.
    It also stands for losses that an override of `compute_loss` does not use.

    Args:
        model: `keras.Model`, compiled.
        batch: `Batch`.
        y_pred: The outputs of the model.
        who: String, what needs the divisors.

    Raises:
        ValueError: If a loss is no sum over examples over a divisor.
    """
    with aside(model):
        losses = [_Counted(loss, who) for loss in _losses(model, batch, y_pred)]
        if not losses:
            return []
        with _keras_internals.replaced_losses(model, losses):
            _loss(model, batch, y_pred, training=True)
    return [loss.divisor for loss in losses]


def aside(model, given=()):
    """Returns a scope in which losses are computed, and metrics stay.

    Args:
        model: `keras.Model`.
        given: Pairs of a Keras variable and another value for it.
    """
    # Regularizers read the weights. Keras's metrics of the losses of several
    # outputs read theirs; on JAX the variables have no values in a train step.
    variables = [*model.variables, *model.metrics_variables]
    values = [(v, v.value) for v in variables]
    return keras.StatelessScope([*values, *given])


class _Changed(keras.losses.Loss):
    """A loss that changes another one."""

    def __init__(self, loss, reduction=None):
        super().__init__(loss.name, reduction or loss.reduction, loss.dtype)
        self.loss = loss


class _Scaled(_Changed):
    """A loss times a scalar."""

    def __init__(self, loss, scale):
        super().__init__(loss)
        self._scale = scale

    def __call__(self, y_true, y_pred, sample_weight=None):
        value = self.loss(y_true, y_pred, sample_weight)
        return value * ops.cast(self._scale, value.dtype)


class _Weighted(_Changed):
    """A loss with weights of the examples, whatever the rank of its values."""

    def __init__(self, loss, weights):
        super().__init__(loss)
        self._weights = weights

    def call(self, y_true, y_pred):
        values = _values(self.loss, y_true, y_pred, SAMPLES)
        axes = [1] * (len(values.shape) - 1)
        weights = ops.cast(self._weights, values.dtype)
        weights = ops.reshape(weights, [-1, *axes])
        # Gradients of outputs then tell of terms beside the compiled losses.
        return _with_mask_of(ops.stop_gradient(values) * weights, values)


class _Ones(_Changed):
    """A loss whose values are 1 in place of those of another one."""

    def call(self, y_true, y_pred):
        values = self.loss.call(y_true, y_pred)
        return _with_mask_of(ops.ones_like(values), values)


class _Counted(_Changed):
    """A loss that remembers what it divides by, see `divisors`."""

    def __init__(self, loss, who):
        super().__init__(loss)
        self.divisor, self._who = None, who

    def __call__(self, y_true, y_pred, sample_weight=None):
        if self.reduction in (None, "none"):
            raise _error(self.loss, self._who, "has no `reduction`")
        self._masked = _keras_internals.mask(y_pred) is not None
        value = super().__call__(y_true, y_pred, sample_weight)
        if self.reduction != "mean_with_sample_weight":
            sample_weight = None
        if self.reduction == "sum":
            self.divisor = ONE
        elif self._masked or sample_weight is not None:
            # Keras divides the sum of ones by the divisor in question.
            total, mean = (
                _Ones(self.loss, reduction)(y_true, y_pred, sample_weight)
                for reduction in ("sum", self.reduction)
            )
            self.divisor = ops.divide_no_nan(total, mean)
        return value

    def call(self, y_true, y_pred):
        values = _values(self.loss, y_true, y_pred, self._who)
        self._masked |= _keras_internals.mask(values) is not None
        return values


def _values(loss, y_true, y_pred, needs):
    """Returns the values of a loss, before its reduction.

    Raises:
        ValueError: If they do not have the examples as first axis.
    """
    if type(loss).__call__ is not keras.losses.Loss.__call__:
        raise _error(loss, needs, "redefines `__call__`: define `call`")
    if isinstance(loss, keras.losses.Circle):
        raise _error(loss, needs, "compares examples with each other")
    values = ops.convert_to_tensor(loss.call(y_true, y_pred))
    if batches.rank(values) is None:
        raise _error(loss, needs, "returns values of unknown rank")
    if batches.rank(values) == 0:
        raise _error(loss, needs, "returns a scalar")
    sizes = {batches.static(t) for t in tree.flatten((y_true, y_pred))}
    if values.shape[0] is not None and values.shape[0] not in sizes:
        raise _error(loss, needs, f"returns values of shape {values.shape}")
    return values


def _error(loss, needs, received):
    return ValueError(
        f"{needs} needs losses of the examples, so a loss must return one "
        "number or more for each example, and leave their sum or mean to its "
        "`reduction`. A function must not end in a mean over the batch, and "
        "`Dice` or `Tversky` needs an `axis` without 0. Received the loss "
        f"{loss.name!r} (a {type(loss).__name__}), which {received}"
    )


def _with_mask_of(values, like):
    _keras_internals.copy_mask(like, values)
    return values


def _losses(model, batch, y_pred):
    losses = _keras_internals.compiled_losses(model)
    if losses is None:  # Keras makes them in the first call.
        _loss(model, batch, y_pred, training=True)
        losses = _keras_internals.compiled_losses(model)
    # An override of `compute_loss` may use none.
    return losses or []


def _loss(model, batch, y_pred, training):
    # This also calls an override that does not take `training`.
    return _keras_internals.compute_loss(
        model,
        x=batch.x,
        y=batch.y,
        y_pred=y_pred,
        sample_weight=batch.sample_weight,
        training=training,
    )
