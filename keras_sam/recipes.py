"""Published methods as rows of parts.

    print(recipes.RECIPES)               # all of them, as a table
    print(recipes.search("*sam*"))       # some of them
    SAM.from_recipe("gsam", model, rho=0.1)
    SAM(model, **recipes.RECIPES["gsam"].arguments)

Each row says whose its numbers are. They are starting points at best: the
radius depends on the model and the data. The docstrings of the parts say what
of a rule could not be confirmed.
"""

import fnmatch
from typing import Any
from typing import NamedTuple

from keras_sam import _names
from keras_sam import _text
from keras_sam.cadences import Every
from keras_sam.cadences import LatePhase
from keras_sam.cadences import Randomly
from keras_sam.cadences import Reuse
from keras_sam.cadences import Threshold
from keras_sam.descents import Accumulated
from keras_sam.descents import CurvatureRegularized
from keras_sam.descents import Decoupled
from keras_sam.descents import EigenCorrected
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
from keras_sam.directions import LossEquated
from keras_sam.directions import LowerBound
from keras_sam.directions import Matching
from keras_sam.directions import NoiseFirst
from keras_sam.directions import Random
from keras_sam.directions import Smoothed
from keras_sam.directions import Sparse
from keras_sam.directions import Subset
from keras_sam.directions import Unified
from keras_sam.directions import Unnormalized
from keras_sam.directions import VarianceSuppressed
from keras_sam.directions import ZScored
from keras_sam.samples import Drawn
from keras_sam.samples import Largest
from keras_sam.samples import Rising
from keras_sam.selections import Normalization
from keras_sam.starts import AdaptiveRandom as AdaptiveRandomStart
from keras_sam.starts import Momentum
from keras_sam.starts import Random as RandomStart
from keras_sam.starts import Stale

__all__ = ["RECIPES", "Recipe", "find", "search"]


class Recipe(NamedTuple):
    """A row of the table of methods.

    Attributes:
        title: String, the name of the method.
        source: String, arXiv id or another reference; may be empty.
        cost: String, the number of gradient evaluations in a train step, with
            n = `ascent_steps`.
        arguments: Dict of keyword arguments of `SharpnessAwareMinimization`.
        note: String, what to know about the method; may be empty.
        numbers: String, whose numbers the arguments are, for which data, and
            where they stand; then other numbers that were found. It begins
            with "Paper: ", "Authors: ", "Library: " or "Ours: ". It tells each
            number of the arguments, the radius as "rho 0.05" and before other
            radii. It names the repository and file of a number that was read
            in code. Empty for plain training alone.
    """

    title: str
    source: str
    cost: str
    arguments: dict[str, Any]
    note: str = ""
    numbers: str = ""

    def call(self, model: str = "model") -> str:
        """Returns the call of `SAM` that makes the wrapper, as Python.

        Args:
            model: String, the name of the model in the call.
        """
        return _text.call(model, self.arguments)


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
    """Rows by name, in their order. They print as a table.

    An unknown name is an error with the nearest ones.
    """

    def __missing__(self, name: Any) -> Recipe:
        meant = _names.did_you_mean(_names.near(name, _spellings(self)))
        raise KeyError(
            f"`RECIPES` must be asked for one of its names. {meant}Received: "
            f"{name!r}. The names are {', '.join(self)}"
        )

    def __repr__(self) -> str:
        """Returns a table of the rows, a line each."""
        rows = [
            (name, row.title, row.cost, row.source)
            for name, row in self.items()
        ]
        head = ("name", "method", "gradients a step", "source")
        return _text.table([head, *rows])


def find(name: str) -> str:
    """Returns the name in `RECIPES` that is meant by a name or a title.

    Capitals do not count, and "-", "_" and blanks are alike: "SAM-ON" is
    "sam_on", and "Friendly SAM" is "friendly".

    Args:
        name: String.

    Raises:
        ValueError: If no recipe has the name, or several have it. The error
            names those that may be meant.
    """
    key = "_".join(str(name).lower().replace("-", " ").split())
    known = _spellings(RECIPES)
    found = [key] if key in RECIPES else _names.alike(name, known)
    if len(found) == 1:
        return found[0]
    titles = {key: row.title for key, row in RECIPES.items()}
    meant = _names.did_you_mean(_names.near(name, known), titles)
    raise ValueError(
        f"There must be one recipe of this name. {meant}"
        "`print(keras_sam.recipes.RECIPES)` lists all recipes. "
        f"Received: {name!r}"
    )


