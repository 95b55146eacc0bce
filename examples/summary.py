"""Turns the results of many runs into a table and a figure."""

import numpy as np
from matplotlib import figure


def summarize(results):
    """Returns one row a method: mean and sample deviation over the seeds."""
    rows = []
    for method, of_method in results.items():
        accuracy = [100 * result["test_accuracy"] for result in of_method]
        seconds = [result["train_seconds"] for result in of_method]
        rows.append(
            {
                "method": method,
                "seeds": len(accuracy),
                "test_accuracy_percent": float(np.mean(accuracy)),
                "deviation": (
                    float(np.std(accuracy, ddof=1))
                    if len(accuracy) > 1
                    else None
                ),
                "gradient_evaluations": of_method[0]["gradient_evaluations"],
                "seconds": float(np.mean(seconds)),
            }
        )
    return rows


def table(rows):
    """Formats the rows for a terminal."""
    lines = [
        f"{'method':<28} {'test accuracy, %':>18} {'gradients':>10} {'s':>7}"
    ]
    for row in rows:
        accuracy = f"{row['test_accuracy_percent']:.2f}"
        if row["deviation"] is not None:
            accuracy += f" ± {row['deviation']:.2f}"
        lines.append(
            f"{row['method']:<28} {accuracy:>18} "
            f"{row['gradient_evaluations']:>10.0f} {row['seconds']:>7.1f}"
        )
    return "\n".join(lines)


def plot(results, path, title):
    """Draws test accuracy by epoch and by cost, mean and deviation."""
    # Okabe and Ito's colours; the dashes tell the lines apart in grey too.
    styles = [
        ("#000000", ":"),
        ("#0072B2", "-"),
        ("#D55E00", "--"),
        ("#009E73", "-."),
        ("#CC79A7", (0, (5, 1))),
    ]
    canvas = figure.Figure(figsize=(10, 4), layout="constrained")
    by_epoch, by_cost = canvas.subplots(1, 2, sharey=True)
    for (method, of_method), (colour, dashes) in zip(
        results.items(), styles, strict=True
    ):
        curves = 100 * np.array(
            [
                [epoch["val_accuracy"] for epoch in result["history"]]
                for result in of_method
            ]
        )
        mean = curves.mean(axis=0)
        spread = curves.std(axis=0, ddof=1) if len(curves) > 1 else 0 * mean
        epochs = np.arange(1, len(mean) + 1)
        per_epoch = of_method[0]["gradient_evaluations"] / len(mean)
        for axes, x in ((by_epoch, epochs), (by_cost, epochs * per_epoch)):
            axes.plot(x, mean, color=colour, linestyle=dashes, label=method)
            axes.fill_between(
                x, mean - spread, mean + spread, color=colour, alpha=0.15
            )
    by_epoch.set(xlabel="epoch", ylabel="test accuracy (%)")
    by_cost.set(xlabel="gradient evaluations", xscale="log")
    by_epoch.legend(loc="lower right")
    canvas.suptitle(title)
    canvas.savefig(path, dpi=150)
