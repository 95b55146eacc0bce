r"""Trains an image classifier with sharpness-aware minimization (SAM).

    python -m examples.train --output_dir=runs/sam
    python -m examples.train --output_dir=runs/mean --method=multistep_mean
    python -m examples.train --output_dir=runs/asam --method=asam --rho=1 \
        --direction='Adaptive(eta=0.1)'
    python -m examples.train --output_dir=runs/cifar --dataset=cifar10 \
        --model=wrn-28-10 --epochs=200 --lr_schedule=step

The same command continues an interrupted run. The result equals that of an
uninterrupted run, to the bit on a CPU; on a GPU add `--deterministic`. For a
finished run the command prints the result. `--method=sgd` is plain SGD.
"""

import importlib.util
import json
import pathlib

import keras
from absl import flags

import keras_sam
from examples import data
from examples import engine
from examples import header
from examples import methods
from examples import models
from examples import options
from examples import progress
from examples import runs
from examples import usage
from keras_sam import distribute

flags.DEFINE_flag(
    usage.Action(
        "list_methods",
        "Show all methods.",
        lambda: str(keras_sam.recipes.RECIPES),
    )
)


def train(settings):
    """Trains, tests and saves one model, or picks up where it was left.

    Args:
        settings: The flags of options.py, as attributes.

    Returns:
        The content of `result.json`.
    """
    kept = {k: v for k, v in vars(settings).items() if k not in options.PLACES}
    # Several runs in one process: all alike. It forgets a distribution, too.
    keras.utils.clear_session()
    if settings.deterministic:
        engine.machine.make_deterministic()
    strategy = options.STRATEGIES[settings.strategy](settings)
    with engine.strategies.training(strategy):
        return _train(settings, kept, strategy)


def _train(settings, kept, strategy):
    folder = pathlib.Path(settings.output_dir)
    distribute.agree(strategy, kept)

    def look():
        runs.check(folder, kept)
        result = folder / "result.json"
        return json.loads(result.read_text()) if result.exists() else None

    # Of several workers only the first needs to see the folder.
    result = distribute.on_chief(strategy, look)
    if result is not None:
        if distribute.is_chief(strategy):
            print(f"{folder} is finished; nothing to do.", flush=True)
        return result

    keras.config.set_dtype_policy(settings.mixed_precision)
    # The first worker downloads and prepares; others may share its disk.
    distribute.on_chief(strategy, lambda: load_data(settings) and None, 3600)
    arrays = load_data(settings)
    # Not before, since TFDS draws random numbers when it prepares data.
    keras.utils.set_random_seed(settings.seed)
    model = build(settings, arrays, strategy)

    def claim():
        if distribute.is_chief(strategy):
            runs.claim(folder, kept)

    backup = runs.Backup(
        folder / "checkpoints", settings.checkpoint_steps or "epoch", claim
    )
    header.show(settings, model, arrays, backup)
    fit(model, settings, arrays, backup)
    test = model.evaluate(
        data.test_batches(arrays, settings.batch_size),
        return_dict=True,
        verbose=0,
    )
    with distribute.writing(strategy, folder / "model.keras") as path:
        model.model.save(path)
    content = {
        "test_accuracy": test["accuracy"],
        "test_loss": test["loss"],
        **runs.cost(
            settings,
            model,
            steps_per_epoch(settings, arrays),
            backup.history,
        ),
        **runs.environment(model),
        "settings": kept,
        "history": backup.history,
    }

    def write():
        runs.write_json(folder / "result.json", content)
        return content

    # The times of workers differ.
    return distribute.on_chief(strategy, write)


def load_data(settings):
    """Loads the data set and spoils the training labels as asked."""
    arrays = data.load(settings.dataset, settings.data_dir)
    images, labels = arrays.train
    labels = data.with_label_noise(
        labels, settings.label_noise, arrays.num_classes, settings.noise_seed
    )
    arrays = data.Arrays((images, labels), arrays.test, arrays.num_classes)
    steps = steps_per_epoch(settings, arrays)
    if not steps or steps % settings.steps_per_execution:
        raise ValueError(
            f"{len(labels)} training images in batches of "
            f"--batch_size={settings.batch_size} make {steps} steps an epoch, "
            "which must be a positive multiple of --steps_per_execution="
            f"{settings.steps_per_execution}"
        )
    return arrays


