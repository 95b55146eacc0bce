"""Trains by the same rules here and in other libraries, and compares weights.

    make conformance

The script exits with 1 if a rule that should agree does not, or if a peer does
not compute what the rule says of it. Peers need an environment of their own, so
the tests do not run this script.
"""

import collections
import importlib.metadata
import os
import pathlib
import sys

# This must come before the imports of the libraries.
os.environ.update(
    TPU_SKIP_MDS_QUERY="1", TF_CPP_MIN_LOG_LEVEL="3", JAX_PLATFORMS="cpu"
)

import numpy as np  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from tests.support import conformance_peers as peers  # noqa: E402
from tests.support import conformance_rules as rules  # noqa: E402
from tests.support import oracle_methods  # noqa: E402

_FLAGS = flags.FLAGS

# The differences seen are 4e-7: libraries sum float32 in different orders.
TOLERANCE = 1e-5
PACKAGES = (
    "keras",
    "tensorflow",
    "tf_keras",
    "torch",
    "pytorch_optimizer",
    "jax",
    "optax",
)
# Largest differences of weights; `peer_computes` is None without a bug.
Result = collections.namedtuple(
    "Result", "rule momentum adam ours_paper peer_paper peer_computes"
)
PAGE = """# Conformance

Made by `make conformance`; what it does is in `tests/contracts/conformance.py`.

A rule trains the same networks from the same weights, in float32, here and in
another library: {steps} steps of {examples} examples; a perceptron and a
convolutional network, each with one hidden layer of tanh. The numbers are the
largest absolute difference of a weight after the last step:

- "momentum" and "Adam": between ours and the peer's, by base optimizer, of both
  networks;
- "ours to paper" and "peer to paper": from the paper's rule in float64 NumPy,
  which trains the perceptron with plain SGD.

Rules agree if that is at most {tolerance:.0e}. For scale, SAM ends {scale:.0e}
from where training without it does.

{versions}.

{table}

Where they do not agree, the peer does this:

{bugs}

In float64 NumPy, this gives the weights of these peers to {computes:.0e}.
"""
HEAD = (
    "rule",
    "peer",
    "momentum",
    "Adam",
    "ours to paper",
    "peer to paper",
    "agree",
)

flags.DEFINE_string(
    "output", None, "Markdown file to write, where all is as it should be."
)


def distance(first, second):
    """Returns the largest absolute difference, or NaN if any number is NaN."""
    return np.max(
        [
            np.max(np.abs(np.asarray(a, "float64") - b))
            for a, b in zip(first, second, strict=True)
        ]
    )


def by_numpy(method):
    """Returns the last weights of a method in float64."""
    w = [a.astype("float64") for a in peers.weights("mlp")]
    batches = [(x.astype("float64"), y) for x, y in peers.batches("mlp")]
    return method(w, batches, peers.RATES["SGD"])[-1]


def measure(rule):
    """Returns the `Result` of a rule."""

    def ours(*case):
        return peers.ours(*case, variant=rule.variant, **rule.ours)

    def to_peer(optimizer):
        cases = [(network, optimizer) for network in peers.SHAPES]
        return np.max([distance(ours(*c), rule.train(*c)) for c in cases])

    case = "mlp", "SGD"
    paper, peer = by_numpy(rule.paper), rule.train(*case)
    return Result(
        rule,
        to_peer("momentum"),
        to_peer("Adam"),
        distance(ours(*case), paper),
        distance(peer, paper),
        distance(peer, by_numpy(rule.computes)) if rule.bug else None,
    )


def faults(result):
    """Returns what is not as expected, a list of strings."""
    rule, *distances = result
    named = dict(zip(Result._fields[1:], distances, strict=True))
    equal = set(named)
    found = []
    if rule.bug:
        equal = {"ours_paper", "peer_computes"}
        if result.peer_paper <= TOLERANCE:
            found.append("peer_paper: the bug is gone")
    found += [
        f"{name}: {named[name]}"
        for name in sorted(equal)
        # Negated, for NaN.
        if named[name] is not None and not named[name] <= TOLERANCE
    ]
    return [f"{rule.peer}, {rule.name}: {fault}" for fault in found]


def page(results):
    """Returns docs/conformance.md."""
    table = [HEAD, ["---"] * len(HEAD)]
    for result in results:
        rule, *distances, _ = result
        numbers = [f"{d:.0e}" for d in distances]
        agree = "no" if rule.bug else "yes"
        table.append([rule.name, rule.peer, *numbers, agree])
    bugs = [result for result in results if result.rule.bug]
    scale = [
        by_numpy(lambda *case, rho=rho: oracle_methods.sam(*case, rho))
        for rho in (rules.RHO, 0.0)
    ]
    versions = [f"{p} {importlib.metadata.version(p)}" for p in PACKAGES]
    return PAGE.format(
        steps=peers.STEPS,
        examples=peers.EXAMPLES,
        tolerance=TOLERANCE,
        scale=distance(*scale),
        versions=", ".join(versions),
        table="\n".join(f"| {' | '.join(row)} |" for row in table),
        bugs="\n".join(
            f"- {r.rule.peer}, {r.rule.name}: {r.rule.bug}." for r in bugs
        ),
        computes=max(r.peer_computes for r in bugs),
    )


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    results = [measure(r) for r in rules.RULES]
    text = page(results)
    print(text)
    found = [fault for result in results for fault in faults(result)]
    if found:
        sys.exit("\n".join(f"FAULT {fault}" for fault in found))
    if _FLAGS.output:
        pathlib.Path(_FLAGS.output).write_text(text)


if __name__ == "__main__":
    app.run(main)
