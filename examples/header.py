"""What a run prints before it trains: data, model, method and devices."""

import collections
import textwrap

import keras_sam
from examples import runs
from keras_sam import distribute


def show(settings, model, arrays, backup):
    """Prints the header, on the first worker.

    Args:
        settings: The flags of options.py, as attributes.
        model: The compiled wrapper.
        arrays: `data.Arrays`.
        backup: `runs.Backup` of the run.
    """
    if distribute.is_chief(model.distribute_strategy):
        print(text(settings, model, arrays, backup), flush=True)


def text(settings, model, arrays, backup):
    """Returns the lines of the header."""
    environment = runs.environment(model)
    lines = {
        "Data": _data(settings, arrays),
        "Model": f"{settings.model}, {environment['parameters']:,} weights, "
        f"{environment['trainable_parameters']:,} of them trained",
        "Method": _method(settings, model),
        "Radius": _radius(model),
        "Devices": _devices(settings, model, environment),
        "Start": _start(backup),
    }
    return "\n".join(
        textwrap.indent(f"{title}:".ljust(9) + text, " " * 9)[9:]
        for title, text in lines.items()
    )


def _data(settings, arrays):
    images, labels = arrays.train
    data = (
        f"{settings.dataset}, {len(labels):,} training and "
        f"{len(arrays.test[1]):,} test examples of shape {images.shape[1:]}, "
        f"{arrays.num_classes} classes"
    )
    if settings.label_noise:
        data += f"; {settings.label_noise:.0%} of the training labels are wrong"
    return data


def _method(settings, model):
    """Returns the name of the method, and in words what a step does."""
    title = keras_sam.recipes.RECIPES[settings.method].heading
    return f"{settings.method}: {title}\n{model.describe()}"


def _radius(model):
    if model.ascent_steps or model.start is not None:
        return f"rho = {model.rho}"
    return "none: no step climbs"


def _devices(settings, model, environment):
    counts = collections.Counter(environment["devices"])
    names = ", ".join(f"{n} x {name}" for name, n in counts.items())
    replicas = model.distribute_strategy.num_replicas_in_sync
    return (
        f"{names}; --strategy={settings.strategy}, replicas: {replicas}; "
        f"{settings.mixed_precision}"
    )


def _start(backup):
    if not (backup.epoch or backup.step):
        return "a new run"
    return (
        f"continues after epoch {backup.epoch}, step {backup.step} of the next"
    )
