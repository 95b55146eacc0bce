r"""The landscapes at the end of the runs of `examples.study`.

    python -m examples.study --output_dir=study
    python -m examples.study.landscapes --output_dir=study

Measures the networks of the small study with wrong labels. The methods and
radii below were fixed before any result. The data are 512 training examples,
wrong labels included, in batches of 128. `landscapes.csv` has a row for each
network, and the table is made from this file alone. A row is written when its
network is finished, so the same command continues.
"""

import pathlib

from examples import options
from examples import paired
from examples import progress
from examples import runs
from examples import train
from examples import usage
from examples.landscape import measurements
from examples.study import grid
from keras_sam import landscape as landscapes

GROUPS = options.GROUPS

NOISE = 0.3
ARMS = (("sgd", 0), ("sam", 1), ("last", 5), ("mean", 5), ("matched", 5))
# Of training, and of the climbs that measure, by data set.
RADII = {"digits": 0.2, "mnist1d": 0.1}
STEPS = 5
EXAMPLES = 512
BATCH_SIZE = 128
KEY = ("dataset", "method", "n", "seed")
QUANTITIES = {
    "one_step": "sharpness, one step",
    "n_steps": f"sharpness, {STEPS} steps",
    "gap": "gap of the two",
    "cosine": "cosine of g_0 and z_n - w",
    "straightness": "straightness of the climb",
    "eigenvalue": "largest eigenvalue",
}


def wanted(planned):
    """Returns the runs whose networks are measured."""
    return [
        run
        for run in planned
        if run.noise == NOISE
        and (run.method, run.n) in ARMS
        and run.rho in (0.0, RADII[run.dataset])
    ]


def measure(run):
    """Returns the row of a run, a dict."""
    at, _ = measurements.open_landscape(
        pathlib.Path(run.settings.output_dir) / "model.keras",
        {"split": "train", "examples": EXAMPLES, "batch_size": BATCH_SIZE},
        train.load_data(run.settings),
    )
    rho = RADII[run.dataset]
    climb = {"ascent_steps": STEPS, "radius": "split"}
    sharpness = landscapes.sharpness(at, rho, **climb)
    path = landscapes.path(at, rho, **climb).mean()
    top = landscapes.eigenvalues(at, 1, iterations=30, tolerance=0.01)
    return {
        **{name: getattr(run, name) for name in KEY},
        "one_step": sharpness.one_step,
        "n_steps": sharpness.value,
        "gap": sharpness.gap,
        "cosine": float(path["cosine_to_displacement"]),
        "straightness": float(path["straightness"]),
        "eigenvalue": float(top.values[0]),
        "residual": float(top.residuals[0]),
    }


def table(rows):
    """Returns the table of means with 95 % intervals over seeds, Markdown."""
    lines = [
        "| data | method | " + " | ".join(QUANTITIES.values()) + " |",
        "|---|---|" + "---|" * len(QUANTITIES),
    ]
    for dataset in RADII:
        for method, n in ARMS:
            of_arm = [
                row
                for row in rows
                if (row["dataset"], row["method"], int(row["n"]))
                == (dataset, method, n)
            ]
            cells = []
            for name in QUANTITIES if of_arm else ():
                found = paired.interval([float(row[name]) for row in of_arm])
                half = (found.high - found.low) / 2
                cells.append(f"{found.mean:.3g} ± {half:.1g}")
            if cells:
                title = method if n < 2 else f"{method}, n = {n}"
                lines.append(f"| {dataset} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def key(run):
    """Returns what a row of the file says of its run."""
    return tuple(str(getattr(run, name)) for name in KEY)


def main(argv):
    settings = options.settings()
    folder = pathlib.Path(settings.output_dir)
    planned = grid.plan(
        grid.CONFIGS["small"],
        settings,
        (),
        folder / "runs",
    )
    file = folder / "landscapes.csv"
    rows = runs.read_csv(file)
    known = {tuple(row[name] for name in KEY) for row in rows}
    networks = wanted(planned)
    todo = [run for run in networks if key(run) not in known]
    with progress.Progress(
        "Network", len(networks), before=len(networks) - len(todo)
    ) as shown:
        for run in todo:
            rows.append(measure(run))
            runs.write_csv(file, rows[0], rows)
            shown.done(" ".join(key(run)))
    print(table(runs.read_csv(file)))


if __name__ == "__main__":
    usage.run(main, GROUPS)
