r"""The picture of README, from runs of `examples.study`.

    make sharper
    python -m examples.study.picture --output_dir=study-sharper

Left, the test accuracy of SGD and of SAM over the epochs, on digits with 30 %
wrong training labels, over all seeds. Right, the loss around the network that
each of them ends in, for one seed, over one plane of random, filter-normalized
directions. It reads the folders of the runs. It writes `sam.png` and `sam.csv`.
"""

import dataclasses
import json
import pathlib

import numpy as np
from absl import flags
from matplotlib import colors
from matplotlib import figure

from examples import options
from examples import paired
from examples import runs
from examples import train
from examples import usage
from examples.landscape import measurements
from examples.study import figures
from examples.study import grid
from keras_sam import landscape as landscapes

FLAGS = flags.FLAGS
flags.DEFINE_integer("plane_seed", 19, "The seed of the two networks.")
GROUPS = {"Picture": ("plane_seed",), **options.GROUPS}

DATASET = "digits"
RHO = 0.57  # The middle radius.
NAMES = {"sgd": "SGD", "sam": "SAM"}
EXAMPLES, BATCH_SIZE = 512, 128
SIDE = np.linspace(-1.0, 1.0, 25)
LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def chosen(settings):
    """Returns {method: its runs}, of the seeds that both have run here."""
    folder = pathlib.Path(settings.output_dir)
    by_method = {method: {} for method in NAMES}
    for run in grid.plan(
        grid.CONFIGS["sharper"], settings, (), folder / "runs"
    ):
        if (
            (run.dataset == DATASET and run.method in NAMES)
            and run.rho in (0.0, RHO)
            and result(run).exists()
        ):
            by_method[run.method][run.seed] = run
    both = sorted(set.intersection(*map(set, by_method.values())))
    return {
        method: [of_method[seed] for seed in both]
        for method, of_method in by_method.items()
    }


def result(run):
    """Returns the path of the file that a finished run has."""
    return pathlib.Path(run.settings.output_dir) / "result.json"


def accuracies(of_method):
    """Returns the test accuracies in percent, an array (seeds, epochs)."""
    return np.array(
        [
            [
                100 * epoch["val_accuracy"]
                for epoch in json.loads(result(run).read_text())["history"]
            ]
            for run in of_method
        ]
    )


@dataclasses.dataclass(frozen=True)
class Surface:
    """The loss minus the loss at w over a plane, and the accuracy at w."""

    rises: np.ndarray
    test_accuracy: float


def surface(run):
    """Returns the `Surface` around the end of a run."""
    at, _ = measurements.open_landscape(
        result(run).parent / "model.keras",
        {"split": "train", "examples": EXAMPLES, "batch_size": BATCH_SIZE},
        train.load_data(run.settings),
    )
    losses = landscapes.plane(at, x=SIDE, y=SIDE, seed=0).losses
    accuracy = json.loads(result(run).read_text())["test_accuracy"]
    return Surface(losses - at.loss(at.params), accuracy)


def draw(curves, surfaces):
    """Returns the figure.

    Args:
        curves: {method: array (seeds, epochs)}.
        surfaces: {method: `Surface`}.
    """
    canvas = figure.Figure(figsize=(9.6, 3.0), layout="constrained")
    panels = canvas.subplots(1, 3, width_ratios=(1.5, 1, 1))
    for method, of_method in curves.items():
        _curve(panels[0], method, of_method)
    panels[0].set(
        xlabel="epoch",
        ylabel="test accuracy, %",
        title="digits, 30 % wrong training labels",
    )
    panels[0].legend(loc="lower right")
    for axes, (method, found) in zip(panels[1:], surfaces.items(), strict=True):
        drawn = axes.contourf(
            SIDE,
            SIDE,
            np.maximum(found.rises, LEVELS[0]),
            levels=LEVELS,
            norm=colors.LogNorm(LEVELS[0], LEVELS[-1]),
            cmap="cividis",
            extend="max",
        )
        axes.plot(0, 0, "+", color="white")
        axes.set(
            aspect="equal",
            xticks=(-1, 0, 1),
            yticks=(-1, 0, 1),
            title=f"{NAMES[method]}: {100 * found.test_accuracy:.1f} %",
        )
    canvas.colorbar(
        drawn, ax=list(panels[1:]), label="loss - loss at the weights"
    )
    return canvas


def _curve(axes, method, accuracies):
    found = [paired.interval(of_epoch) for of_epoch in accuracies.T]
    epochs = range(1, len(found) + 1)
    colour, dashes, _ = figures.STYLES[method]
    axes.plot(
        epochs,
        [interval.mean for interval in found],
        color=colour,
        linestyle=dashes,
        label=NAMES[method],
    )
    axes.fill_between(
        epochs,
        [interval.low for interval in found],
        [interval.high for interval in found],
        color=colour,
        alpha=0.15,
        linewidth=0,
    )


def _rounded(interval):
    return {
        name: round(getattr(interval, name), 3)
        for name in ("mean", "low", "high")
    }


def main(argv):
    settings = options.settings()
    folder = pathlib.Path(settings.output_dir)
    of_method = chosen(settings)
    curves = {method: accuracies(found) for method, found in of_method.items()}
    surfaces = {
        method: surface(run)
        for method, found in of_method.items()
        for run in found
        if run.seed == FLAGS.plane_seed
    }
    draw(curves, surfaces).savefig(
        folder / "sam.png", dpi=110, metadata={"Software": None}
    )
    runs.write_csv(
        folder / "sam.csv",
        ["method", "seeds", "epoch", "mean", "low", "high"],
        [
            {
                "method": method,
                "seeds": len(found),
                "epoch": epoch,
                **_rounded(paired.interval(values)),
            }
            for method, found in curves.items()
            for epoch, values in enumerate(found.T, 1)
        ],
    )


if __name__ == "__main__":
    usage.run(main, GROUPS)
