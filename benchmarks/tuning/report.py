"""The tables of `benchmarks.tuning`, as Markdown, and what follows."""

import numpy as np

from benchmarks.tuning import rules

BEGIN = "<!-- Written by make tuning. -->"


def markdown(given):
    """Returns all tables, and which rules are validated.

    Args:
        given: List of `rules.Task`.
    """
    seeds = len(given[0].sgd) if given else 0
    if seeds < rules.SEEDS:
        return f"No verdict yet: {seeds} of {rules.SEEDS} seeds are finished."
    rows, most = [], (-1, None)
    for rule, moment in rules.all_rules():
        alone = rules.left_out(rule, moment, given)
        other = rules.transferred(rule, moment, given)
        passed = [
            sum(t.passes for t in found.values()) for found in (alone, other)
        ]
        rows.append((rule, moment, passed, rules.fitted(rule, moment, given)))
        most = max(most, (sum(passed), rows[-1]), key=lambda pair: pair[0])
    parts = [
        _verdict(rows, len(given), seeds),
        f"### The rules\n\n{_rules(rows, len(given))}",
        f"### The tasks\n\n{_tasks(given)}",
    ]
    for title, (rule, moment, *_) in (
        ("The rule that passes most", most[1]),
        ("The same radius for all", rows[-1]),
    ):
        parts.append(f"### {title}\n\n{_of_rule(rule, moment, given)}")
    parts.append(f"### The climbs\n\n{_climbs(given)}")
    return "\n\n".join(parts)


def _verdict(rows, number, seeds):
    good = [
        f"{rule.name} {threshold:.3g} ({_when(rule, moment)})"
        for rule, moment, passed, threshold in rows
        if passed == [number, number]
    ]
    if not good:
        return f"**No rule is validated** by these {seeds} seeds."
    return f"Validated by these {seeds} seeds: {'; '.join(good)}."


def _when(rule, moment):
    if rule is rules.CONSTANT:
        return "nothing is measured"
    return f"after {moment}"


def _rules(rows, number):
    lines = [
        "| rule | measured after | threshold, of all tasks | passes, of "
        f"{number}: fitted on the other tasks | fitted on the other data set |",
        "|---|---|---|---|---|",
    ]
    for rule, moment, passed, threshold in rows:
        when = "" if rule is rules.CONSTANT else moment
        numbers = " | ".join(map(str, passed))
        lines.append(f"| {rule.name} | {when} | {threshold:.3g} | {numbers} |")
    return "\n".join(lines)


def _tasks(given):
    lines = [
        "| task | SGD, % | SAM at each radius, % | best radii | gain over SGD "
        "| a rule needs |",
        "|---|---|---|---|---|---|",
    ]
    for task in given:
        gain, (_, radii) = task.gain, task.best
        means = ", ".join(
            f"{rho:g}: {mean:.1f}"
            for rho, mean in zip(task.radii, task.sam.mean(axis=0), strict=True)
        )
        text = f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
        cells = [
            name(task),
            f"{task.sgd.mean():.1f}",
            means,
            _list(radii),
            f"**{text}**" if gain.excludes_zero else text,
            f"{task.needed:+.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _of_rule(rule, moment, given):
    lines = [
        f"“{rule.name}”, {_when(rule, moment)}:",
        "",
        "| task | needs | other tasks: threshold | radii | less SGD | other "
        "data set: threshold | radii | less SGD |",
        "|---|---|---|---|---|---|---|---|",
    ]
    alone = rules.left_out(rule, moment, given)
    other = rules.transferred(rule, moment, given)
    for task in given:
        cells = [name(task), f"{task.needed:+.2f}"]
        for found in (alone[task.key], other[task.key]):
            kept = f"{found.kept:+.2f}"
            cells += [
                f"{found.threshold:.3g}",
                _list(found.radii),
                kept if found.passes else f"{kept} (fails)",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _climbs(given):
    """Returns what is measured at the best radius of each task."""
    moments = list(given[0].climbs)
    lines = [
        "At the radius that is best in the mean of all seeds, after "
        f"{', '.join(moments)}:",
        "",
        "| task | rho | cosine | linear share | rise / loss |",
        "|---|---|---|---|---|",
    ]
    for task in given:
        best = int(np.argmax(task.sam.mean(axis=0)))
        cells = [name(task), f"{task.radii[best]:g}"]
        for column in ("cosine", "linear_share", "relative_rise"):
            means = [
                np.mean([getattr(of[best], column) for of in task.climbs[m]])
                for m in moments
            ]
            cells.append(", ".join(f"{mean:.2f}" for mean in means))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def name(task):
    """Returns a task in words."""
    dataset, noise, model = task.key
    labels = f"{100 * noise:g} % wrong" if noise else "clean"
    return f"{dataset}, {model}, {labels}"


def _list(radii):
    return ", ".join(f"{rho:g}" for rho in sorted(set(radii)))
