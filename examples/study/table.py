"""The tidy results of `examples.study`: one CSV file, one row a run."""

import csv
import dataclasses
import pathlib

from examples import runs
from examples.study import grid

# What tells runs apart.
KEY = ("dataset", "model", "noise", "method", "n", "rho", "seed")


@dataclasses.dataclass(frozen=True)
class Row:
    """A finished run. Accuracies are fractions, losses cross-entropies."""

    dataset: str
    model: str
    noise: float
    method: str
    n: int
    descent: str
    radius: str
    rho: float
    seed: int
    test_accuracy: float  # At the end: what the study is about.
    best_test_accuracy: float  # Of all epochs, so chosen by the test set.
    test_loss: float
    train_loss: float  # On the labels as they are, during the last epoch.
    train_accuracy: float
    gradient_evaluations: int
    seconds: float
    settings: str
    versions: str

    @property
    def key(self):
        """What tells the run from the others."""
        return tuple(getattr(self, name) for name in KEY)


FIELDS = {field.name: field.type for field in dataclasses.fields(Row)}


def key(run):
    """Returns the key that the row of a run will have."""
    return tuple(getattr(run, name) for name in KEY)


def row(run, result):
    """Returns the row of a run of grid.py with its `result.json`."""
    _, descent, radius = grid.METHODS[run.method]
    last = result["history"][-1]
    return Row(
        **dict(zip(KEY, key(run), strict=True)),
        descent=descent,
        radius=radius,
        test_accuracy=result["test_accuracy"],
        best_test_accuracy=max(e["val_accuracy"] for e in result["history"]),
        test_loss=result["test_loss"],
        train_loss=last["loss"],
        train_accuracy=last["accuracy"],
        gradient_evaluations=round(result["gradient_evaluations"]),
        seconds=round(result["train_seconds"], 2),
        settings=run.digest,
        versions=" ".join(f"{k}-{v}" for k, v in result["versions"].items()),
    )


def write(path, rows):
    """Writes the file in one piece."""
    runs.write_csv(path, FIELDS, map(dataclasses.asdict, rows))


def read(path):
    """Returns the rows of a file that `write` has written.

    Raises:
        ValueError: If it is none, or holds a run twice.
    """
    with pathlib.Path(path).open(newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != list(FIELDS):
            raise ValueError(
                f"{path} must begin with the columns {list(FIELDS)}. "
                f"Received: {reader.fieldnames}"
            )
        rows = [_parsed(path, reader.line_num, line) for line in reader]
    seen = {}
    for number, found in enumerate(rows, 2):
        if seen.setdefault(found.key, number) != number:
            raise ValueError(
                f"{path} holds a run twice, in lines {seen[found.key]} and "
                f"{number}: {found.key}"
            )
    return rows


def _parsed(path, number, line):
    try:
        if None in line:
            raise ValueError("too many columns")
        return Row(**{name: kind(line[name]) for name, kind in FIELDS.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}, line {number} is not a row of a study ({error}). "
            f"Received: {line}"
        ) from error
