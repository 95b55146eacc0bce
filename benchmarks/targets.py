"""The targets of the train step, compared with measurements."""

LARGE = ("resnet-18", "wrn-16-4")
STEPS = {f"n={n}": n for n in (1, 2, 3, 5, 8)}


def lines(found):
    """Returns a line for each target and process.

    Args:
        found: {(network, backend, mode): {method: dict of `ratio`, `first`,
            `memory`, `program` and `weights`}}, the last three in bytes.
    """
    result = []
    for (network, backend, mode), methods in found.items():
        where = f"{network}, {backend}, {mode}"
        result += [f"{where}: {line}" for line in _of(network, methods)]
    return result


def _of(network, methods):
    one, eight, mean = (methods[m] for m in ("n=1", "n=8", "n=8 mean"))
    limit = 1.0 if network in LARGE else 1.03
    for method, n in STEPS.items():
        each = methods[method]["ratio"] / (n + 1)
        yield line(f"(a) {method}, a step to {n + 1} plain ones", each, limit)
    first = eight["first"] / one["first"]
    yield line("(b) first step, n=8 to n=1", first, 1.5)
    for what in ("memory", "program"):
        if not one[what]:
            continue  # Without XLA there is no program that knows.
        name = "process" if what == "memory" else what
        ratio = eight[what] / one[what]
        yield line(f"(c) memory of the {name}, n=8 to n=1", ratio, 1.02)
        if what == "program" or network in LARGE:
            # Of the others a gradient is less than a process varies by.
            more = (mean[what] - eight[what]) / one["weights"]
            yield line(f"(c) {name}, `Mean` over `Last`, gradients", more, 1.0)


def line(what, measured, limit):
    """Returns the line of one target."""
    met = "met" if measured <= limit else "missed"
    return f"{met}: {what}: {measured:.3f}, at most {limit:.2f}"
