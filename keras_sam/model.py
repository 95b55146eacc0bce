"""The model wrapper: sharpness-aware minimization in Keras's train step."""

import inspect
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeAlias

import keras

from keras_sam import _keras_internals
from keras_sam import _registration
from keras_sam import radii
from keras_sam import recipes
from keras_sam._algorithm import method as methods
from keras_sam._algorithm import no_effect
from keras_sam._backend import variables
from keras_sam._training import configuration
from keras_sam._training import description
from keras_sam._training import inner_model
from keras_sam._training import memory_weights
from keras_sam._training import radius_weight
from keras_sam._training import saving
from keras_sam._training import strategies
from keras_sam._training import trainer
from keras_sam._training.arguments import Argument
from keras_sam._training.arguments import Radius
from keras_sam.cadences import Every
from keras_sam.descents import Last
from keras_sam.directions import Normalized

__all__ = ["SharpnessAwareMinimization"]

Number: TypeAlias = (
    float | keras.optimizers.schedules.LearningRateSchedule | radii.Settable
)


@_registration.exported
class SharpnessAwareMinimization(trainer.Trainer, saving.Saving):
    """Trains a Keras model by sharpness-aware minimization (SAM).

    Each train step climbs from the weights w, in n steps of length r, to points
    of higher loss on the batch. It then descends from w with the gradients at
    these points:

        z_0 = w,  g_i = gradient at z_i
        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1}),    i = 1, ..., n
        w  <- optimizer(w, descent(g_0, ..., g_n))

    The wrapper is a Keras model: `compile` it, then call `fit`, `evaluate`,
    `predict` and `save`. The wrapper trains the inner model in place. Save or
    export the inner model, `sam.model`, alone only once training is over.

    A part may be given by the name of its class, which then has its default
    arguments: `direction="adaptive"` is `direction=directions.Adaptive()`, and
    "noise_first" is `NoiseFirst()`.

    The arguments are also attributes. They can be read, but not set: to change
    an argument, wrap the model again. A `rho` that is `radii.Settable` can be
    set.

    The pass of the model at z_0 is the clean pass. It alone determines the
    metrics, the logged loss, the batch statistics and the seeds. `descent`
    returns the final gradient. The optimizer gets no other gradient, so its
    clipping, weight decay, weight averages and constraints act only once.

    Args:
        model: `keras.Model`, built or not. The wrapper calls what the model
            overrides of `compile`, `compute_loss`, `compute_metrics`,
            `get_metrics_result`, `metrics`, `predict_step`, `reset_metrics` and
            `test_step`. If the model prepares the data of `fit` by
            `preprocess_samples`, as KerasHub's tasks do, so does the wrapper.
            The model must not override `train_step`, or `fit` and the like in
            another way: override them in a subclass of the wrapper. Under
            `tf.distribute` the model must be wrapped in the strategy scope that
            it was made in.
        rho: Float, at least 0, a `LearningRateSchedule` of the optimizer's
            iterations, or `radii.Settable(0.05)`, which a callback sets by
            `sam.rho = 0.1`: the radius of the climb. It is a length in the
            Euclidean norm over all perturbed variables. With a direction other
            than `Normalized` it is a length in the metric of that direction. 0
            is plain training at the cost of the climb.
        num_batch_splits: Int, at least 1, or None: the number of parts that a
            replica splits its batch into. Each part climbs on its own
            (m-sharpness). The gradients of the parts are averaged, weighted by
            size, and so are their batch statistics. All parts have the dropout
            mask of the first part. None does not split the batch.
        ascent_steps: Int, at least 0: the number n of steps of the climb. A
            train step evaluates n + 1 gradients. 0 is plain training, unless
            there is a `start`.
        radius: String, which sets the length r of a step of the climb. "split"
            is rho / n, and "full" is rho. "projected" is rho, and then moves
            z_i back into the Euclidean ball of radius rho around w. "matched"
            is 2 rho / (n + 1): with it, and to first order, `Mean` descends
            with the gradient at distance rho.
        direction: One of `keras_sam.directions`, or any callable like them. It
            decides where a step of the climb points.
        descent: One of `keras_sam.descents`, or any callable like them. It
            makes the final gradient.
        cadence: One of `keras_sam.cadences`, or any callable like them. It
            decides which train steps climb. The other steps evaluate one
            gradient.
        start: One of `keras_sam.starts`, or any callable like them, or None. It
            decides where z_0 is. None is z_0 = w.
        ascent_samples: One of `keras_sam.samples`, or any callable like them,
            or None. It chooses the examples of the batch for the gradients that
            the climb follows. None takes all examples.
        descent_samples: One of `keras_sam.samples`, or any callable like them,
            or None. It chooses the examples for the gradients that the descent
            gets at z_1, ..., z_n. None takes all examples.
        perturb: None, a regular expression, one of `keras_sam.selections`, or
            a predicate of a Keras variable, or of a variable and its `layer`.
            It chooses the trainable variables that move in the climb, and norms
            are over these variables. None chooses all. A regular expression is
            searched for in `variable.path`, below the inner model. All
            trainable variables are trained, whether they move or not.
        sync_perturbations: Bool. False: each replica climbs on its own part of
            the batch. True: all replicas climb together, on gradients averaged
            over replicas. This equals one device with the whole batch.
        track: Bool, or int, at least 1. True: `fit` also logs measurements of
            the climb, as means over the examples of the steps that climb. They
            are `perturbed_loss` (the loss at z_n), `sharpness`
            (`perturbed_loss` minus the loss of the clean pass), `gradient_norm`
            (of g_0, over all trained variables), `perturbed_gradient_norm` (of
            g_n) and `gradient_cosine` (of g_0 and g_n; 0 if one is zero). z_n
            is the last point that the descent asks for. The measurements are
            NaN until the first one of an epoch. Training is the same but for
            rounding. An int k: a step measures only if its number is a multiple
            of k and it climbs, which costs less. (`Every(2)` with k = 3
            measures in every sixth step.)
        xla: "auto", True or False: whether XLA compiles the evaluations of
            gradients. "auto" follows Keras: what `compile` is given as
            `jit_compile`, or what Keras makes of its "auto". Under a strategy
            Keras compiles nothing, since XLA cannot compile what replicas do
            together, but it can compile the evaluations. "auto" does so unless
            there is only a CPU, the user gives `jit_compile=False`, or Keras
            would not compile the layers. True is an error where a layer does
            not support XLA.
        name: String, the name of the wrapper.

    A warning names arguments that have no effect beside the others, such as a
    `direction` with `ascent_steps=0`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, two arguments contradict
            each other, `perturb` matches nothing, or `model` cannot be wrapped
            as it is.

    Reference: Foret et al., arXiv:2010.01412, algorithm 1 (`ascent_steps=1`);
    Kim et al., arXiv:2302.10181 (`ascent_steps=n`). With `descent=Last()` this
    is the multi-step SAM that Kim et al. study. With `descent=Mean()` it is the
    modification that they propose, as inferred from the authors' public code.

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
        direction: Callable | str = Normalized(),
        descent: Callable | str = Last(),
        cadence: Callable | str = Every(),
        start: Callable | str | None = None,
        ascent_samples: Callable | str | None = None,
        descent_samples: Callable | str | None = None,
        perturb: str | Callable[..., bool] | None = None,
        sync_perturbations: bool = False,
        track: bool | int = False,
        xla: bool | str = "auto",
        name: str | None = None,
    ) -> None:
        inner_model.check(model, type(self), SharpnessAwareMinimization)
        strategies.check(model)
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
        no_effect.warn(method, methods.Method())
        trainer.agree(model, method.arguments())
        # `autocast=False`: the inner model itself converts its inputs.
        super().__init__(name=name, dtype=model.dtype_policy, autocast=False)
        self.model = model
        self._method = method
        self.__dict__.update(method.arguments())
        self._memory = memory_weights.MemoryWeights(
            method, lambda: self.weights
        )
        self._seeds = saving.Seeds(lambda: self)
        if isinstance(method.rho, radii.Settable):
            self._radius = radius_weight.RadiusWeight(method.rho)
            self.__dict__["rho"] = self._radius
        self._track(method.track)
        self._join_workers()
        if model.built:
            # A subclass may make weights of its own in `build`.
            own = type(self).build is not SharpnessAwareMinimization.build
            self.built = not own
            self._ensure_memory()

    @classmethod
    def from_recipe(
        cls, recipe: str, model: keras.Model, **arguments: Any
    ) -> "SharpnessAwareMinimization":
        """Returns the wrapper of a row of `keras_sam.recipes.RECIPES`.

            SAM.from_recipe("gsam", model, rho=0.1)

        `print(keras_sam.recipes.RECIPES)` lists all recipes.

        Args:
            recipe: String, the name or the title of the recipe. Capitals do
                not count, and "-", "_" and blanks are alike.
            model: `keras.Model`, the inner model.
            **arguments: Arguments of the constructor. They take the place of
                the arguments of the recipe.

        Raises:
            TypeError: If the constructor does not take an argument, or an
                argument is of a wrong type.
            ValueError: If there is no such recipe, or the constructor does not
                take the model or the value of an argument.
        """
        row = recipes.RECIPES[recipes.find(recipe)]
        return cls(model, **{**row.arguments, **arguments})

    rho = Radius()
    num_batch_splits = Argument()
    ascent_steps = Argument()
    radius = Argument()
    direction = Argument()
    descent = Argument()
    cadence = Argument()
    start = Argument()
    ascent_samples = Argument()
    descent_samples = Argument()
    perturb = Argument()
    sync_perturbations = Argument()
    track = Argument()
    xla = Argument()

    @_keras_internals.default_build
    def build(self, input_shape: Any) -> None:
        """Creates the variables of the inner model from the shape of its input.

        Args:
            input_shape: Shape of the input with the batch axis, or a nested
                structure of shapes.

        Raises:
            ValueError: If the inner model cannot be built from shapes alone.
        """
        if not self.model.built:
            inner_model.build(self.model, input_shape)
        self._ensure_memory()

    def build_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Builds the model from what `get_build_config` has returned."""
        if config and not self.built:
            self.build(config["input_shape"])

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Calls the inner model, with `training`.

        If the `call` of the inner model has no argument `training`, its layers
        do not inherit `training`, and are in inference mode. Keras does the
        same.
        """
        if not _keras_internals.takes_training(self.model):
            return self.model(inputs, training=None)
        # `stateless_call` calls this method alone: nothing could be inherited.
        # None would hide the default of the inner model.
        given = {} if training is None else {"training": training}
        return self.model(inputs, **given)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Checks that a subclass leaves the arguments as they are.

        Raises:
            TypeError: If an attribute of the class hides an argument.
        """
        super().__init_subclass__(**kwargs)
        for name in methods.Method().arguments():
            if not isinstance(inspect.getattr_static(cls, name), Argument):
                raise TypeError(
                    f"`{cls.__name__}.{name}` must have another name: training "
                    f"takes the argument `{name}`, whatever the attribute "
                    f"says. Pass the value to `super().__init__({name}=...)`. "
                    f"Received: {inspect.getattr_static(cls, name)!r}"
                )

    def __repr__(self) -> str:
        """Returns the call that wraps the model like this."""
        return description.call(type(self).__name__, self.model, self._method)

    def describe(self) -> str:
        """Returns lines of text that say what is trained, and how.

        They say how far and in which direction a step climbs, what the
        optimizer gets, which steps climb, how many gradients a step costs, how
        many weights move, and what XLA compiles.
        """
        return description.text(self, self._method)

    @property
    def perturbed_variables(self) -> list[keras.Variable]:
        """The trained variables that `perturb` chooses: they move in the climb.

        Raises:
            ValueError: If `perturb` chooses none, or the model is not built.
        """
        trained = variables.trained(self)
        if not trained and not self.built:
            raise ValueError(
                "`perturbed_variables` needs a model that is built: call it on "
                f"a batch first. Received: {self.model!r}"
            )
        return self._selection().pick(trained)

    @property
    def climbs(self) -> float | None:
        """The number of train steps that have climbed; None if not counted.

        The wrapper counts only if `cadence` may skip steps. The number is the
        mean over the replicas and the parts of a batch, which may differ.
        """
        memory = self._memory.current()
        if memory is None or not self._method.skips_steps:
            return None
        return float(memory.climbs)

    @property
    def layers(self) -> list[keras.Layer]:
        """The layers of the inner model, then those of a subclass."""
        inner = (self.model, self._memory, self._seeds, self._radius)
        held = {id(o) for o in inner}
        own = [layer for layer in super().layers if id(layer) not in held]
        return [*self.model.layers, *own]

    def get_layer(
        self, name: str | None = None, index: int | None = None
    ) -> keras.Layer:
        """Returns a layer by its name, or by its index in `layers`.

        The name of the inner model gives the inner model, unless one of its
        layers has the same name.
        """
        names = [layer.name for layer in self.layers]
        if index is None and name == self.model.name and name not in names:
            return self.model
        return super().get_layer(name, index)

    @property
    def inputs(self) -> Any:
        """The symbolic inputs of the inner model, if it has any."""
        return self.model.inputs

    @property
    def outputs(self) -> Any:
        """The symbolic outputs of the inner model, if it has any."""
        return self.model.outputs

    @property
    def input(self) -> Any:
        """The symbolic input of the inner model, as it is nested.

        An inner model without one may have been called as a part of the
        wrapper, which then has one.
        """
        inner = hasattr(self.model, "input")
        return self.model.input if inner else super().input

    @property
    def output(self) -> Any:
        """The symbolic output of the inner model, see `input`."""
        inner = hasattr(self.model, "output")
        return self.model.output if inner else super().output

    @property
    def input_shape(self) -> Any:
        """The shape of the input of the inner model."""
        return self.model.input_shape

    @property
    def output_shape(self) -> Any:
        """The shape of the output of the inner model."""
        return self.model.output_shape

    @property
    def output_names(self) -> list[str]:
        """The output names of the inner model.

        The losses and metrics in `compile` may be dicts with these names.
        """
        return self.model.output_names

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, serialized.

        Raises:
            ValueError: If an argument cannot be saved.
        """
        return {
            **super().get_config(),
            **configuration.of_arguments(self._method.arguments()),
            "model": self._serialized_model(),
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
        dtype = arguments.pop("dtype", None)
        trainable = arguments.pop("trainable", True)
        with no_effect.ignored():
            model = cls(**arguments)
        # `compile` scales losses if the dtype policy says so, and not every
        # inner model restores its policy.
        if dtype is not None:
            model.dtype_policy = dtype
        # Each layer has its own from the inner model: True would replace it.
        if not trainable:
            model.trainable = False
        return model
