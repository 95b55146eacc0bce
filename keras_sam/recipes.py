"""Published methods as rows of parts.

    SAM(model, **keras_sam.recipes.RECIPES["gsam"].arguments)

Most numbers are from the papers or from the authors' code. They are starting
points at best: the radius depends on the model and the data. The docstrings of
the parts say what of a rule could not be confirmed.
"""

import difflib
import re
from typing import Any
from typing import NamedTuple

from keras_sam.cadences import Every
from keras_sam.cadences import Randomly
from keras_sam.cadences import Reuse
from keras_sam.cadences import Threshold
from keras_sam.descents import Accumulated
from keras_sam.descents import CurvatureRegularized
from keras_sam.descents import Decoupled
from keras_sam.descents import FirstOrderFlatness
from keras_sam.descents import Functional
from keras_sam.descents import Mean
from keras_sam.descents import Mirrored
from keras_sam.descents import Penalized
from keras_sam.descents import Renormalized
from keras_sam.descents import SearchedSlerp
from keras_sam.descents import SurrogateGap
from keras_sam.descents import Tilted
from keras_sam.descents import Weighted
from keras_sam.directions import Adaptive
from keras_sam.directions import AdaptiveRandom
from keras_sam.directions import DynamicMask
from keras_sam.directions import Eigen
from keras_sam.directions import Fisher
from keras_sam.directions import FisherMask
from keras_sam.directions import Friendly
from keras_sam.directions import Layerwise
from keras_sam.directions import LowerBound
from keras_sam.directions import NoiseFirst
from keras_sam.directions import Random
from keras_sam.directions import Smoothed
from keras_sam.directions import Sparse
from keras_sam.directions import Subset
from keras_sam.directions import Unified
from keras_sam.directions import Unnormalized
from keras_sam.directions import VarianceSuppressed
from keras_sam.samples import Drawn
from keras_sam.samples import Largest
from keras_sam.samples import Rising
from keras_sam.starts import AdaptiveRandom as AdaptiveRandomStart
from keras_sam.starts import Momentum
from keras_sam.starts import Random as RandomStart
from keras_sam.starts import Stale

__all__ = ["RECIPES", "Recipe"]


class Recipe(NamedTuple):
    """A row of the table of methods.

    Attributes:
        title: String, the name of the method.
        source: String, arXiv id or another reference; may be empty.
        cost: String, the number of gradient evaluations in a train step, with
            n = `ascent_steps`.
        arguments: Dict of keyword arguments of `SharpnessAwareMinimization`.
        note: String, what to know about the method; may be empty.
        numbers: String, whose numbers the arguments are, where they stand, and
            for which data; other numbers of the same authors.
    """

    title: str
    source: str
    cost: str
    arguments: dict[str, Any]
    note: str = ""
    numbers: str = ""


def _recipe(
    title: str,
    source: str,
    cost: str,
    *,
    note: str = "",
    numbers: str = "",
    **arguments: Any,
) -> Recipe:
    return Recipe(title, source, cost, arguments, note, numbers)


class _Recipes(dict[str, Recipe]):
    """The rows by name. An unknown name is an error with the nearest ones."""

    def __missing__(self, name: Any) -> Recipe:
        names = {_plain(key): key for key in self}
        titled = {_plain(row.title): key for key, row in self.items()}
        known, plain = {**titled, **names}, _plain(name)
        near = difflib.get_close_matches(plain, known)
        near = [plain] if plain in known else near
        found = dict.fromkeys(known[match] for match in near)
        meant = (
            f"Did you mean {' or '.join(map(repr, found))}? " if near else ""
        )
        raise KeyError(
            f"`RECIPES` must be asked for one of its names. {meant}Received: "
            f"{name!r}. The names are {', '.join(self)}"
        )


