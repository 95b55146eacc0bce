"""What a compiled step must cost, without a clock."""

OPERATIONS = 0.01  # How far from n + 1 plain gradients, relative.
MEMORY = 1.02  # From n = 2 on, the largest ratio to fewer steps.


def faults(case, devices, figures, plain, fewer=None):
    """Returns what is wrong with a compiled step of SAM, a list of strings.

    Args:
        case: `steps.Case` with ascent steps.
        devices: Int, their number.
        figures: Its `compiler.Figures`.
        plain: The figures of plain Keras, on as many devices.
        fewer: The figures with fewer ascent steps, but at least two, likewise;
            None if unknown.
    """
    found = []
    ratio = figures.flops / plain.flops / case.gradients
    if abs(ratio - 1) > OPERATIONS:
        found.append(
            f"operations: {ratio:.3f} times those of {case.gradients} plain "
            "gradients"
        )
    # Not to n = 1: it has no loop, and need not keep where the climb is.
    if fewer and figures.memory > MEMORY * fewer.memory:
        found.append(
            f"memory: {figures.memory / fewer.memory:.3f} times the memory at "
            "fewer steps"
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
