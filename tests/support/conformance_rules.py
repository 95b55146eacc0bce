"""The rules of other libraries, each with our rule and the paper's."""

import dataclasses
import functools
import types

import pytorch_optimizer

from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from tests.support import conformance_oracle
from tests.support import conformance_peers as peers
from tests.support import oracle
from tests.support import oracle_costs
from tests.support import oracle_descents
from tests.support import oracle_methods

RHO = 0.3
PARTS = 2


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule of one peer.

    Attributes:
        name: String.
        peer: String.
        train: Function from (network, optimizer) to weights, by the peer.
        paper: Function from (weights, batches, lr) to weights after each step.
        ours: Dict of arguments of `keras_sam.SAM`.
        variant: The variant of the network, see `conformance_peers.py`.
        bug: String, what the peer does instead of the paper's rule. None if the
            peer should agree.
        computes: Function like `paper`, for the rule with the bug.
    """

    name: str
    peer: str
    train: object
    paper: object
    ours: dict
    variant: str | None = None
    bug: str | None = None
    computes: object = None


def pytorch(name, **arguments):
    """Returns the training with a class of pytorch_optimizer."""

    def wrap(module, base, options):
        if name == "GSAM":
            return pytorch_optimizer.GSAM(
                module.parameters(),
                base(module.parameters(), **options),
                module,
                types.SimpleNamespace(step=lambda: RHO),
                **arguments,
            )
        model = [module] if name == "WSAM" else []
        return getattr(pytorch_optimizer, name)(
            *model, module.parameters(), base, rho=RHO, **arguments, **options
        )

    return functools.partial(peers.of_torch, wrap=wrap)


def optax(steps):
    """Returns the rule of optax for a number of ascent steps."""
    return Rule(
        f"SAM, {steps} steps of length rho" if steps > 1 else "SAM",
        "optax.contrib.sam",
        functools.partial(peers.of_optax, rho=RHO, steps=steps),
        functools.partial(
            oracle_descents.multistep_last, rho=RHO, n=steps, radius="full"
        ),
        {"rho": RHO, "ascent_steps": steps, "radius": "full"},
    )


def tf_keras(name, paper, variant=None, splits=None, **bug):
    """Returns a rule of tf_keras's class."""
    arguments = {"rho": RHO, "num_batch_splits": splits}
    return Rule(
        name,
        "tf_keras",
        functools.partial(peers.of_tf_keras, variant=variant, **arguments),
        functools.partial(paper, rho=RHO),
        arguments,
        variant,
        **bug,
    )


def summed(w, batches, lr, rho):
    """m-SAM with the gradients of the parts added up."""
    return oracle_methods.m_sam(w, batches, PARTS * lr, rho, PARTS)


PLAIN = oracle.gradient
REGULARIZED = conformance_oracle.regularized(peers.L2)
DROPPED = conformance_oracle.dropped(peers.MASKS["mlp"])
RULES = (
    optax(1),
    optax(2),
    optax(3),
    tf_keras("SAM", oracle_methods.sam),
    tf_keras(
        f"m-SAM, {PARTS} parts",
        functools.partial(oracle_methods.m_sam, parts=PARTS),
        splits=PARTS,
        bug="adds up the gradients of the parts instead of averaging them, "
        "which Adam does not notice",
        computes=functools.partial(summed, rho=RHO),
    ),
    tf_keras(
        "SAM, weights regularized",
        functools.partial(
            conformance_oracle.sam, climb=REGULARIZED, descend=REGULARIZED
        ),
        variant="regularized",
        bug="leaves regularizers out of the loss",
        computes=functools.partial(oracle_methods.sam, rho=RHO),
    ),
    tf_keras(
        "SAM, with dropout",
        functools.partial(
            conformance_oracle.sam, climb=DROPPED, descend=DROPPED
        ),
        variant="dropout",
        bug="climbs in inference mode, without dropout",
        computes=functools.partial(
            conformance_oracle.sam, rho=RHO, climb=PLAIN, descend=DROPPED
        ),
    ),
    Rule(
        "SAM",
        "pytorch_optimizer",
        pytorch("SAM"),
        functools.partial(oracle_methods.sam, rho=RHO),
        {"rho": RHO},
    ),
    Rule(
        "ASAM, eta = 0",
        "pytorch_optimizer",
        pytorch("SAM", adaptive=True),
        functools.partial(oracle_methods.asam, rho=RHO, eta=0.0),
        {"rho": RHO, "direction": directions.Adaptive(eta=0.0)},
    ),
    Rule(
        "GSAM",
        "pytorch_optimizer",
        pytorch("GSAM", alpha=0.4),
        functools.partial(oracle_descents.gsam, rho=RHO, alpha=0.4),
        {"rho": RHO, "descent": descents.SurrogateGap(0.4)},
    ),
    Rule(
        "WSAM, coupled",
        "pytorch_optimizer",
        pytorch("WSAM", gamma=0.75, decouple=False),
        functools.partial(oracle_descents.wsam_coupled, rho=RHO, gamma=0.75),
        {"rho": RHO, "descent": descents.Penalized(3.0)},
    ),
    Rule(
        "WSAM, decoupled",
        "pytorch_optimizer",
        pytorch("WSAM", gamma=0.75),
        functools.partial(oracle_descents.wsam_decoupled, rho=RHO, gamma=0.75),
        {"rho": RHO, "descent": descents.Decoupled(3.0)},
    ),
    Rule(
        "LookSAM, k = 2",
        "pytorch_optimizer",
        pytorch("LookSAM", k=2, alpha=0.7),
        functools.partial(oracle_costs.looksam, rho=RHO, period=2, alpha=0.7),
        {"rho": RHO, "cadence": cadences.Reuse(2, 0.7)},
        bug="takes the directions and norms of each variable on its own, where "
        "the paper has one vector of all; and evaluates two gradients in the "
        "steps between, too",
        computes=functools.partial(
            conformance_oracle.looksam_by_variable, rho=RHO, period=2, alpha=0.7
        ),
    ),
    Rule(
        "Friendly SAM",
        "pytorch_optimizer",
        pytorch("FriendlySAM", sigma=0.8, lmbda=0.6),
        functools.partial(
            oracle_methods.friendly, rho=RHO, sigma=0.8, decay=0.6
        ),
        {"rho": RHO, "direction": directions.Friendly(0.8, 0.6)},
    ),
)
