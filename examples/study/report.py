"""The tables of `examples.study`, as Markdown and as CSV."""

import collections
import csv
import dataclasses
import io

from examples import paired
from examples.study import analysis
from examples.study import grid


def tables(rows):
    """Returns {name: table in Markdown} of the rows of a finished study."""
    cells = analysis.cells(rows)
    return {
        "Test accuracy": _accuracies(cells),
        "Differences": _differences(cells, analysis.CHOSEN),
        "Differences over all radii": _differences(cells, analysis.AVERAGE),
        "Intervals without zero": _counts(cells),
        "Cost": _cost(rows),
    }


def markdown(rows):
    """Returns all tables as one document."""
    return "\n\n".join(
        f"### {name}\n\n{table}" for name, table in tables(rows).items()
    )


def differences(rows):
    """Returns every comparison, at every radius too, as the text of a CSV."""
    text = io.StringIO()
    fields = [field.name for field in dataclasses.fields(paired.Interval)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["dataset", "model", "noise", "difference", "radius", *fields]
    )
    for cell in analysis.cells(rows):
        for pair in analysis.comparisons(cell):
            for where in (
                analysis.CHOSEN,
                analysis.AVERAGE,
                *cell.rhos,
            ):
                found = analysis.difference(cell, pair, where)
                values = (getattr(found, field) for field in fields)
                writer.writerow(
                    [
                        cell.dataset,
                        cell.model,
                        cell.noise,
                        analysis.pair_name(pair),
                        where,
                        *(
                            round(v, 4) if isinstance(v, float) else v
                            for v in values
                        ),
                    ]
                )
    return text.getvalue()


def _table(header, lines):
    return "\n".join(
        f"| {' | '.join(line)} |"
        for line in (header, ["---"] * len(header), *lines)
    )


def _accuracies(cells):
    lines = []
    for arm in cells[0].scores:
        found = []
        for cell in cells:
            scores, radii = cell.chosen[arm]
            low = paired.interval(scores)
            text = f"{low.mean:.2f} ± {low.mean - low.low:.2f}"
            if arm[0] != "sgd":
                picks = sorted(collections.Counter(radii).items())
                text += f" ({', '.join(f'{r:g}' for r, _ in picks)})"
            found.append(text)
        lines.append([analysis.name(arm), *found])
    return _table(["method", *(cell.title for cell in cells)], lines)


def _differences(cells, where):
    lines = []
    for pair in analysis.comparisons(cells[0]):
        found = []
        for cell in cells:
            d = analysis.difference(cell, pair, where)
            text = (
                f"{d.mean:+.2f} [{d.low:+.2f}, {d.high:+.2f}] "
                f"{d.positive}:{d.negative}"
            )
            found.append(f"**{text}**" if d.excludes_zero else text)
        lines.append([analysis.pair_name(pair), *found])
    return _table(["difference", *(cell.title for cell in cells)], lines)


def _counts(cells):
    places = (analysis.CHOSEN, analysis.AVERAGE, "each radius")
    lines = []
    for first, second in grid.COMPARISONS:
        line = [f"{first} - {second}"]
        for place in places:
            found = [
                analysis.difference(cell, pair, where)
                for cell in cells
                for pair in analysis.comparisons(cell)
                for where in (cell.rhos if place == places[-1] else [place])
                if (pair[0][0], pair[1][0]) == (first, second)
            ]
            above = sum(d.low > 0 for d in found)
            below = sum(d.high < 0 for d in found)
            line.append(f"{above} above, {below} below, of {len(found)}")
        lines.append(line)
    return _table(["difference", *places], lines)


def _cost(rows):
    by_task = collections.defaultdict(list)
    for row in rows:
        by_task[row.dataset, row.model].append(row)
    lines = [
        [
            ", ".join(task),
            f"{len(found)}",
            f"{sum(row.gradient_evaluations for row in found):,}",
            f"{sum(row.seconds for row in found) / 3600:.2f}",
        ]
        for task, found in by_task.items()
    ]
    return _table(
        ["task", "runs", "gradient evaluations", "hours of training"], lines
    )
