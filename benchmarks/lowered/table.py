"""The tables that `benchmarks.lowered` prints, in Markdown."""

HEAD = (
    *("network", "policy", "devices", "method"),
    *("operations / (n+1)", "said / (n+1)", "bytes moved / (n+1)"),
    *("memory, MiB", "to n=1", "all-reduces", "gradients reduced"),
    *("bytes of them", "compiler, s"),
)


def head():
    """Returns the first two lines of the table of compiled steps."""
    return f"{_row(HEAD)}\n{_row(['---'] * len(HEAD))}"


def row(case, where, figures, plain, one):
    """Returns the line of a compiled step.

    Args:
        case: `steps.Case`.
        where: String, the devices.
        figures: Its `compiler.Figures`.
        plain: The figures of plain Keras on these devices.
        one: The figures of one ascent step, or None.
    """
    climbs = ", synced" if case.synced else ""
    to_one = f"{figures.memory / one.memory:.3f}" if one else ""
    ratios = [
        f"{ours / theirs / case.gradients:.3f}"
        for ours, theirs in (
            (figures.flops, plain.flops),
            (figures.said, plain.said),
            (figures.moved, plain.moved),
        )
    ]
    return _row(
        (
            *(case.network, case.policy, where, case.method + climbs),
            *ratios,
            f"{figures.memory / 2**20:.1f}",
            to_one,
            str(figures.reductions),
            f"{figures.reduced:.3f}",
            f"{figures.sent:.3f}",
            f"{figures.seconds:.0f}",
        )
    )


def _row(cells):
    return f"| {' | '.join(cells)} |"