def steps_per_epoch(settings, arrays):
    """Full batches in an epoch."""
    return len(arrays.train[1]) // settings.batch_size


def build(settings, arrays, strategy):
    """Returns the compiled model, a network inside SAM."""
    with engine.strategies.making(strategy):
        network = models.build(
            settings.model,
            arrays.train[0].shape[1:],
            arrays.num_classes,
            settings.dropout,
        )
        model = keras_sam.SAM(
            network,
            **sam_arguments(settings, steps_per_epoch(settings, arrays)),
            xla=options.XLA[settings.xla],
        )
        model.compile(
            optimizer=optimizer(settings, steps_per_epoch(settings, arrays)),
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=settings.label_smoothing
            ),
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
            steps_per_execution=settings.steps_per_execution,
        )
    return model


def sam_arguments(settings, steps):
    """Returns the arguments of SAM, for `steps` steps an epoch."""
    arguments = methods.arguments(settings, settings.epochs * steps, steps)
    if settings.rho_min is not None:
        arguments["rho"] = keras_sam.radii.LinearInLearningRate(
            options.SCHEDULES[settings.lr_schedule](settings, steps),
            rho_max=arguments["rho"],
            rho_min=settings.rho_min,
            lr_max=settings.learning_rate,
        )
    return arguments


def optimizer(settings, steps):
    """Returns SGD as the flags describe it, for `steps` steps an epoch."""
    averaging = settings.ema_decay is not None
    sgd = keras.optimizers.SGD(
        options.SCHEDULES[settings.lr_schedule](settings, steps),
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay or None,
        global_clipnorm=settings.gradient_clipping,
        use_ema=averaging,
        **({"ema_momentum": settings.ema_decay} if averaging else {}),
    )
    if settings.weight_decay and settings.no_weight_decay_on_bn:
        sgd.exclude_from_weight_decay(var_names=["gamma", "beta"])
    return sgd


def fit(model, settings, arrays, backup):
    """Runs the epochs that are still to run."""
    callbacks = []
    chief = distribute.is_chief(model.distribute_strategy)
    if settings.tensorboard and chief:
        if importlib.util.find_spec("tensorboard") is None:
            raise ModuleNotFoundError(
                "TensorBoard logs need the package `tensorboard`. Install it, "
                "or pass --notensorboard."
            )
        logs = pathlib.Path(settings.output_dir) / "tensorboard"
        callbacks.append(keras.callbacks.TensorBoard(logs))
    steps = steps_per_epoch(settings, arrays)
    # Under a strategy `fit` looks at a batch even if no epoch is left.
    first = min(backup.epoch, settings.epochs - 1)
    with progress.Progress(
        "Epoch", settings.epochs, before=backup.epoch
    ) as shown:
        if chief:
            callbacks.append(progress.Epochs(shown, steps))
        model.fit(
            data.train_batches(
                arrays,
                settings.batch_size,
                settings.seed,
                range(first, settings.epochs),
                data.augmentation(settings.dataset, settings.augment),
            ),
            initial_epoch=backup.epoch,
            epochs=settings.epochs,
            steps_per_epoch=steps,
            validation_data=data.test_batches(arrays, settings.batch_size),
            callbacks=[*callbacks, backup],
            shuffle=False,  # train_batches has done it.
            verbose=0,
        )


def main(argv):
    settings = options.settings()
    result = train(settings)
    print(
        f"Test accuracy {result['test_accuracy']:.4f}, "
        f"test loss {result['test_loss']:.4f}, "
        f"{result['gradient_evaluations']:.0f} gradient evaluations, "
        f"{result['train_seconds']:.1f} s of training. "
        f"See {settings.output_dir}/result.json"
    )


if __name__ == "__main__":
    usage.run(main, options.GROUPS)
