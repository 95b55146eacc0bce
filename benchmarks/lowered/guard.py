"""What a compiled step must cost, without a clock."""

OPERATIONS = 0.01  # How far from n + 1 plain gradients, relative.
MEMORY = 1.02  # From n = 1 on, the largest ratio to n = 1.


def faults(case, devices, figures, plain, one):
    """Returns what is wrong with a compiled step of SAM, a list of strings.

    Args:
        case: `steps.Case` with ascent steps.
        devices: Int, their number.
        figures: Its `compiler.Figures`.
        plain: The figures of plain Keras, on as many devices.
        one: The figures with one ascent step, likewise; None if unknown.
    """
    found = []
    ratio = figures.flops / plain.flops / case.gradients
    if abs(ratio - 1) > OPERATIONS:
        found.append(
            f"operations: {ratio:.3f} times those of {case.gradients} plain "
            "gradients"
        )
    # From the second step on the climb keeps where it has come to, a copy of
    # the weights.
    if one and figures.memory > MEMORY * one.memory + 4 * one.weights:
        found.append(
            f"memory: {figures.memory / one.memory:.3f} times that of n=1"
        )
    if devices > 1:
        found += _of_collectives(case, figures, plain)
    return found


def _of_collectives(case, figures, plain):
    """Without synchronisation devices exchange one gradient, else all."""
    names = sorted({c.name for c in figures.collectives})
    if names != ["all-reduce"]:
        yield f"collectives: {names} instead of all-reduces"
    # Beside the gradients there are losses and batch statistics, as in plain
    # Keras, which exchanges those of each pass.
    expected = plain.reduced * case.gradients if case.synced else plain.reduced
    limit = expected * (1 + OPERATIONS)
    least = case.gradients if case.synced else 1
    if not least <= figures.reduced <= limit:
        yield (
            f"all-reduces: {figures.reduced:.3f} gradients, where {least} to "
            f"{limit:.3f} are expected"
        )
    if not case.synced and figures.reductions > 1:
        yield f"all-reduces: {figures.reductions} a step instead of one"
