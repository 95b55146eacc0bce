"""The model wrapper: sharpness-aware minimization in Keras's train step."""

import keras

from keras_sam import _keras_internals
from keras_sam import _types
from keras_sam import parts
from keras_sam._algorithm import method
from keras_sam._algorithm import selection
from keras_sam._algorithm import splits
from keras_sam._algorithm import step
from keras_sam._algorithm.memory import Memory
from keras_sam._backend import building
from keras_sam._backend import evaluator
from keras_sam._backend import replicas
from keras_sam._backend import values
from keras_sam._backend import variables
from keras_sam._training import saving
from keras_sam._training import tracking
from keras_sam._training.tensorflow import loops
from keras_sam._training.tensorflow import optimizer_step
from keras_sam._training.tensorflow.distribute import aggregation
from keras_sam._training.tensorflow.distribute import agreement
from keras_sam._training.tensorflow.distribute import fingerprint
from keras_sam._training.tensorflow.distribute import parameter_server
from keras_sam._training.tensorflow.distribute import strategies
from keras_sam.cadences import Every
from keras_sam.descents import Last
from keras_sam.directions import Normalized


@keras.saving.register_keras_serializable(package="keras_sam")
class SharpnessAwareMinimization(loops.Loops, saving.Saving, tracking.Tracking):
    """Sharpness-aware minimization (SAM) of a Keras model.

    Each train step climbs from the weights w to points of higher loss on the
    batch, and descends from w with the gradients met there:

        z_0 = w,  g_i = gradient at z_i
        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1}),    i = 1, ..., n
        w  <- optimizer(w, descent(g_0, ..., g_n))

    The arguments are attributes, and fixed: to change one, wrap the model
    again. All else is Keras's: `compile` the wrapper, then `fit`, `evaluate`,
    `predict`, `save`. The inner model is trained in place; save or export
    `sam.model` alone once training is over. Metrics, the logged loss, batch
    statistics and seeds are those of the clean pass, the one at w. Clipping,
    weight decay, averages and constraints act on the final gradient.

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
        model,
        rho=0.05,
        num_batch_splits=None,
        *,
        ascent_steps=1,
        radius="split",
        direction=Normalized(),
        descent=Last(),
        cadence=Every(),
        start=None,
        ascent_samples=None,
        descent_samples=None,
        perturb=None,
        sync_perturbations=False,
        track=False,
        xla="auto",
        name=None,
    ):
        method.model(model)
        strategies.check(model)
        arguments = method.arguments(
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
        # Now, since workers that differ hang when they create variables.
        agreement.agree(
            replicas.current(),
            lambda: fingerprint.of_wrapper(model, arguments),
        )
        # `autocast=False`: the inner model itself converts its inputs.
        super().__init__(name=name, dtype=model.dtype_policy, autocast=False)
        self.model = model
        for argument, value in arguments.items():
            setattr(self, argument, value)
        self._climb_metric = tracking.Tracker() if track else None
        self._memory = None
        self._workers = parameter_server.workers(self)
        if model.built:
            self.built = True
            self._ensure_memory()

    def call(self, inputs, training=None):
        """Calls the inner model, which inherits `training`.

        In Keras the layers of a model whose `call` has no such argument do not
        learn of it (and are in inference mode).
        """
        del training
        taken = _keras_internals.takes_training(self.model)
        outputs = self.model(inputs, **({} if taken else {"training": None}))
        self._ensure_memory()
        return outputs

    def train_step(self, data):
        """Climbs, combines the gradients met, and descends from the weights.

        The clean pass alone decides on metrics and state (batch statistics,
        seeds). The passes of the climb start from the same state, hence with
        the same dropout mask, and change nothing.
        """
        if parts.decoupled(self.descent):
            optimizer_step.check(self.optimizer)
        building.build(self, data)
        batch = _types.Batch(*keras.utils.unpack_x_y_sample_weight(data))
        number = self.num_batch_splits or 1
        at = evaluator.Evaluator(
            self,
            replicas.count(),
            evaluator.compiles(self.xla, self.jit_compile),
            sliced=step.takes_slices(self),
            once=self.ascent_steps == 0 and number == 1,
        )
        moving = self._moving()
        memory = self._memory.read(self._owners(moving))
        outcome = splits.mean(
            lambda part, state: step.Step(
                self, at, moving, part, state
            ).outcome(memory),
            batch,
            number,
            values.read(at.state),
            at.accumulators,
        )
        outcome = aggregation.aggregate(
            outcome,
            at.statistics(),
            batch.size,
            self.sync_perturbations,
        )
        # State first: a layer may assign weights (SpectralNormalization).
        at.write(outcome.state)
        optimizer_step.apply(
            self.optimizer,
            at.grads_and_variables(outcome.grads, outcome.overwrites),
            zip(outcome.correction, at.params, strict=False),
        )
        self._memory.write(
            outcome.memory, outcome.grads if at.loss_scaled else []
        )
        _keras_internals.loss_tracker(self).update_state(
            outcome.loss, sample_weight=batch.size
        )
        logs = self.compute_metrics(
            batch.x,
            batch.y,
            outcome.y_pred,
            sample_weight=batch.sample_weight,
        )
        return self._with_measured(outcome.measured, batch.size, logs)

    @property
    def metrics(self):
        """The metrics of the wrapper, and those that the inner model holds."""
        # Keras leaves out what a nested model itself holds.
        return [*super().metrics, *_keras_internals.own_metrics(self.model)]

    @property
    def climbs(self):
        """How many train steps have climbed, a float; None if not counted.

        They are counted where `cadence` skips some; the mean over replicas and
        parts of a batch, which may differ.
        """
        if self._memory is None:
            return None
        *_, count = self._memory.read(self._owners(self._moving()))
        return None if isinstance(count, tuple) else float(count)

    @property
    def output_names(self):
        """The inner model's, so that losses and metrics may be dicts of it."""
        return self.model.output_names

    def get_config(self):
        """Returns the arguments of the constructor, serialized.

        Raises:
            ValueError: If one of them cannot be saved.
        """
        saved = {
            name: method.saved(name, getattr(self, name))
            for name in ("rho", "perturb", *parts.PARTS)
        }
        return {
            **super().get_config(),
            **saved,
            "model": keras.saving.serialize_keras_object(self.model),
            "num_batch_splits": self.num_batch_splits,
            "ascent_steps": self.ascent_steps,
            "radius": self.radius,
            "sync_perturbations": self.sync_perturbations,
            "track": self.track,
            "xla": self.xla,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the model with the given serialized arguments."""
        config = {
            name: keras.saving.deserialize_keras_object(value, custom_objects)
            for name, value in config.items()
        }
        dtype, trainable = config.pop("dtype"), config.pop("trainable")
        model = cls(**config)
        # Not every inner model brings its dtype policy back, on which depends
        # whether `compile` scales losses.
        model.dtype_policy = dtype
        model.trainable = trainable
        return model

    def _perturbed(self):
        """Returns the indices of the trained variables that climb."""
        return selection.indices(
            self.perturb,
            variables.trained(self),
            (f"{self.name}/", f"{self.model.name}/"),
        )

    def _moving(self):
        return selection.Moving(self._perturbed())

    def _owners(self, moving):
        """Returns the parts, each with the variables that it works on."""
        trained = variables.trained(self)
        climbing = moving.pick(trained)
        return [
            (self.start, climbing),
            (self.direction, climbing),
            (self.descent, trained),
            (self.cadence, trained),
            (step.Climbs(self), []),
        ]

    def _ensure_memory(self):
        if self._memory is None and variables.trained(self):
            self._memory = Memory(self, self._owners(self._moving()))
