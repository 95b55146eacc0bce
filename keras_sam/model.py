"""The model wrapper: sharpness-aware minimization in Keras's train step."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

import keras

from keras_sam import _keras_internals
from keras_sam import _registration
from keras_sam import _training
from keras_sam._algorithm import method as methods
from keras_sam._backend import variables
from keras_sam._training import configuration
from keras_sam._training import description
from keras_sam._training import inner_model
from keras_sam._training import saving
from keras_sam.cadences import Every
from keras_sam.descents import Last
from keras_sam.directions import Normalized

__all__ = ["SharpnessAwareMinimization"]

Number: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


class _Argument:
    """An argument of the wrapper, as an attribute that is only read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, sam: Any, owner: type | None = None) -> Any:
        if sam is None:
            return self
        if self._name not in vars(sam):
            raise AttributeError(self._name)
        return vars(sam)[self._name]

    def __set__(self, sam: Any, value: Any) -> None:
        raise AttributeError(
            f"`{self._name}` is fixed when a model is wrapped. Wrap the model "
            f"again: SharpnessAwareMinimization(sam.model, {self._name}=...). "
            "For a radius that changes during training, give `rho` a "
            "`keras.optimizers.schedules.LearningRateSchedule`. "
            f"Received: {value!r}"
        )


@_registration.exported
class SharpnessAwareMinimization(_training.trainer.Trainer, saving.Saving):
    """Sharpness-aware minimization (SAM) of a Keras model.

    Each train step climbs from the weights w to points of higher loss on the
    batch, and descends from w with the gradients met there:

        z_0 = w,  g_i = gradient at z_i
        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1}),    i = 1, ..., n
        w  <- optimizer(w, descent(g_0, ..., g_n))

    The arguments are attributes that can be read, not set: to change one, wrap
    the model again. All else is Keras's: `compile` the wrapper, then `fit`,
    `evaluate`, `predict`, `save`. The inner model is trained in place; save or
    export `sam.model` alone once training is over.

    Metrics, the logged loss, batch statistics and seeds are those of the clean
    pass, the one at w. Clipping, weight decay, averages and constraints act on
    the final gradient.

    Args:
        model: `keras.Model`, built or not. Its `train_step`, `test_step`,
            `predict_step`, `compute_loss` and `compute_metrics` must be
            Keras's; override those of the wrapper. Under `tf.distribute` it
            must be wrapped in the strategy scope that it was made in.
        rho: Float, at least 0, or a `LearningRateSchedule` of the optimizer's
            iterations. The radius of the climb, in the Euclidean norm over all
            perturbed variables (in the metric of `direction`, for others than
            `Normalized`). 0 is plain training at the cost of the climb.
        num_batch_splits: Int, at least 1, or None. Parts of the batch of a
            replica that climb on their own (m-sharpness); their gradients are
            averaged, weighted by size. Batch statistics are those of the
            parts, averaged; every part has the dropout mask of the first.
        ascent_steps: Int, at least 0: the number of steps, n. A train step
            evaluates n + 1 gradients. 0 is plain training.
        radius: The length r of a step: "split" rho / n; "full" rho;
            "projected" rho, after which z_i is moved back into the Euclidean
            ball of radius rho around w; "matched" 2 rho / (n + 1), with which
            `Mean` descends, to first order, with the gradient at distance rho.
        direction: One of `keras_sam.directions`, or any callable like them.
        descent: One of `keras_sam.descents`, or any callable like them.
        cadence: One of `keras_sam.cadences`, or any callable like them: which
            train steps climb. The others evaluate one gradient.
        start: One of `keras_sam.starts`, or any callable like them, or None:
            where z_0 is, if not at w. What is said of the clean pass below is
            then true of the pass at z_0.
        ascent_samples: One of `keras_sam.samples`, or any callable like them,
            or None for all: the examples of the batch whose gradients climb.
        descent_samples: Likewise, the examples whose gradients at the ascended
            points the descent sees.
        perturb: Which trainable variables move: None for all, a regular
            expression that is searched for in `variable.path` below the inner
            model, or a predicate of a Keras variable. The norm is over those
            that move. All are trained.
        sync_perturbations: Bool. False: each replica climbs on its own part
            of the batch. True: on gradients averaged over replicas, which
            equals one device with the whole batch.
        track: Bool, or int, at least 1. True: `fit` also logs, as means over
            the examples of the steps that climb, `perturbed_loss` (at z_n),
            `sharpness` (that less the loss of the clean pass), `gradient_norm`
            (of g_0, over all trained variables), `perturbed_gradient_norm` (of
            g_n) and `gradient_cosine` (of g_0 and g_n; 0 if one is zero). They
            are NaN where nothing has been measured in an epoch yet. z_n is the
            last point that the descent asks for. Training is the same but for
            rounding. An int k: only in every k-th step, if that climbs, at less
            cost (with `Every(2)` and 3, in every sixth).
        xla: "auto", True or False: whether to compile gradient evaluations
            with XLA, also where `jit_compile` does not (under a strategy).
            "auto" is True unless there is only a CPU.
        name: String, the name of the model.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, two contradict each other,
            `perturb` matches nothing, or `model` cannot be wrapped as it is.

    Reference: Foret et al., arXiv:2010.01412, algorithm 1 (`ascent_steps=1`);
    Kim et al., arXiv:2302.10181 (`ascent_steps=n`, with `descent=Last()` the
    multi-step SAM it studies, with `descent=Mean()` the modification it
    proposes, as inferred from the authors' public code).

    Example:

    ```python
    sam = keras_sam.SAM(model, rho=0.05, ascent_steps=3)
    sam.compile("sgd", "mse")
    sam.fit(x, y)
    ```
    """

    def __init__(
        self,
        model: keras.Model,
        rho: Number = 0.05,
        num_batch_splits: int | None = None,
        *,
        ascent_steps: int = 1,
        radius: str = "split",
        direction: Callable = Normalized(),
        descent: Callable = Last(),
        cadence: Callable = Every(),
        start: Callable | None = None,
        ascent_samples: Callable | None = None,
        descent_samples: Callable | None = None,
        perturb: str | Callable[[keras.Variable], bool] | None = None,
        sync_perturbations: bool = False,
        track: bool | int = False,
        xla: bool | str = "auto",
        name: str | None = None,
    ) -> None:
        inner_model.check(model)
        _training.trainer.check(model)
        method = methods.Method(
            rho=rho,
            num_batch_splits=num_batch_splits,
            ascent_steps=ascent_steps,
            radius=radius,
            direction=direction,
            descent=descent,
            cadence=cadence,
            start=start,
            ascent_samples=ascent_samples,
            descent_samples=descent_samples,
            perturb=perturb,
            sync_perturbations=sync_perturbations,
            track=track,
            xla=xla,
        )
        _training.trainer.agree(model, method.arguments())
        # `autocast=False`: the inner model itself converts its inputs.
        super().__init__(name=name, dtype=model.dtype_policy, autocast=False)
        self.model = model
        self._method = method
        self.__dict__.update(method.arguments())
        self._track(method.track)
        self._join_workers()
        if model.built:
            self.built = True
            self._ensure_memory()

    rho = _Argument()
    num_batch_splits = _Argument()
    ascent_steps = _Argument()
    radius = _Argument()
    direction = _Argument()
    descent = _Argument()
    cadence = _Argument()
    start = _Argument()
    ascent_samples = _Argument()
    descent_samples = _Argument()
    perturb = _Argument()
    sync_perturbations = _Argument()
    track = _Argument()
    xla = _Argument()

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Calls the inner model, which inherits `training`.

        In Keras the layers of a model whose `call` has no such argument do not
        learn of it (and are in inference mode).
        """
        del training
        taken = _keras_internals.takes_training(self.model)
        outputs = self.model(inputs, **({} if taken else {"training": None}))
        self._ensure_memory()
        return outputs

    def __repr__(self) -> str:
        """Returns the call that wraps the model like this."""
        return description.call(type(self).__name__, self.model, self._method)

    def describe(self) -> str:
        """Returns in words what is trained, and how: some lines of text.

        They say how far and along what a step climbs, what the optimizer gets,
        which steps climb, how many gradients a step costs, how many weights
        move, and what XLA compiles.
        """
        return description.text(self, self._method)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of the wrapper, and those that the inner model holds."""
        # Keras leaves out what a nested model itself holds.
        held = _keras_internals.own_metrics(self.model)
        return [*super().metrics, *held]

    @property
    def perturbed_variables(self) -> list[keras.Variable]:
        """The trained variables that climb, those that `perturb` chooses.

        Raises:
            ValueError: If `perturb` chooses none, or the model is not built.
        """
        return self._selection().pick(variables.trained(self))

    @property
    def climbs(self) -> float | None:
        """How many train steps have climbed; None if not counted.

        They are counted where `cadence` skips some. The number is the mean over
        replicas and parts of a batch, which may differ.
        """
        if self._memory is None or not self._method.skips_steps:
            return None
        return float(self._remembered().climbs)

    @property
    def output_names(self) -> list[str]:
        """The inner model's, so that losses and metrics may be dicts of it."""
        return self.model.output_names

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, serialized.

        Raises:
            ValueError: If one of them cannot be saved.
        """
        return {
            **super().get_config(),
            **configuration.of_arguments(self._method.arguments()),
            "model": keras.saving.serialize_keras_object(self.model),
        }

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        custom_objects: Mapping[str, Any] | None = None,
    ) -> "SharpnessAwareMinimization":
        """Returns the model with the given serialized arguments.

        Raises:
            ValueError: If an argument is unknown, or cannot be loaded. The
                error names the version of keras_sam that wrote the config.
        """
        arguments = configuration.arguments(cls, config, custom_objects)
        dtype, trainable = arguments.pop("dtype"), arguments.pop("trainable")
        model = cls(**arguments)
        # Not every inner model brings its dtype policy back, on which depends
        # whether `compile` scales losses.
        model.dtype_policy = dtype
        model.trainable = trainable
        return model
