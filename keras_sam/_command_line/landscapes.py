"""The command `landscape`: how sharp the loss of saved models is."""

import argparse
import pathlib
import sys
from typing import Any

import keras
import numpy as np

from keras_sam import _text
from keras_sam import landscape
from keras_sam.landscape import Landscape

_EXAMPLES = """\
data.npz has the arrays x and y, as `fit` takes them:

  np.savez("data.npz", x=x_test, y=y_test)

examples:
  python -m keras_sam landscape model.keras data.npz
  python -m keras_sam landscape SGD=sgd.keras SAM=sam.keras data.npz --rho=0.1
  python -m keras_sam landscape model.keras data.npz --plot=loss.png
  python -m keras_sam landscape model.keras data.npz \\
      --loss=sparse_categorical_crossentropy --from_logits
"""


def add(commands: Any) -> None:
    """Adds the command to the parser.

    Args:
        commands: What `ArgumentParser.add_subparsers` has returned.
    """
    command = commands.add_parser(
        "landscape",
        help="measure how sharp the loss of a saved model is",
        description="Measures the loss around saved models in evaluation mode: "
        "sharpness,\naverage sharpness, and the largest eigenvalue of the "
        "Hessian.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "models",
        nargs="+",
        metavar="FILE.keras",
        help="a saved model; NAME=FILE.keras gives it a name in the table",
    )
    command.add_argument(
        "data", metavar="DATA.npz", help="a file of the arrays x and y"
    )
    command.add_argument(
        "--rho",
        type=float,
        metavar="NUMBER",
        default=0.05,
        help="radius of the climbs, and standard deviation of the noise on a "
        "weight (default: %(default)s)",
    )
    _add_int(command, "ascent_steps", 5, "steps of the climb")
    _add_int(command, "examples", 1024, "use the first ones, at most so many")
    _add_int(command, "batch_size", 128, "examples that climb together")
    _add_int(command, "draws", 20, "random perturbations")
    _add_int(command, "products", 60, "Hessian-vector products, at most")
    command.add_argument(
        "--loss",
        metavar="NAME",
        help="name of a loss of Keras, if the file holds none, or another",
    )
    command.add_argument(
        "--from_logits",
        action="store_true",
        help="whether --loss takes logits",
    )
    command.add_argument(
        "--plot",
        metavar="FILE.png",
        help="write a figure of the loss along a random direction, the same "
        "for all models of one network; needs matplotlib",
    )
    command.set_defaults(run=_measured)


def _add_int(command: Any, name: str, default: int, text: str) -> None:
    command.add_argument(
        f"--{name}",
        type=int,
        metavar="INT",
        default=default,
        help=f"{text} (default: %(default)s)",
    )


def _measured(given: argparse.Namespace) -> str:
    """Returns a table of the measurements, a column for each model."""
    x, y = _arrays(given.data, given.examples)
    files = dict(map(_named, given.models))
    if len(files) < len(given.models):
        raise ValueError(
            "models must have different names: NAME=FILE.keras. "
            f"Received: {given.models}"
        )
    opened = {
        name: Landscape(_model(file, given), x, y, batch_size=given.batch_size)
        for name, file in files.items()
    }
    if given.plot:
        _draw(opened, given.plot)
    columns = [_column(name, at, given) for name, at in opened.items()]
    rows = zip(_titles(given), *columns, strict=True)
    return _text.table(rows, numbers=True)


def _draw(opened: dict[str, Landscape], path: str) -> None:
    """Draws before the rest is measured: matplotlib may be missing."""
    lines = {}
    for name, at in opened.items():
        _begin(name, "loss along a random direction")
        lines[name] = landscape.line(at, progress=sys.stdout.isatty())
    landscape.plot(lines).savefig(path, dpi=150)


def _titles(given: argparse.Namespace) -> list[str]:
    steps = f"{given.ascent_steps} steps" if given.ascent_steps > 1 else ""
    return [
        "",
        "examples",
        "loss",
        f"sharpness, one step of {given.rho:g}",
        *([f"sharpness, {steps}"] if steps else []),
        f"average sharpness, noise of {given.rho:g} a weight",
        "its standard error",
        "largest eigenvalue of the Hessian",
        "its residual",
    ]


def _column(name: str, at: Landscape, given: argparse.Namespace) -> list[str]:
    # A bar is for a terminal: elsewhere it is control characters.
    bar = sys.stdout.isatty()
    _begin(name, "sharpness")
    worst = landscape.sharpness(
        at, given.rho, ascent_steps=given.ascent_steps, progress=bar
    )
    _begin(name, "average sharpness")
    average = landscape.average_sharpness(
        at, given.rho, draws=given.draws, progress=bar
    )
    _begin(name, "largest eigenvalue")
    top = landscape.eigenvalues(at, iterations=given.products, progress=bar)
    numbers = [
        worst.loss,
        worst.one_step,
        *([worst.value] if given.ascent_steps > 1 else []),
        average.value,
        average.standard_error,
        top.values[0],
        top.residuals[0],
    ]
    return [name, str(at.size), *(f"{number:.4g}" for number in numbers)]


def _begin(name: str, what: str) -> None:
    print(f"{name}: {what}", file=sys.stderr, flush=True)


def _named(text: str) -> tuple[str, str]:
    """Returns the name and the path in NAME=PATH, or the path twice."""
    name, mark, path = text.partition("=")
    return (name, path) if mark else (text, text)


def _model(path: str, given: argparse.Namespace) -> Any:
    if not pathlib.Path(path).is_file():
        raise ValueError(f"there must be a model at this path: {path!r}")
    model = keras.saving.load_model(path)
    if given.loss is not None:
        model.compile(loss=_loss(given.loss, given.from_logits))
    elif not model.compiled:
        raise ValueError(
            f"{path!r} was saved without a loss. Give it as "
            "--loss=sparse_categorical_crossentropy or another one of Keras"
        )
    return model


def _loss(name: str, from_logits: bool) -> Any:
    loss = keras.losses.get(name)
    if not from_logits:
        return loss
    return lambda y, y_pred: loss(y, y_pred, from_logits=True)


def _arrays(path: str, examples: int) -> list[np.ndarray]:
    """Returns the first examples of x and y in an .npz file."""
    if not pathlib.Path(path).is_file():
        raise ValueError(f"there must be an .npz file at this path: {path!r}")
    with np.load(path) as file:
        missing = {"x", "y"} - set(file)
        if missing:
            raise ValueError(
                f"{path!r} must have the arrays x and y. It has {list(file)}"
            )
        return [file[name][:examples] for name in ("x", "y")]
