"""Tables and figures of `examples.study.along`, from its rows alone."""

import collections
import math

import matplotlib
import numpy as np
from matplotlib import figure

from examples import paired
from examples import runs
from examples.study import analysis
from examples.study import figures

# What tells trainings apart.
KEY = ("dataset", "method", "n", "seed")
STEPS = 5
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
# Networks of a method against networks of SAM, seed by seed. Of the first
# quantities the ratio, since they grow by magnitudes along a training.
AGAINST_SAM = {
    "one_5": "rise, one step, %",
    "several_5": "rise, 5 steps, %",
    "eigenvalue": "largest eigenvalue, %",
}


def key(row):
    """Returns what tells the training of a row from the others."""
    return tuple(row[name] for name in KEY)


def value(row, name):
    """Returns a quantity of a row, a float."""
    if name == "gain":
        return 100 * (float(row["several_5"]) / float(row["one_5"]) - 1)
    return float(row[name])


def series(rows, name):
    """Returns {data set: {arm: {epoch: {seed: value}}}}."""
    found = collections.defaultdict(
        lambda: collections.defaultdict(lambda: collections.defaultdict(dict))
    )
    for row in rows:
        arm = row["method"], int(row["n"])
        of_epoch = found[row["dataset"]][arm][int(row["epoch"])]
        of_epoch[int(row["seed"])] = value(row, name)
    return found


def cells(rows):
    """Returns (data set, arm, epoch) of the rows, in their order."""
    found = [
        (row["dataset"], (row["method"], int(row["n"])), int(row["epoch"]))
        for row in rows
    ]
    order = {
        dataset: i
        for i, dataset in enumerate(dict.fromkeys(d for d, *_ in found))
    }
    arms = list(figures.STYLES)
    return sorted(
        set(found), key=lambda c: (order[c[0]], arms.index(c[1][0]), c[2])
    )


def tables(rows):
    """Returns {title: table in Markdown}."""
    return {
        "One step and 5 steps from the same weights": _means(rows, CLIMBS),
        "Where the gradients point: cosines": _means(rows, GRADIENTS),
        "Cosines with the gradient of the test loss at w": _means(rows, UNSEEN),
        "Networks of a method against those of SAM": _against_sam(rows),
    }


def _means(rows, quantities):
    found = {name: series(rows, name) for name in quantities}
    lines = [
        f"| data | trained by | epoch | {' | '.join(quantities.values())} |",
        f"|{'---|' * (3 + len(quantities))}",
    ]
    for dataset, arm, epoch in cells(rows):
        line = []
        for name in quantities:
            values = list(found[name][dataset][arm][epoch].values())
            interval = paired.interval(values)
            half = interval.high - interval.mean
            line.append(f"{interval.mean:.3g} ± {half:.1g}")
        lines.append(
            f"| {dataset} | {analysis.name(arm)} | {epoch} | "
            f"{' | '.join(line)} |"
        )
    return "\n".join(lines)


def _against_sam(rows):
    lines = [
        f"| data | trained by | epoch | {' | '.join(AGAINST_SAM.values())} |",
        f"|{'---|' * (3 + len(AGAINST_SAM))}",
    ]
    for dataset, arm, epoch in cells(rows):
        if arm != ("sam", 1):
            line = [
                _percent(ratio(rows, name, dataset, arm, epoch))
                for name in AGAINST_SAM
            ]
            lines.append(
                f"| {dataset} | {analysis.name(arm)} | {epoch} | "
                f"{' | '.join(line)} |"
            )
    return "\n".join(lines)


def ratio(rows, name, dataset, arm, epoch):
    """Returns the `paired.Interval` of the logarithm of a ratio to SAM."""
    of_data = series(rows, name)[dataset]
    ours, sam = of_data[arm][epoch], of_data["sam", 1][epoch]
    return paired.interval([math.log(ours[s] / sam[s]) for s in sorted(ours)])