def search(pattern: str) -> _Recipes:
    """Returns the recipes whose name, title, note or source has a pattern.

        print(recipes.search("*sam*"))

    Args:
        pattern: String. Capitals do not count. "*" stands for any characters,
            "?" for one, "[ab]" for one of some. A pattern without these may be
            anywhere in the text.

    Returns:
        Dict of rows by name, which prints as a table. It is empty if no recipe
        has the pattern.
    """
    whole = pattern if set("*?[") & set(pattern) else f"*{pattern}*"
    return _Recipes(
        (key, row)
        for key, row in RECIPES.items()
        if any(
            fnmatch.fnmatchcase(text.lower(), whole.lower())
            for text in (key, row.title, row.note, row.source)
        )
    )


def _spellings(rows: dict[str, Recipe]) -> dict[str, tuple[str, str]]:
    return {key: (key, row.title) for key, row in rows.items()}


_ROWS: dict[str, Recipe] = {
    "sgd": _recipe("The optimizer alone", "", "1", ascent_steps=0),
    "sam": _recipe(
        "SAM",
        "2010.01412",
        "2",
        rho=0.05,
        numbers="Authors: rho 0.05 for WRN-28-10 on CIFAR-10, 0.1 for "
        "EfficientNet-L2 fine-tuned on ImageNet (google-research/sam, "
        "README.md). ASAM's authors train SAM with 0.05 on CIFAR-10, 0.1 on "
        "CIFAR-100 (SamsungLabs/ASAM, README.md).",
    ),
    "m_sam": _recipe(
        "m-SAM",
        "2010.01412",
        "2",
        rho=0.05,
        num_batch_splits=4,
        note="parts of a batch climb on their own",
        numbers="Ours: SAM's rho 0.05, and 4 parts. In the authors' code a "
        "device is a part (google-research/sam, "
        "sam_jax/training_utils/flax_training.py).",
    ),
    "multistep_last": _recipe(
        "Multi-step SAM",
        "2302.10181",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        numbers="Ours: SAM's rho 0.05, in 3 steps. The paper's numbers were "
        "not read.",
    ),
    "multistep_mean": _recipe(
        "Multi-step SAM, mean gradient",
        "2302.10181",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Mean(),
        note="inferred from the authors' code",
        numbers="Ours: SAM's rho 0.05, in 3 steps. The paper's numbers were "
        "not read; the first author's class has no defaults (Harry24k/MAIR, "
        "mair/optim/minimizer.py).",
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
        numbers="Ours: rho 0.05 and 3 steps, as for `multistep_mean`.",
    ),
    "multistep_weighted": _recipe(
        "Multi-step SAM, weighted gradients",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Weighted((0.0, 0.2, 0.3, 0.5)),
        note="weights of g_0, ..., g_n",
        numbers="Ours: SAM's rho 0.05, in 3 steps; the weights 0, 0.2, 0.3, "
        "0.5 are an example.",
    ),
    "multistep_full": _recipe(
        "Multi-step SAM, steps of length rho",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        radius="full",
        numbers="Ours: SAM's rho 0.05 for each of 3 steps.",
    ),
    "multistep_projected": _recipe(
        "Multi-step SAM, projected",
        "2206.06232",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        radius="projected",
        numbers="Ours: SAM's rho 0.05, in 3 steps. The authors' example has "
        "rho 0.1 and one step, for ResNet-18 with group normalization on "
        "CIFAR-10 (tml-epfl/understanding-sam, README.md).",
    ),
    "asam": _recipe(
        "ASAM",
        "2102.11600",
        "2",
        rho=0.5,
        direction=Adaptive(eta=0.01),
        numbers="Authors: rho 0.5 on CIFAR-10, 1 on CIFAR-100 "
        "(SamsungLabs/ASAM, README.md). Their script has eta 0, and T = 1 on "
        "biases (example_cifar.py). Here T acts on biases too, which begin at "
        "0, so eta is 0.01, the default of their class. With T on all "
        "variables an author found rho 2 best of 0.5, 1, 2, 5 for WRN-16-8 on "
        "CIFAR-10 (davda54/sam, issue 37).",
    ),
    "asam_weights": _recipe(
        "ASAM, T = 1 for biases",
        "2102.11600",
        "2",
        rho=0.5,
        direction=Adaptive(eta=0.0, scaled="(kernel|gamma|embeddings)$"),
        note="as in the authors' code",
        numbers="Authors: rho 0.5, eta 0 for WRN-28-10 on CIFAR-10, rho 1 "
        "on CIFAR-100 (SamsungLabs/ASAM, README.md, "
        "example_cifar.py). The default of their class is eta 0.01.",
    ),
    "usam": _recipe(
        "USAM",
        "2206.06232",
        "2",
        rho=0.05,
        direction=Unnormalized(),
        numbers="Ours: SAM's rho 0.05. The authors' numbers for this rule "
        "were not read. In the table of unified SAM 0.2 is the best of 0.1, "
        "0.2, 0.3, 0.4 for this rule, with WRN-28-10 on CIFAR-10 "
        "(dimitris-oik/unifiedsam, README.md).",
    ),
    "unified": _recipe(
        "Unified SAM",
        "2503.02225",
        "2",
        rho=0.3,
        direction=Unified(share=0.5),
        note="share may be a schedule",
        numbers="Authors: rho 0.3 was best of 0.1, 0.2, 0.3, 0.4 for share "
        "0.5, which they call lambda, with WRN-28-10 on CIFAR-10 "
        "(dimitris-oik/unifiedsam, README.md). Best of all was 1 - 1/t with "
        "rho 0.3; they also train with lambda 0, 1 and 1/t.",
    ),
    "le_sam": _recipe(
        "LE-SAM",
        "2605.10183",
        "2",
        rho=0.35,
        direction=LossEquated(rho_max=999.0),
        note="rho is a rise of the loss, and may be a schedule",
        numbers="Authors: sigma, which is rho 0.35 here, without a bound "
        "but for rho_max 999, for ResNet-18 on CIFAR-100 "
        "(smithgun2005/LE-SAM-ICML2026, README.md). Their file lowers sigma "
        "to 0 along a cosine in the last 40 of 200 epochs; its own "
        "defaults are 0.5 and 0.5. The tables of the paper were not "
        "read.",
    ),
    "layerwise": _recipe(
        "Layer-wise SAM",
        "2203.02714",
        "2",
        rho=0.01,
        direction=Layerwise(),
        note="not confirmed in the authors' code",
        numbers="Ours: rho 0.01, which AWP has for the same rule. The paper's "
        "numbers were not read.",
    ),
    "awp": _recipe(
        "AWP's rule",
        "2004.05884",
        "2",
        rho=0.01,
        direction=Layerwise(),
        perturb="kernel$",
        note="adversarial inputs are the user's",
        numbers="Authors: rho 0.01, their gamma, on CIFAR-10, CIFAR-100 and, "
        "from epoch 5 on, SVHN (csdongxian/AWP, AT_AWP/train_cifar10.py and "
        "others). With TRADES it is 0.005, from epoch 10 on "
        "(trades_AWP/train_trades_cifar.py).",
    ),
    "fisher": _recipe(
        "Fisher SAM",
        "2206.04920",
        "2",
        rho=0.1,
        direction=Fisher(eta=1.0),
        note="not confirmed in the authors' code",
        numbers="Library: rho 0.1 and eta 1 are the defaults of a "
        "re-implementation (johnjaejunlee95/torch-unified-SAM-optimization, "
        "src/sam_optim/FisherSAM.py), whose example for CIFAR has rho 0.05 "
        "and eta 0.2 (README.md). The paper's numbers were not read.",
    ),
    "sam_on": _recipe(
        "SAM-ON",
        "2306.04226",
        "2",
        rho=0.5,
        perturb=Normalization(),
        note="normalization layers only",
        numbers="Authors: rho 0.5 is the default of their script, for "
        "WRN-28-10 on CIFAR-100 (mueller-mp/SAM-ON, train.py). Their example "
        "is ASAM-ON with rho 10, here with direction=Adaptive(eta=0.0) "
        "(README.md).",
    ),
    "last_layer": _recipe(
        "Last layer only",
        "",
        "2",
        rho=0.05,
        perturb="^logits/",
        note="by the name of the layer",
        numbers="Ours: SAM's rho 0.05.",
    ),
    "ssam_f": _recipe(
        "Sparse SAM, Fisher mask",
        "2210.05177",
        "2",
        rho=0.1,
        direction=Sparse(FisherMask(examples=128), sparsity=0.5, period=100),
        note="and `examples` small ones each `period`",
        numbers="Authors: rho 0.1, sparsity 0.5 for ResNet-18 on CIFAR-10, "
        "with a mask from 16 examples every epoch; rho 0.7, sparsity 0.5, 128 "
        "examples for ResNet-50 on ImageNet "
        "(Mi-Peng/Sparse-Sharpness-Aware-Minimization, README.md). The "
        "script's defaults are rho 0.05, sparsity 0.2, 1024 examples, every 5 "
        "epochs (configs/defaulf_cfg.py). Period 100 is ours.",
    ),
    "ssam_f_epochs": _recipe(
        "Sparse SAM, Fisher mask by epochs",
        "2210.05177",
        "2",
        rho=0.05,
        direction=Sparse(
            FisherMask(examples=128, batches=8),
            sparsity=0.2,
            period=5,
            steps_per_epoch=390,
        ),
        note="and 1,024 small ones each `period` epochs; steps_per_epoch is "
        "the data's",
        numbers="Authors: rho 0.05, sparsity 0.2, period 5 epochs and 1024 "
        "examples, here 128 of each of 8 batches, for ResNet-18 on "
        "CIFAR (Mi-Peng/Sparse-Sharpness-Aware-Minimization, "
        "configs/defaulf_cfg.py). Their README has rho 0.1, "
        "sparsity 0.5 and a mask each epoch from 16 examples for "
        "CIFAR-10, and rho 0.7, sparsity 0.5, 128 examples for "
        "ResNet-50 on ImageNet.",
    ),
    "ssam_d": _recipe(
        "Sparse SAM, dynamic mask",
        "2210.05177",
        "2",
        rho=0.1,
        direction=Sparse(
            DynamicMask(steps=10000, drop=0.5), sparsity=0.5, period=100
        ),
        note="steps are those of the training",
        numbers="Authors: drop 0.5 is the default of their script "
        "(Mi-Peng/Sparse-Sharpness-Aware-Minimization, "
        "configs/defaulf_cfg.py); rho 0.1 and sparsity 0.5 are from their "
        "example of the other mask. The defaults are rho 0.05, sparsity 0.2, "
        "every 5 epochs. Period 100 is ours.",
    ),
    "zsharp": _recipe(
        "ZSharp",
        "2505.02369",
        "2",
        rho=0.05,
        direction=ZScored(quantile=0.95),
        note="each kernel moves by rho, as in the authors' code",
        numbers="Authors: rho 0.05, quantile 0.95 for ResNet, VGG and ViT "
        "on CIFAR-10, CIFAR-100 and SVHN, with Adam "
        "(YUNBLAK/Sharpness-Aware-Minimization-with-Z-Score-Gradient-Filtering,"
        " main.py). The tables of the paper were not read.",
    ),
    "friendly": _recipe(
        "Friendly SAM",
        "2403.12350",
        "2",
        rho=0.2,
        direction=Friendly(sigma=1.0, decay=0.6),
        numbers="Authors: rho 0.2, sigma 1, decay 0.6, which they call "
        "lambda, for ResNet-18 on CIFAR-100 (nblt/F-SAM, run.sh). The default "
        "of the decay is 0.9 in the class and 0.95 in train.py.",
    ),
    "vasso": _recipe(
        "VaSSO",
        "2309.15639",
        "2",
        rho=0.2,
        direction=VarianceSuppressed(theta=0.9),
        numbers="Authors: rho 0.2, theta 0.9 for WRN-28-10 on CIFAR-100 "
        "(BingcongLi/VaSSO, train.sh); rho 0.05 and theta 0.9, the defaults, "
        "for ResNet-18 on CIFAR-10 (README.md).",
    ),
    "r_sam": _recipe(
        "Random SAM",
        "OpenReview htUvh7xPoa",
        "3",
        rho=0.05,
        direction=Smoothed(sigma=0.0025, weight=2.0),
        note="3 times forward, twice backward where XLA compiles the step",
        numbers="Ours: SAM's rho 0.05. Weight 2 and sigma 0.0025 are the "
        "authors' for ViT-B/16 on ImageNet. There sigma grows from 0.0005 to "
        "0.0025, and rho up to 2.5 in a warm-up of 10000 steps, then falls to "
        "1.5 with the learning rate (RSAM-Optimizer/R-SAM, vit_jax/train.py).",
    ),
    "rwp": _recipe(
        "Random weight perturbation",
        "2404.00357",
        "1",
        rho=0.01,
        ascent_steps=0,
        start=RandomStart(),
        numbers="Ours: rho 0.01, constant, as in the mixed form of the "
        "authors' first code. Alone, the authors' noise grows along half a "
        "cosine from 0.001 to 0.011, and is scaled by a Fisher diagonal as "
        "well, for VGG-16 on CIFAR-100 (nblt/mARWP, scripts/run_rwp.sh).",
    ),
    "rwp_mixed": _recipe(
        "the same, mixed",
        "2404.00357",
        "2",
        rho=0.015,
        direction=Random(),
        descent=Penalized(alpha=0.5),
        numbers="Authors: rho 0.015, their sigma, and alpha 0.5 for ResNet-18 "
        "on CIFAR-100 (nblt/mARWP, scripts/run_mrwp_ddp.sh). Their first code "
        "has 0.01 there and 0.005 for ResNet-18 on ImageNet (nblt/RWP, "
        "recipes/run_rwp_ddp.sh, recipes/run_rwp_imagenet.sh).",
    ),
    "arwp": _recipe(
        "Adaptive random weight perturbation",
        "2404.00357",
        "1",
        rho=0.01,
        ascent_steps=0,
        start=AdaptiveRandomStart(eta=0.1, decay=0.99),
        note="rho of the authors grows along a cosine",
        numbers="Authors: rho 0.01, the default of their class ARWP "
        "(nblt/mARWP, utils.py), where eta is 1 and decay 0.9. "
        "Their script has eta 0.1 and decay 0.99 for VGG16-BN on "
        "CIFAR-100 (scripts/run_rwp.sh), where the noise is 0.001 "
        "times 1 + 10 (1 - cos(pi t / T)) / 2.",
    ),
    "arwp_mixed": _recipe(
        "the same, mixed",
        "2404.00357",
        "2",
        rho=0.015,
        direction=AdaptiveRandom(eta=0.1, decay=0.99),
        descent=Penalized(alpha=0.5),
        numbers="Authors: rho 0.015, their sigma, alpha 0.5, eta 0.1 and "
        "decay 0.99 for ResNet-18 on CIFAR-100 (nblt/mARWP, "
        "scripts/run_mrwp.sh).",
    ),
    "nso": _recipe(
        "Noise stability optimization",
        "2306.08553",
        "3",
        rho=0.01,
        direction=Random(scaled=False),
        descent=Mirrored(),
        note="rho is the standard deviation; 2 k + 1 with k `climbs`",
        numbers="Authors: rho 0.01, their sigma, and 1 pair of points "
        "(VirtuosoResearch/Noise-stability-optimization, "
        "README.md). Their scripts for fine-tuned ResNet-34 have "
        "sigma 0.01 for CIFAR-10 and CIFAR-100, 0.008 for "
        "Aircraft, 0.012 for Birds and Indoor, and 1 to 4 pairs.",
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
        numbers="Authors: rho 0.05, tilt 1 and 3 points at radius 1, here "
        "length 20 times rho, the defaults for CIFAR-10 "
        "(litian96/TSAM, image/train_tsam.py). Their scripts "
        "search rho 0.1, tilt 0, 1, 5, 20, 100 and 400, 3 or 5 "
        "points, and 40 points at radius 10 and 100 for a ViT on "
        "DTD. What the paper settled on was not read. 2 steps are "
        "the random one and that of SAM.",
    ),
    "gnp": _recipe(
        "Gradient norm penalty",
        "2202.03599",
        "2",
        rho=0.1,
        descent=Penalized(alpha=0.8),
        note="alpha = lambda / rho",
        numbers="Authors: rho 0.1, alpha 0.8 for WRN-28-10 and others on "
        "CIFAR-10, with the unit vector of g_0 in place of g_0 "
        "(zhaoyang-0204/gnp, recipes/wideresnet-cifar.sh and others); rho "
        "0.05, alpha 0.8 on ImageNet (recipes/resnet-imagenet.sh). For "
        "ViT-S/16 on CIFAR-10 also rho 0.1, alpha 1, once the learning rate "
        "has warmed up (recipes/vit-cifar-basic-grwarmup.sh).",
    ),
    "gsam": _recipe(
        "GSAM",
        "2203.08065",
        "2",
        rho=0.05,
        descent=SurrogateGap(alpha=0.4),
        note="rho may be a `radii.LinearInLearningRate`",
        numbers="Ours: rho 0.05, constant. Alpha 0.4 is from the first "
        "author's script for CIFAR-10, which climbs as ASAM does, with rho 2 "
        "(juntang-zhuang/GSAM, example/train.py). In the paper, table 4, rho "
        "falls with the learning rate, on ImageNet: 0.04 to 0.02 with alpha "
        "0.01 for ResNet-50, 0.6 to 0.1 with alpha 0.6 for ViT-B/32 (also "
        "google-research/big_vision, "
        "configs/proj/gsam/vit_i1k_gsam_no_aug.py).",
    ),
    "sagm": _recipe(
        "SAGM",
        "2303.10353",
        "2",
        rho=0.05,
        direction=Matching(ratio=0.02),
        descent=Penalized(alpha=0.5),
        note="ratio = alpha / rho",
        numbers="Authors: rho 0.05 and alpha 0.001, which is ratio 0.02, "
        "for a pretrained ResNet-50 with Adam on PACS, VLCS and "
        "TerraIncognita (Wang-pengfei/SAGM, domainbed/hparams_registry.py); "
        "alpha 0.0005 on OfficeHome and DomainNet. Their 0.5 is the mean of "
        "both gradients.",
    ),
    "wsam": _recipe(
        "WSAM",
        "2305.15817",
        "2",
        rho=0.2,
        descent=Decoupled(alpha=9.0),
        note="alpha = gamma / (1 - gamma)",
        numbers="Authors: rho 0.2 and gamma 0.9, so alpha 9, for ResNet-18 on "
        "CIFAR-10 (intelligent-machine-learning/atorch, "
        "examples/optimizer/train_wsam_entry.sh). The class has rho 0.05 by "
        "default, and once had gamma 0.88.",
    ),
    "wsam_coupled": _recipe(
        "WSAM, coupled",
        "2305.15817",
        "2",
        rho=0.2,
        descent=Penalized(alpha=9.0),
        numbers="Authors: rho 0.2 and alpha 9, as for `wsam` "
        "(intelligent-machine-learning/atorch, "
        "examples/optimizer/train_wsam_entry.sh), where the decoupled form is "
        "trained.",
    ),
    "stable": _recipe(
        "StableSAM",
        "2401.07250",
        "2",
        rho=0.05,
        descent=Renormalized(),
        numbers="Authors: rho 0.05, the default of their two classes, without "
        "data (cltan023/stablesam2024, sam.py, usam.py). The example climbs "
        "as USAM does, here with direction=Unnormalized() (README.md). The "
        "paper's numbers were not read.",
    ),
    "functional": _recipe(
        "Functional SAM",
        "2502.02407",
        "2",
        rho=0.05,
        descent=Functional(),
        note="not confirmed in code",
        numbers="Ours: rho 0.05, the default of SAM. The numbers of the "
        "paper, for language models on C4 and ViTs, were not read, "
        "and no code was found.",
    ),
    "bisam": _recipe(
        "BiSAM",
        "2407.12993",
        "3",
        rho=0.05,
        direction=LowerBound(mu=1.0),
        note="and a forward pass; for classes; alpha=0.1 is BiSAM (tanh)",
        numbers="Authors: rho 0.05 and mu 1 for ResNet-56 on CIFAR-10 "
        "(LIONS-EPFL/BiSAM, README.md, args.py). The numbers of "
        "the paper for each network were not read.",
    ),
    "cr_sam": _recipe(
        "CR-SAM",
        "2312.13555",
        "3",
        rho=0.1,
        descent=CurvatureRegularized(gamma=0.1, beta=0.01),
        numbers="Authors: rho 0.1, gamma 0.1, beta 0.01, the defaults of "
        "their script, for ResNet-18 on CIFAR-100 (TrustAIoT/CR-SAM, "
        "crsam_train.py). The class has beta 0.1 by default.",
    ),
    "xsam": _recipe(
        "XSAM",
        "2603.10048",
        "n + 1",
        rho=0.15,
        descent=SearchedSlerp(rho_max=0.3, period=100),
        note="and 21 forward passes each `period`",
        numbers="Authors: rho 0.15, rho_max 0.3 for ResNet-18 on CIFAR-100 "
        "(Cccjl219/XSAM, README.md). They search once an epoch; period 100 is "
        "ours.",
    ),
    "looksam": _recipe(
        "LookSAM",
        "2203.02714",
        "1 + n/k",
        rho=0.05,
        cadence=Reuse(k=5, alpha=0.7),
        note="not confirmed in the authors' code",
        numbers="Ours: SAM's rho 0.05. Alpha 0.7 is the authors' for ViTs, "
        "says arXiv:2401.12033, appendix A.14, where k is 5 and alpha 0.1 for "
        "WRNs and ResNet-50 on CIFAR-100. The paper's numbers were not read.",
    ),
    "interval": _recipe(
        "SAM each k-th step",
        "Composer",
        "1 + n/k",
        rho=0.5,
        cadence=Every(k=10, start=9),
        numbers="Library: rho 0.5 and k 10 for ResNet-50 on ImageNet "
        "(mosaicml/composer, composer/algorithms/sam/README.md). It advises "
        "rho in proportion to k, from 0.05 for k = 1. It climbs in the last "
        "step of each k, so start is 9.",
    ),
    "late_phase": _recipe(
        "Late-phase SAM",
        "2410.10373",
        "1 + n f",
        rho=0.05,
        cadence=LatePhase(steps=10000, fraction=0.3),
        note="f of the training; steps of the training",
        numbers="Library: rho 0.05 and fraction 0.3, the defaults of the PyPI "
        "package temperon 0.1.1 (pypi/temperon, temperon/temperon.py); its "
        "README has 0.3 for GPT-2 and GLUE, 0.2 and 0.57 for CIFAR-100. The "
        "authors of the paper climb in the last 10 of 160 epochs, with rho 2, "
        "by default (zzp1012/SAM-in-Late-Phase, script/ERM_to_SAM.py), for "
        "VGG-16 on CIFAR-10; in the last 25 of 200 epochs of WRN-16-8 on "
        "CIFAR-10 (figure 1).",
    ),
    "ss_sam": _recipe(
        "SS-SAM, RST",
        "2203.09962",
        "1 + n p",
        rho=0.05,
        cadence=Randomly(probability=0.5),
        note="the probability may be a schedule",
        numbers="Ours: SAM's rho 0.05 and probability 0.5. The authors' code "
        "has the rule, but no run with it (zhaoyang-0204/gnp, "
        "config/base_config.py). The paper's numbers were not read.",
    ),
    "ae_sam": _recipe(
        "AE-SAM",
        "2304.14647",
        "1 + n p",
        rho=0.05,
        cadence=Threshold(steps=10000),
        note="not confirmed in the authors' code; steps of the training",
        numbers="Ours: SAM's rho 0.05; first 1, last -1 and decay 0.9 are "
        "recalled from the paper, which was not read.",
    ),
    "k_sam": _recipe(
        "K-SAM",
        "2210.12864",
        "1 + (n + 1) f",
        rho=0.05,
        ascent_samples=Largest(fraction=0.25),
        descent_samples=Largest(fraction=0.25),
        note="not confirmed in code; the 1 is a forward pass",
        numbers="Ours: SAM's rho 0.05 and a fraction of 0.25. The paper's "
        "numbers were not read.",
    ),
    "sub_batch": _recipe(
        "Climb on part of the batch",
        "2110.08529",
        "2 + f",
        rho=0.05,
        ascent_samples=Drawn(fraction=0.25),
        note="not confirmed in code; a 1 is a forward pass",
        numbers="Ours: SAM's rho 0.05. A fraction of 0.25 is the paper's, "
        "says a secondary source; the paper was not read.",
    ),
    "esam": _recipe(
        "ESAM",
        "2110.03141",
        "2 + f",
        rho=0.1,
        direction=Subset(probability=0.5),
        descent_samples=Rising(fraction=0.5),
        note="a 1 is a forward pass",
        numbers="Authors: rho 0.1, probability 0.5, their beta, and fraction "
        "0.5, their gamma, for WRN-28 on CIFAR-10 and CIFAR-100 "
        "(dydjw9/Efficient_SAM, run.sh). There, too, commented out, with "
        "gamma 0.5: rho 0.05, beta 0.6 for ResNet-18; rho 0.2, beta 0.5 for "
        "PyramidNet.",
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
        numbers="Authors: rho 0.05 and 2 steps for ResNet-34 on CIFAR-10, "
        "where alpha adapts itself; constant, it is 0.2, 0.5 or 0.8 in the "
        "paper (chandar-lab/Lookbehind-SAM, README.md).",
    ),
    "eigen": _recipe(
        "Eigen-SAM",
        "2501.12666",
        "2",
        rho=0.1,
        direction=Eigen(alpha=0.2, period=100),
        note="and 5 Hessian products each `period`",
        numbers="Authors: rho 0.1, alpha 0.2, period 100, 5 iterations for "
        "ResNet-18 on CIFAR-100 (RitianLuo/EigenSAM, README.md, train.py). "
        "The script has rho 0.05 by default, and looks for v at steps 100, "
        "200, ... of an epoch: once an epoch here, at batches of 256.",
    ),
    "eigen_corrected": _recipe(
        "X-SAM",
        "2601.10251",
        "2",
        rho=0.05,
        descent=EigenCorrected(alpha=0.2, period=100),
        note="not XSAM; not confirmed in code; and 5 Hessian products each "
        "`period`",
        numbers="Ours: rho 0.05, alpha 0.2, as a reader's notes tell of the "
        "paper for CIFAR and Fashion-MNIST, or 0.1; the paper was "
        "not read. Period 100 and 5 products are those of "
        "Eigen-SAM's authors.",
    ),
    "momentum": _recipe(
        "Momentum-SAM",
        "2401.12033",
        "1",
        rho=3.0,
        ascent_steps=0,
        start=Momentum(decay=0.9),
        numbers="Authors: rho 3, momentum 0.9 for WRN-16-4 and ResNet-50 on "
        "CIFAR-100, and for ResNet-50 and ViT-S/32 on ImageNet "
        "(MarlonBecker/MSAM, README.md, configs/default.ini). For the ViT "
        "configs/ImageNet_ViT.ini has 10, from epoch 8 on. The class has 0.3 "
        "by default.",
    ),
    "stale": _recipe(
        "Climb along the last gradient",
        "2503.11147",
        "1",
        rho=0.05,
        ascent_steps=0,
        start=Stale(),
        note="the idea of AsyncSAM",
        numbers="Ours: SAM's rho 0.05. The paper's numbers were not read.",
    ),
    "gam": _recipe(
        "GAM",
        "2303.03108",
        "4",
        rho=0.02,
        descent=FirstOrderFlatness(rho=0.2, gamma=0.03, betas=(0.6, 0.5, 0.4)),
        note="in the form of the authors' code",
        numbers="Authors: rho 0.02 for the climb, and in the descent rho 0.2, "
        "gamma 0.03, betas 0.6, 0.5, 0.4, for ResNets on CIFAR-100 "
        "(xxgege/GAM, main_cifar.py). For ResNets on CIFAR-10 it has 0.03, "
        "and 0.2, 0.05, betas 0.1, 0.9, 0.9; it has others for PyramidNets.",
    ),
}

RECIPES = _Recipes(_ROWS)
