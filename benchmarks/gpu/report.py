"""The table of `benchmarks.gpu`, and its targets."""

from benchmarks import targets

OURS = "keras_sam"
HEAD = (
    *("network", "precision", "library", "method", "ms a step"),
    *("to plain", "first step, s", "compiler, s", "its processor time, s"),
    *("MiB, program", "MiB, peak so far"),
)


def gradients(method):
    """Returns how many gradients a method evaluates in a step."""
    if method.startswith("n="):
        return 1 + int(method[2:].partition("-")[0])
    return 2 if method.startswith("SAM") else 1


def plain_of(method):
    """Returns the method of plain training that a method compares with."""
    return "plain-compiled" if method.endswith("-compiled") else "plain"


def ratio(library, method):
    """Returns a step to a plain one of the same library; None if unknown."""
    return _over(library.median(method), library.median(plain_of(method)))


def table(libraries):
    """Returns the rows of all libraries and methods, in Markdown."""
    lines = [HEAD, ["---"] * len(HEAD)]
    for library in libraries:
        for method in library.methods:
            facts = library.facts.get(method, {})
            lines.append(
                (
                    *(library.network, library.precision, library.name, method),
                    _cell(library.median(method), 1000, 2),
                    _cell(ratio(library, method), 1, 3),
                    _cell(library.first.get(method), 1, 1),
                    _cell(facts.get("compile"), 1, 1),
                    _cell(facts.get("compile_processor"), 1, 1),
                    _cell(facts.get("program"), 2**-20, 1),
                    _cell(facts.get("peak"), 2**-20, 1),
                )
            )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def failure_lines(libraries):
    """Returns a line for each cause for which a library has not measured."""
    found = []
    for library in libraries:
        causes = {}
        for method in library.methods:
            if why := _cause(library, method):
                causes.setdefault(why, []).append(method)
        where = f"{library.network}, {library.precision}, {library.name}"
        found += [
            f"{where}, {', '.join(methods)}: {why}"
            for why, methods in causes.items()
        ]
    return found


def _cause(library, method):
    unknown = None if library.median(method) else "not reached"
    return library.failures.get(method, unknown)


def recipe_lines(recipes):
    """Returns what is to be said of the recipes, a list of strings.

    Args:
        recipes: `comparing.Recipes`.
    """
    found = recipes.compared
    wrong = [r for r in found if not r["difference"] <= r["tolerance"]]
    known = {r["recipe"] for r in found}
    missing = [name for name in recipes.names if name not in known]
    met = "missed" if wrong else "met"
    if not wrong and (missing or not found):
        met = "not measured to the end"
    return [
        f"{met}: recipes equal the float64 oracle: "
        f"{len(found) - len(wrong)} of {len(recipes.names)}",
        *map(str, wrong),
        *([f"not compared: {', '.join(missing)}"] if missing else []),
        *dict.fromkeys(recipes.errors),
    ]


def target_lines(libraries):
    """Returns a line for each target: met, missed or not measured."""
    found = []
    for ours in libraries:
        if ours.name == OURS:
            rivals = [
                x
                for x in libraries
                if x.name != OURS
                and (x.network, x.precision) == (ours.network, ours.precision)
            ]
            where = f"{ours.network}, {ours.precision}"
            found += [f"{where}: {line}" for line in _of(ours, rivals)]
    return found


def _of(ours, rivals):
    for method in ours.methods:
        number = gradients(method)
        if number > 1:
            yield _race_line(
                f"{method}, a step to {number} plain ones",
                (ours, method),
                (ours, "plain"),
                number,
            )
    # Of processor time, since libraries compile at the same time.
    for what, key, limit in (
        ("compiler", "compile_processor", 1.1),
        ("memory of the program", "program", 1.02),
    ):
        eight, one = (ours.facts.get(m, {}).get(key) for m in ("n=8", "n=1"))
        cause = _first_cause((ours, "n=8"), (ours, "n=1"))
        measured = _over(eight, one)
        line = _line(f"{what}, n=8 to n=1", measured, limit, cause)
        if key == "program" and measured is not None and measured > limit:
            weights = 4 * ours.facts["n=1"]["parameters"]
            more = (eight - one) / weights
            line += f"; {more:.2f} times the weights in float32 more"
        yield line
    for rival in rivals:
        for method in rival.methods:
            same = "n=1" if method.startswith("SAM") else "plain"
            what = f"{same} to {rival.name}, {method}"
            yield _race_line(what, (ours, same), (rival, method))


def _race_line(what, one, other, number=1):
    """Compares a step of one library and method with some of another."""
    medians = [library.median(method) for library, method in (one, other)]
    measured = _over(_over(*medians), number)
    line = _line(what, measured, 1.0, _first_cause(one, other))
    if measured is not None and measured > 1.0:
        times, others = (
            library.times[method] for library, method in (one, other)
        )
        if min(times) <= number * max(others):
            line += "; the fastest turn met it against the slowest"
    return line


def _first_cause(*entries):
    return next(filter(None, (_cause(*entry) for entry in entries)), None)


def _line(what, measured, limit, cause):
    if measured is None:
        return f"not measured: {what}: {cause}"
    return targets.line(what, measured, limit)


def _over(one, other):
    return one / other if one is not None and other else None


def _cell(number, factor, digits):
    return "" if number is None else f"{number * factor:.{digits}f}"
