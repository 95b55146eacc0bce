"""Tables of `examples.study.along`, from its rows alone."""

import decimal
import math

from examples import paired
from examples import runs
from examples.study import along_figures
from examples.study import along_rows
from examples.study import analysis

# Column of along.csv, or a function of a row: what a reader calls it.
CLIMBS = {
    "loss": "loss at w",
    "one_5": "rise, one step",
    "several_5": "rise, 5 steps",
    "gain": "5 steps rise more by, %",
    "way_first": "cosine of g_0 and z_5 - w",
    "eigenvalue": "largest eigenvalue",
}
GRADIENTS = {
    "ends": "last of 5 steps and of one",
    "one_first": "last of one step and g_0",
    "last_first": "last of 5 steps and g_0",
    "last_way": "last of 5 steps and z_5 - w",
}
UNSEEN = {
    "first_unseen": "g_0",
    "one_unseen": "last of one step",
    "last_unseen": "last of 5 steps",
    "mean_unseen": "mean of 5 steps",
}
# Ratios to the networks of SAM, seed by seed: these quantities change by
# magnitudes along a training.
AGAINST_SAM = {
    "one_5": "rise, one step, %",
    "several_5": "rise, 5 steps, %",
    "eigenvalue": "largest eigenvalue, %",
}


def tables(rows):
    """Returns {title: table in Markdown}."""
    return {
        "One step and 5 steps from the same weights": _means(rows, CLIMBS),
        "Where the gradients point: cosines": _means(rows, GRADIENTS),
        "Cosines with the gradient of the test loss at w": _means(rows, UNSEEN),
        "Networks of a method against those of SAM": _against_sam(rows),
    }


def _means(rows, quantities):
    found = {name: along_rows.series(rows, name) for name in quantities}
    lines = _head(quantities)
    for where, arm, epoch in along_rows.ends(rows):
        line = []
        for name in quantities:
            values = list(found[name][where][arm][epoch].values())
            interval = paired.interval(values)
            half = interval.high - interval.mean
            line.append(f"{_digits(interval.mean, 3)} ± {_digits(half, 2)}")
        lines.append(
            f"| {where} | {analysis.name(arm)} | {epoch} | {' | '.join(line)} |"
        )
    return "\n".join(lines)


def _against_sam(rows):
    lines = _head(AGAINST_SAM)
    for where, arm, epoch in along_rows.ends(rows):
        if arm != ("sam", 1):
            line = [
                _percent(along_rows.ratio(rows, name, where, arm, epoch))
                for name in AGAINST_SAM
            ]
            lines.append(
                f"| {where} | {analysis.name(arm)} | {epoch} | "
                f"{' | '.join(line)} |"
            )
    return "\n".join(lines)


def _head(quantities):
    names = ["data, radius", "trained by", "epoch", *quantities.values()]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]


def _digits(number, digits):
    """Returns a number rounded to some digits, without an exponent."""
    return format(decimal.Decimal(f"{number:.{digits}g}"), "f")


def _percent(interval):
    mean, low, high = (
        # Plus 0.0, so that there is no -0.0.
        f"{round(100 * math.expm1(bound), 1) + 0.0:+.1f}"
        for bound in (interval.mean, interval.low, interval.high)
    )
    text = f"{mean} [{low}, {high}]"
    return f"**{text}**" if interval.excludes_zero else text


def write(rows, folder):
    """Writes along.md and the figures; prints the tables."""
    text = "\n\n".join(
        f"### {t}\n\n{table}" for t, table in tables(rows).items()
    )
    runs.write_text(folder / "along.md", f"{text}\n")
    print(text)
    along_figures.draw(rows, folder)
