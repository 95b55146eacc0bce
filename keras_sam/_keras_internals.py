"""The private names of Keras that the library uses, each in one function.

No other file names an attribute of Keras that begins with an underscore, or a
module of `keras.src`; `tests/contracts/layers_test.py` looks for that. Where a
docstring says "Read in Keras 3.14 and 3.15", the sources of these versions
have the name, with the meaning that the function gives it.
`tests/keras_internals_test.py` tests the meaning, and `make test-newest` tests
it in a nightly of 3.16, which has the same names. A Keras without the name is
an error that says so.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam import _private_names

_KERAS = _private_names.Package("Keras", "3.14 and 3.15", keras.__version__)
_private = _KERAS.private


# Tensors.


def mask(tensor: Any) -> Any:
    """Returns the mask that Keras attached to a tensor, or None.

    Read in Keras 3.14 and 3.15: `_keras_mask`, which few tensors have.
    """
    return _attached(tensor, "_keras_mask")


def set_mask(tensor: Any, value: Any) -> None:
    """Attaches a mask to a tensor, unless the mask is None.

    Read in Keras 3.14 and 3.15: `_keras_mask`.
    """
    if value is not None:
        _private(_attributes(), "set_tensor_attr")(tensor, "_keras_mask", value)


def copy_mask(tensor: Any, other: Any) -> None:
    """Attaches the mask of a tensor to another one, if it has a mask."""
    set_mask(other, mask(tensor))


def logits(tensor: Any) -> Any:
    """Returns the logits of a tensor of probabilities, or None.

    Read in Keras 3.14 and 3.15: `_keras_logits`, which softmax and sigmoid
    attach to their results, for losses to compute with.
    """
    return _attached(tensor, "_keras_logits")


def _attached(tensor: Any, name: str) -> Any:
    """Returns what Keras attached to a tensor under a name, or None.

    What JAX traces takes no attributes: Keras keeps them in a table.

    Read in Keras 3.14 and 3.15: `get_tensor_attr` and `set_tensor_attr` of
    `keras.src.backend.common.tensor_attributes`.
    """
    return _private(_attributes(), "get_tensor_attr")(tensor, name)


def _attributes() -> Any:
    return _KERAS.module("keras.src.backend.common.tensor_attributes")


# Layers and models.


def layers(model: keras.Model) -> list[keras.Layer]:
    """Returns a model and all layers in it, nested ones too.

    Read in Keras 3.14 and 3.15: `Layer._flatten_layers`.
    """
    return list(_private(model, "_flatten_layers")())


def attributes(layer: keras.Layer) -> Iterable[tuple[str, Any]]:
    """Returns pairs of an attribute of a layer and its value.

    An attribute that Keras hides behind a property has the public name:
    `kernel` of `Dense` is an example.

    Read in Keras 3.14 and 3.15: `Dense._kernel`, `Embedding._embeddings`.
    """
    return [(name.lstrip("_"), value) for name, value in vars(layer).items()]


def own_metrics(layer: keras.Layer) -> list[keras.Metric]:
    """Returns the metrics that a layer or model holds in its attributes.

    Read in Keras 3.14 and 3.15: `Layer._metrics`.
    """
    return _private(layer, "_metrics")


def takes_training(layer: keras.Layer) -> bool:
    """Whether `call` has an argument `training`.

    Read in Keras 3.14 and 3.15: `Layer._call_has_training_arg`.
    """
    return _private(layer, "_call_has_training_arg")


def has_loss_built(model: keras.Model) -> bool:
    """Whether the losses of a compiled model have their variables.

    Read in Keras 3.14 and 3.15: `Trainer._compile_loss`, which is None without
    losses.
    """
    loss = _private(model, "_compile_loss")
    return loss is None or loss.built


def supports_jit(model: keras.Model) -> bool:
    """Whether Keras would let XLA compile a model.

    It would not if a layer does not support XLA, or if TensorFlow must be
    deterministic.

    Read in Keras 3.14 and 3.15: `model_supports_jit` of
    `keras.src.trainers.trainer`.
    """
    trainer = _KERAS.module("keras.src.trainers.trainer")
    return _private(trainer, "model_supports_jit")(model)


def default_build(method: Callable) -> Callable:
    """Decorates a `build` that Keras must not call in place of a symbolic call.

    Where a layer has another `build`, Keras calls that with shapes alone when
    the layer is first called. Else Keras calls the layer symbolically, if it
    can, and then `build`.

    Read in Keras 3.14 and 3.15: `keras.src.utils.python_utils.default`.
    """
    utils = _KERAS.module("keras.src.utils.python_utils")
    return _private(utils, "default")(method)


def compute_loss(model: keras.Model, **arguments: Any) -> Any:
    """Returns the loss of a batch, whatever arguments an override takes.

    Where Keras sees that a batch has no examples, its loss has no elements.
    Here that is a zero: all replicas must send tensors of the same shape.

    Read in Keras 3.14 and 3.15: `Trainer._compute_loss`, and `reduce_values` of
    `keras.src.losses.loss`.

    Args:
        model: Compiled model.
        **arguments: Those of `compute_loss`. `training` is left out where an
            override has no such argument.
    """
    loss = _private(model, "_compute_loss")(**arguments)
    return keras.ops.sum(loss) if loss.shape == (0,) else loss


def compiled_losses(model: keras.Model) -> list[keras.losses.Loss] | None:
    """Returns the losses that a model is compiled with, one for each output.

    The result is None before the first loss is computed.

    Read in Keras 3.14 and 3.15: `Trainer._compile_loss`,
    `CompileLoss._flat_losses`, named tuples with a field `loss`.
    """
    compiled = _private(model, "_compile_loss")
    if compiled is None:
        return []
    if not compiled.built:
        return None
    return [item.loss for item in _private(compiled, "_flat_losses")]


@contextlib.contextmanager
def replaced_losses(
    model: keras.Model, losses: Sequence[keras.losses.Loss]
) -> Iterator[None]:
    """Lets a model use other losses than the `compiled_losses`.

    Read in Keras 3.14 and 3.15: see `compiled_losses`.

    Args:
        model: Compiled model.
        losses: A loss in place of each of `compiled_losses`, if there are any.
    """
    if not compiled_losses(model):
        yield
        return
    compiled = _private(model, "_compile_loss")
    items = _private(compiled, "_flat_losses")
    compiled._flat_losses = [
        item._replace(loss=loss)
        for item, loss in zip(items, losses, strict=True)
    ]
    try:
        yield
    finally:
        compiled._flat_losses = items


def loss_tracker(model: keras.Model) -> keras.metrics.Mean:
    """Returns the metric that averages the loss of a compiled model.

    Read in Keras 3.14 and 3.15: `Trainer._loss_tracker`.
    """
    return _private(model, "_loss_tracker")


def share_compiled(model: keras.Model, other: keras.Model) -> None:
    """Lets a compiled model use the losses and metrics of another one.

    Read in Keras 3.14 and 3.15: `Trainer._compile_loss`,
    `Trainer._compile_metrics`, `Trainer._loss_tracker`.

    Args:
        model: Compiled model.
        other: Compiled model, whose losses and metrics both have afterwards.
    """
    names = ("_compile_loss", "_compile_metrics", "_loss_tracker")
    # No assignment: Keras would list the metrics of the model twice.
    vars(model).update({name: _private(other, name) for name in names})


def compile_arguments(model: keras.Model) -> dict[str, Any] | None:
    """Returns the arguments of the last `keras.Model.compile`, or None.

    Read in Keras 3.14 and 3.15: `Trainer._compile_config`, a
    `SerializableDict` with the attribute `config`.
    """
    if not model.compiled:
        return None
    return _private(model, "_compile_config").config


def validates(arguments: Mapping[str, Any]) -> bool:
    """Whether `fit` calls `evaluate` with these arguments, to validate.

    Read in Keras 3.14 and 3.15: `_use_cached_eval_dataset` of
    `TensorFlowTrainer.evaluate`.
    """
    return bool(arguments.get("_use_cached_eval_dataset"))


def set_first_epoch(model: keras.Model, epoch: int | None) -> None:
    """Makes `fit` begin with an epoch, if `on_train_begin` calls this.

    Read in Keras 3.14 and 3.15: `Trainer._initial_epoch`.

    Args:
        model: Model in `fit`.
        epoch: Int. With None or 0 the argument of `fit` decides.
    """
    _private(model, "_initial_epoch")  # An assignment would not miss it.
    model._initial_epoch = epoch


# Keras's loops call this first, to create all variables.
_BUILD = {"jax": "_symbolic_build"}.get(
    keras.backend.backend(), "_maybe_symbolic_build"
)


@_KERAS.overriding(keras.Model)
class FitHooks(keras.Model):
    """A model with a method for each private one that Keras's loops call.

    Read in Keras 3.14 and 3.15: `Trainer._assert_compile_called`,
    `TensorFlowTrainer._maybe_symbolic_build`, `Trainer._symbolic_build`, which
    JAX's loops call, `Trainer._get_metrics_result_or_logs`,
    `Trainer._resolve_auto_jit_compile`, `JAXTrainer._make_function`.
    """

    def check_compiled(self, method_name: str | None = None) -> None:
        """Raises ValueError unless the model is compiled. Loops call it first.

        Args:
            method_name: String, the method that needs `compile`.
        """
        super()._assert_compile_called(method_name)

    def build_before_loop(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        """Creates all variables. `fit` and `evaluate` call this first.

        Args:
            iterator: Keras's iterator over an epoch, or None.
            data_batch: A batch, where there is no iterator.
        """
        _private(super(), _BUILD)(iterator, data_batch)

    def epoch_logs(self, logs: Any) -> Any:
        """Returns the logs of an epoch, after all of its steps were called.

        Args:
            logs: The logs of the last step.
        """
        return super()._get_metrics_result_or_logs(logs)

    def _assert_compile_called(self, method_name: str | None = None) -> None:
        self.check_compiled(method_name)

    def auto_jit_compile(self) -> bool | None:
        """Returns what `jit_compile` is if `compile` leaves it at "auto".

        None stands for a decision that is not made yet. It counts as False.
        """
        return super()._resolve_auto_jit_compile()

    def _resolve_auto_jit_compile(self) -> bool | None:
        return self.auto_jit_compile()

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        return self.epoch_logs(logs)

    if _BUILD == "_symbolic_build":

        def whole_step(self, step: Callable) -> Callable:
            """Returns what a loop calls in the place of a compiled step.

            Args:
                step: Function of the values of all variables and a batch.
            """
            return step

        def _make_function(
            self, step_function: Callable, concatenate_outputs: bool = False
        ) -> Callable:
            return super()._make_function(
                self.whole_step(step_function), concatenate_outputs
            )

        def _symbolic_build(
            self, iterator: Any = None, data_batch: Any = None
        ) -> None:
            self.build_before_loop(iterator, data_batch)

    else:

        def _maybe_symbolic_build(
            self, iterator: Any = None, data_batch: Any = None
        ) -> None:
            self.build_before_loop(iterator, data_batch)


# Several devices.


def layout(variable: keras.Variable) -> Any:
    """Returns how a variable lies on devices, on JAX, or None.

    It is None without a distribution. It may be given to a new variable.

    Read in Keras 3.14 and 3.15: `Variable._layout`, which an optimizer gives to
    the slots of a variable. Only 3.15 has it on all backends.
    """
    return getattr(variable, "_layout", None)


# What Keras's loops read.


def data_of_epoch(iterator: Any) -> Any:
    """Returns what Keras's iterator over an epoch reads: data of a strategy.

    Read in Keras 3.14 and 3.15: `TFEpochIterator._get_iterator`.
    """
    return _private(iterator, "_get_iterator")()


def held_state(model: keras.Model) -> Any:
    """Returns the values of all variables that a loop holds on JAX, or None.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`.
    """
    _private(model, "_jax_state_synced")  # The other one comes with a step.
    return getattr(model, "_jax_state", None)


def hold_state(model: keras.Model, state: Any) -> None:
    """Remembers what a step has returned, as a loop on JAX does a bit later.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`.

    Args:
        model: `keras.Model`.
        state: Lists of values: of the trainable variables, of the others, of
            the optimizer's if there are four lists, of those of the metrics if
            there are three or four.
    """
    _private(model, "_jax_state_synced")  # An assignment would not miss it.
    trained, others, *more = state
    names = ("optimizer_variables", "metrics_variables")[2 - len(more) :]
    model._jax_state = {
        "trainable_variables": trained,
        "non_trainable_variables": others,
        **dict(zip(names, more, strict=True)),
    }


def forget_state(model: keras.Model) -> None:
    """Keeps `fit` on JAX from assigning the values of the last good step.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`.
    """
    _private(model, "_jax_state_synced")  # An assignment would not miss it.
    model._jax_state = None


def distributed(data: Any) -> Any:
    """Returns a batch on all devices of the distribution that is set, on JAX.

    Read in Keras 3.14 and 3.15: `_distribute_data` of
    `keras.src.backend.jax.trainer`.
    """
    trainer = _KERAS.module("keras.src.backend.jax.trainer")
    return _private(trainer, "_distribute_data")(data)


def expect_end(iterator: Any) -> None:
    """Keeps an iterator over an epoch from warning that the data have ended.

    Read in Keras 3.14 and 3.15: `EpochIterator._interrupted_warning`.
    """
    _private(iterator, "_interrupted_warning")
    iterator._interrupted_warning = lambda: None


def holds_dataset(adapter: Any) -> bool:
    """Whether a data adapter hands on a data set that the user has made.

    Read in Keras 3.14 and 3.15: `TFDatasetAdapter` and `GrainDatasetAdapter`
    of `keras.src.trainers.data_adapters`.
    """
    adapters = _KERAS.module("keras.src.trainers.data_adapters")
    names = ("TFDatasetAdapter", "GrainDatasetAdapter")
    return isinstance(
        adapter, tuple(_private(adapters, name) for name in names)
    )


# Steps of an optimizer.


def clip(optimizer: keras.Optimizer, grads: Sequence[Any]) -> list:
    """Returns gradients, clipped as the optimizer's arguments say.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._clip_gradients`.
    """
    return _private(optimizer, "_clip_gradients")(grads)


def decay_weights(
    optimizer: keras.Optimizer, variables: Sequence[keras.Variable]
) -> None:
    """Applies the weight decay of an optimizer.

    Read in Keras 3.14 and 3.15: `TFOptimizer._apply_weight_decay`.
    """
    _private(optimizer, "_apply_weight_decay")(variables)


def update(
    optimizer: keras.Optimizer,
    grads: Sequence[Any],
    variables: Sequence[keras.Variable],
) -> None:
    """Moves variables by the rule of an optimizer, and nothing besides.

    Read in Keras 3.14 and 3.15: `TFOptimizer._backend_update_step`.
    """
    _private(optimizer, "_backend_update_step")(
        grads, variables, optimizer.learning_rate
    )


def optimized(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer moves.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._trainable_variables`.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return _private(optimizer, "_trainable_variables")


def accumulators(
    optimizer: keras.Optimizer, variables: Sequence[keras.Variable]
) -> list[keras.Variable]:
    """Returns the sum of gradients that an optimizer keeps for each variable.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._accumulated_gradients`,
    `BaseOptimizer._get_variable_index`.
    """
    sums = _private(optimizer, "_accumulated_gradients")
    index = _private(optimizer, "_get_variable_index")
    return [sums[index(variable)] for variable in variables]


def reset_accumulators(optimizer: keras.Optimizer) -> None:
    """Sets all sums of gradients to zero.

    Read in Keras 3.14 and 3.15:
    `BaseOptimizer._backend_reset_gradient_accumulators`.
    """
    _private(optimizer, "_backend_reset_gradient_accumulators")()


def steps_done(optimizer: keras.Optimizer) -> keras.Variable:
    """Returns the number of steps, those too that only accumulate gradients.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._iterations`.
    """
    return _private(optimizer, "_iterations")


def update_averages(optimizer: keras.Optimizer) -> None:
    """Updates the moving averages of all variables of an optimizer.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._trainable_variables`,
    `BaseOptimizer._update_model_variables_moving_average`.
    """
    _private(optimizer, "_update_model_variables_moving_average")(
        _private(optimizer, "_trainable_variables")
    )


def averages(
    optimizer: keras.Optimizer,
) -> list[tuple[keras.Variable, keras.Variable]]:
    """Returns pairs of a variable and its moving average.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._trainable_variables`,
    `BaseOptimizer._model_variables_moving_average`, which has None for a
    variable that is not averaged.
    """
    pairs = zip(
        _private(optimizer, "_trainable_variables"),
        _private(optimizer, "_model_variables_moving_average"),
        strict=True,
    )
    return [pair for pair in pairs if pair[1] is not None]


def overwriting(optimizer: keras.Optimizer) -> Callable[[], None] | None:
    """Returns a function that overwrites variables with their averages, if due.

    They are due once in `ema_overwrite_frequency` steps. The function may be
    called on any number of replicas.

    Read in Keras 3.16, a nightly:
    `BaseOptimizer._backend_maybe_overwrite_model_variables`. Keras 3.14 and
    3.15 have nothing that works on several replicas, so the result is None.
    """
    overwrite = getattr(
        optimizer, "_backend_maybe_overwrite_model_variables", None
    )
    if overwrite is None:
        return None
    return lambda: overwrite(_private(optimizer, "_trainable_variables"))


def optimizer_hooks(
    reduce: Callable[[Any], Any],
    apply: Callable[[keras.Optimizer, list, list], None] | None = None,
) -> type:
    """Returns a mixin that calls functions in place of an optimizer's methods.

    They are functions, since a subclass of an optimizer may have methods of
    any public name.

    Read in Keras 3.14 and 3.15: `TFOptimizer._all_reduce_sum_gradients`,
    `BaseOptimizer._backend_apply_gradients`.

    Args:
        reduce: Function from pairs of a gradient and a variable to such pairs.
            Keras adds up the gradients of all replicas here.
        apply: Function of an optimizer, gradients and variables. Keras clips,
            accumulates, updates and averages here. None leaves that to Keras.
    """

    @_KERAS.overriding(keras.Optimizer)
    class Reduction:
        def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
            return reduce(grads_and_vars)

    if apply is None:
        return Reduction
    applied = apply

    @_KERAS.overriding(keras.Optimizer)
    class Hooks(Reduction):
        def _backend_apply_gradients(
            self, grads: list, trainable_variables: list
        ) -> None:
            applied(self, grads, trainable_variables)

    return Hooks
