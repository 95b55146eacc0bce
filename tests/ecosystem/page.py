"""docs/ecosystem.md, written from what the checks found."""

import datetime
import importlib.metadata
import os

from tests.ecosystem import checks
from tests.support import machine

PACKAGES = (
    "keras",
    "tensorflow",
    "keras-hub",
    "keras-rs",
    "keras-tuner",
    "scikit-learn",
    "numpy",
)
HEAD = (
    "model",
    "package",
    "parameters",
    "plain equal",
    "SAM",
    "n = 3, mean",
    "save, load",
    "export",
    "seconds",
    "remarks",
)
PAGE = """# Other packages

Made by `make ecosystem`; what it does is in `tests/ecosystem/`.

Each model is small, has random weights, and needs no network. Plain Keras
trains it by `fit`. The wrapper trains it by the same `fit` on the same data.

- "plain equal": `ascent_steps=0` against plain Keras. The number is the largest
  difference of a weight, a batch statistic or a seed. The logs must agree, too.
- "SAM" (rho = {rho}) and "n = 3, mean" (three ascent steps and
  `descents.Mean()`): against a loop by hand, which moves the weights of the
  plain model. The number is the distance of the weights, in parts of what
  training changed. It may be {by_hand:.0e}. Plain Keras must be {far:.0e} away.
- "save, load": the largest difference of a prediction after `save` and
  `load_model`, and of a weight after one more epoch.
- "export": the largest difference of an output of the SavedModels of the
  wrapper and of the inner model, in parts of the largest output.
- "seconds": of processor time.

{date}, {processor}, {cores} cores, {seconds:.0f} seconds. {versions}.

{table}

{faults}
"""


def page(rows, seconds):
    """Returns the page.

    Args:
        rows: List of `rows.Row`.
        seconds: Float, what the run took.
    """
    faults = [f"- {row.name}, {fault}" for row in rows for fault in row.faults]
    return PAGE.format(
        rho=checks.SAM["rho"],
        by_hand=checks.BY_HAND,
        far=checks.FAR,
        date=datetime.date.today(),
        processor=machine.processor(),
        cores=os.cpu_count(),
        seconds=seconds,
        versions=", ".join(
            f"{p} {importlib.metadata.version(p)}" for p in PACKAGES
        ),
        table=table(rows),
        faults="\n".join(
            ["Failures:", "", *faults] if faults else ["There is no failure."]
        ),
    )


def table(rows):
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