def _plain(name: Any) -> str:
    """Returns a name in small letters and digits, without what joins words."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


_ROWS: dict[str, Recipe] = {
    "sgd": _recipe("The optimizer alone", "", "1", ascent_steps=0),
    "sam": _recipe("SAM", "2010.01412", "2", rho=0.05),
    "m_sam": _recipe(
        "m-SAM",
        "2010.01412",
        "2",
        rho=0.05,
        num_batch_splits=4,
        note="parts of a batch climb on their own",
    ),
    "multistep_last": _recipe(
        "Multi-step SAM", "2302.10181", "n + 1", rho=0.05, ascent_steps=3
    ),
    "multistep_mean": _recipe(
        "Multi-step SAM, mean gradient",
        "2302.10181",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Mean(),
        note="inferred from the authors' code",
    ),
    "multistep_matched": _recipe(
        "its control",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Mean(),
        radius="matched",
        note="the first-order radius of SAM",
    ),
    "multistep_weighted": _recipe(
        "Multi-step SAM, weighted gradients",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Weighted((0.0, 0.2, 0.3, 0.5)),
        note="weights of g_0, ..., g_n",
    ),
    "multistep_full": _recipe(
        "Multi-step SAM, steps of length rho",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        radius="full",
    ),
    "multistep_projected": _recipe(
        "Multi-step SAM, projected",
        "2206.06232",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        radius="projected",
    ),
    "asam": _recipe(
        "ASAM", "2102.11600", "2", rho=0.5, direction=Adaptive(eta=0.01)
    ),
    "usam": _recipe(
        "USAM", "2206.06232", "2", rho=0.05, direction=Unnormalized()
    ),
    "unified": _recipe(
        "Unified SAM",
        "2503.02225",
        "2",
        rho=0.05,
        direction=Unified(share=0.5),
        note="share may be a schedule",
    ),
    "layerwise": _recipe(
        "Layer-wise SAM",
        "2203.02714",
        "2",
        rho=0.01,
        direction=Layerwise(),
        note="not confirmed in the authors' code",
    ),
    "awp": _recipe(
        "AWP's rule",
        "2004.05884",
        "2",
        rho=0.01,
        direction=Layerwise(),
        perturb="kernel",
        note="adversarial inputs are the user's",
    ),
    "fisher": _recipe(
        "Fisher SAM",
        "2206.04920",
        "2",
        rho=0.1,
        direction=Fisher(eta=1.0),
        note="not confirmed in the authors' code",
    ),
    "sam_on": _recipe(
        "SAM-ON",
        "2306.04226",
        "2",
        rho=0.5,
        perturb="gamma|beta",
        note="normalization layers only",
    ),
    "last_layer": _recipe(
        "Last layer only",
        "",
        "2",
        rho=0.05,
        perturb="^logits/",
        note="by the name of the layer",
    ),
    "ssam_f": _recipe(
        "Sparse SAM, Fisher mask",
        "2210.05177",
        "2",
        rho=0.05,
        direction=Sparse(FisherMask(examples=128), sparsity=0.5, period=100),
        note="and `examples` small ones each `period`",
    ),
    "ssam_d": _recipe(
        "Sparse SAM, dynamic mask",
        "2210.05177",
        "2",
        rho=0.05,
        direction=Sparse(
            DynamicMask(steps=10000, drop=0.5), sparsity=0.5, period=100
        ),
        note="steps are those of the training",
    ),
    "friendly": _recipe(
        "Friendly SAM",
        "2403.12350",
        "2",
        rho=0.2,
        direction=Friendly(sigma=1.0, decay=0.9),
    ),
    "vasso": _recipe(
        "VaSSO",
        "2309.15639",
        "2",
        rho=0.05,
        direction=VarianceSuppressed(theta=0.9),
    ),
    "r_sam": _recipe(
        "Random SAM",
        "OpenReview htUvh7xPoa",
        "3",
        rho=0.05,
        direction=Smoothed(sigma=0.01, weight=1.0),
        note="not confirmed",
    ),
    "rwp": _recipe(
        "Random weight perturbation",
        "2404.00357",
        "1",
        rho=0.01,
        ascent_steps=0,
        start=RandomStart(),
    ),
    "rwp_mixed": _recipe(
        "the same, mixed",
        "2404.00357",
        "2",
        rho=0.01,
        direction=Random(),
        descent=Penalized(alpha=0.5),
    ),
    "arwp": _recipe(
        "Adaptive random weight perturbation",
        "2404.00357",
        "1",
        rho=0.01,
        ascent_steps=0,
        start=AdaptiveRandomStart(eta=0.1, decay=0.99),
        note="rho of the authors grows along a cosine",
        numbers="the authors' repository nblt/mARWP: eta and decay in "
        "scripts/run_rwp.sh (CIFAR-100, as it stands VGG16-BN), where the "
        "noise is 0.001 times 1 + 10 (1 - cos(pi t / T)) / 2, up to 0.011; "
        "rho 0.01 is the default of the class ARWP in utils.py, with eta 1 "
        "and decay 0.9",
    ),
    "arwp_mixed": _recipe(
        "the same, mixed",
        "2404.00357",
        "2",
        rho=0.015,
        direction=AdaptiveRandom(eta=0.1, decay=0.99),
        descent=Penalized(alpha=0.5),
        numbers="scripts/run_mrwp.sh of the authors' repository nblt/mARWP "
        "(CIFAR-100, as it stands ResNet-18: sigma 0.015, lambda 0.5, eta 0.1, "
        "beta 0.99)",
    ),
    "nso": _recipe(
        "Noise stability optimization",
        "2306.08553",
        "3",
        rho=0.01,
        direction=Random(scaled=False),
        descent=Mirrored(),
        note="rho is the standard deviation; 2 k + 1 with k `climbs`",
        numbers="the authors' repository VirtuosoResearch/"
        "Noise-stability-optimization: README.md (sigma 0.01, k 1, the weight "
        "of the gradient at w 0), and the scripts in exps_on_image_datasets/"
        "scripts/run_resnet (ResNet-34 fine-tuned: sigma 0.01 for CIFAR-10 and "
        "CIFAR-100, 0.008 for Aircraft, 0.012 for Birds and Indoor, 0.008 to "
        "0.014 searched for others; k 1 to 4)",
    ),
    "tsam": _recipe(
        "Tilted SAM",
        "2410.22656",
        "1 + 3 n",
        rho=0.05,
        ascent_steps=2,
        radius="full",
        direction=NoiseFirst(length=20.0),
        descent=Tilted(tilt=1.0, climbs=3),
        note="3 random points at distance 1, then a step of SAM from each",
        numbers="defaults of the authors' litian96/TSAM image/train_tsam.py "
        "(for CIFAR-10: rho 0.05, radius 1, tilt 1, 3 samples); its scripts "
        "search rho 0.1, tilt 0, 1, 5, 20, 100 and 400, 3 or 5 samples, and 40 "
        "samples at radius 10 and 100 for a ViT on DTD. The values that the "
        "paper settled on were not read",
    ),
    "gnp": _recipe(
        "Gradient norm penalty",
        "2202.03599",
        "2",
        rho=0.1,
        descent=Penalized(alpha=0.8),
        note="alpha = lambda / rho",
    ),
    "gsam": _recipe(
        "GSAM",
        "2203.08065",
        "2",
        rho=0.05,
        descent=SurrogateGap(alpha=0.4),
        note="rho may be a `radii.LinearInLearningRate`",
    ),
    "wsam": _recipe(
        "WSAM",
        "2305.15817",
        "2",
        rho=0.05,
        descent=Decoupled(alpha=9.0),
        note="alpha = gamma / (1 - gamma)",
    ),
    "wsam_coupled": _recipe(
        "WSAM, coupled",
        "2305.15817",
        "2",
        rho=0.05,
        descent=Penalized(alpha=9.0),
    ),
    "stable": _recipe(
        "StableSAM", "2401.07250", "2", rho=0.05, descent=Renormalized()
    ),
    "functional": _recipe(
        "Functional SAM",
        "2502.02407",
        "2",
        rho=0.05,
        descent=Functional(),
        note="not confirmed in code",
        numbers="rho is the default of the wrapper: the values of the paper "
        "(C4 language models, ViTs) were not read, and no code was found",
    ),
    "bisam": _recipe(
        "BiSAM",
        "2407.12993",
        "3",
        rho=0.05,
        direction=LowerBound(mu=1.0),
        note="and a forward pass; for classes; alpha=0.1 is BiSAM (tanh)",
        numbers="defaults of the authors' LIONS-EPFL/BiSAM args.py, and the "
        "example in README.md (BiSAM (-log), rho 0.05 and mu 1, ResNet-56 on "
        "CIFAR-10); the values for each network of the paper were not read",
    ),
    "cr_sam": _recipe(
        "CR-SAM",
        "2312.13555",
        "3",
        rho=0.1,
        descent=CurvatureRegularized(gamma=0.1, beta=0.01),
    ),
    "xsam": _recipe(
        "XSAM",
        "2603.10048",
        "n + 1",
        rho=0.15,
        descent=SearchedSlerp(rho_max=0.3, period=100),
        note="and 21 forward passes each `period`",
    ),
    "looksam": _recipe(
        "LookSAM",
        "2203.02714",
        "1 + n/k",
        rho=0.05,
        cadence=Reuse(k=5, alpha=0.7),
        note="not confirmed in the authors' code",
    ),
    "interval": _recipe(
        "SAM each k-th step",
        "Composer",
        "1 + n/k",
        rho=0.05,
        cadence=Every(k=5),
    ),
    "ss_sam": _recipe(
        "SS-SAM, RST",
        "2203.09962",
        "1 + n p",
        rho=0.05,
        cadence=Randomly(probability=0.5),
        note="not confirmed in code; the probability may be a schedule",
    ),
    "ae_sam": _recipe(
        "AE-SAM",
        "2304.14647",
        "1 + n p",
        rho=0.05,
        cadence=Threshold(steps=10000),
        note="not confirmed in the authors' code; steps of the training",
    ),
    "k_sam": _recipe(
        "K-SAM",
        "2210.12864",
        "1 + (n + 1) f",
        rho=0.05,
        ascent_samples=Largest(fraction=0.25),
        descent_samples=Largest(fraction=0.25),
        note="not confirmed in code; the 1 is a forward pass",
    ),
    "sub_batch": _recipe(
        "Climb on part of the batch",
        "2110.08529",
        "2 + f",
        rho=0.05,
        ascent_samples=Drawn(fraction=0.25),
        note="not confirmed in code; a 1 is a forward pass",
    ),
    "esam": _recipe(
        "ESAM",
        "2110.03141",
        "2 + f",
        rho=0.05,
        direction=Subset(probability=0.6),
        descent_samples=Rising(fraction=0.5),
        note="a 1 is a forward pass",
    ),
    "lookbehind": _recipe(
        "Lookbehind",
        "2307.16704",
        "n + 1",
        rho=0.05,
        ascent_steps=2,
        radius="full",
        descent=Accumulated(alpha=0.5),
        note="exact for plain SGD",
    ),
    "eigen": _recipe(
        "Eigen-SAM",
        "2501.12666",
        "2",
        rho=0.05,
        direction=Eigen(alpha=0.2, period=100),
        note="and 5 Hessian products each `period`",
    ),
    "momentum": _recipe(
        "Momentum-SAM",
        "2401.12033",
        "1",
        rho=0.3,
        ascent_steps=0,
        start=Momentum(decay=0.9),
    ),
    "stale": _recipe(
        "Climb along the last gradient",
        "2503.11147",
        "1",
        rho=0.05,
        ascent_steps=0,
        start=Stale(),
        note="the idea of AsyncSAM",
    ),
    "gam": _recipe(
        "GAM",
        "2303.03108",
        "4",
        rho=0.02,
        descent=FirstOrderFlatness(rho=0.2, gamma=0.03, betas=(0.6, 0.5, 0.4)),
        note="in the form of the authors' code",
    ),
}

RECIPES = _Recipes(_ROWS)