def _percent(interval):
    mean, low, high = (
        f"{100 * math.expm1(bound):+.1f}"
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
    with matplotlib.rc_context(
        {"svg.hashsalt": "along", "svg.fonttype": "none"}
    ):
        for name, canvas in (
            ("climbs", climbs(rows)),
            ("epochs", epochs(rows)),
        ):
            canvas.savefig(
                folder / f"{name}.svg", metadata={"Date": None, "Creator": None}
            )
            canvas.savefig(
                folder / f"{name}.png", dpi=100, metadata={"Software": None}
            )


def climbs(rows):
    """The rise of the loss along both climbs: a row a data set."""
    places = cells(rows)
    datasets = list(dict.fromkeys(dataset for dataset, *_ in places))
    columns = max(len(_epochs(places, d)) for d in datasets)
    canvas = figure.Figure(
        figsize=(2.3 * columns, 2.5 * len(datasets) + 0.7), layout="constrained"
    )
    panels = canvas.subplots(len(datasets), columns, squeeze=False)
    parts = range(1, STEPS + 1)
    found = {
        name: series(rows, name)
        for name in (f"{k}_{p}" for k in ("one", "several") for p in parts)
    }
    for dataset, line in zip(datasets, panels, strict=True):
        for epoch, axes in zip(_epochs(places, dataset), line, strict=True):
            for arm in _arms(places):
                colour, _, _ = figures.STYLES[arm[0]]
                for kind, dashes in (("one", "-"), ("several", ":")):
                    heights = [
                        np.mean(
                            list(
                                found[f"{kind}_{p}"][dataset][arm][
                                    epoch
                                ].values()
                            )
                        )
                        for p in parts
                    ]
                    axes.plot(
                        [0, *(p / STEPS for p in parts)],
                        [0, *heights],
                        color=colour,
                        linestyle=dashes,
                        linewidth=1.4,
                        label=f"{analysis.name(arm)}, {kind}",
                    )
            axes.set_title(f"{dataset}, epoch {epoch}", fontsize=8)
            axes.tick_params(labelsize=7)
        line[0].set_ylabel("loss - loss at w")
    for axes in panels[-1]:
        axes.set_xlabel("part of rho")
    _legend(canvas, panels[0][0], "Trained by; — one step, ··· 5 steps")
    return canvas


def epochs(rows):
    """Quantities over the epochs, with intervals: a row a data set."""
    shown = {
        "gain": "5 steps rise more by, %",
        "ends": "cosine of the two last gradients",
        "eigenvalue": "largest eigenvalue",
    }
    places = cells(rows)
    datasets = list(dict.fromkeys(dataset for dataset, *_ in places))
    canvas = figure.Figure(
        figsize=(3.4 * len(shown), 2.6 * len(datasets) + 0.7),
        layout="constrained",
    )
    panels = canvas.subplots(len(datasets), len(shown), squeeze=False)
    for dataset, line in zip(datasets, panels, strict=True):
        numbers = _epochs(places, dataset)
        for (name, title), axes in zip(shown.items(), line, strict=True):
            of_data = series(rows, name)[dataset]
            for arm in _arms(places):
                colour, dashes, marker = figures.STYLES[arm[0]]
                intervals = [
                    paired.interval(list(of_data[arm][e].values()))
                    for e in numbers
                ]
                means = np.array([i.mean for i in intervals])
                axes.errorbar(
                    numbers,
                    means,
                    means - [i.low for i in intervals],
                    color=colour,
                    linestyle=dashes,
                    marker=marker,
                    markersize=4,
                    capsize=2,
                    label=analysis.name(arm),
                )
            axes.set_title(f"{dataset}: {title}", fontsize=8)
            axes.tick_params(labelsize=7)
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    _legend(canvas, panels[0][0], "Trained by; mean and 95 % interval")
    return canvas


def _epochs(places, dataset):
    return sorted({epoch for d, _, epoch in places if d == dataset})


def _arms(places):
    return list(dict.fromkeys(arm for _, arm, _ in places))


def _legend(canvas, axes, title):
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=4,
        title=title,
        fontsize=7,
        title_fontsize=8,
    )
