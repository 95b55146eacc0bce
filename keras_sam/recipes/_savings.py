"""Methods that cost less than SAM."""

from keras_sam.cadences import Every
from keras_sam.cadences import LatePhase
from keras_sam.cadences import Randomly
from keras_sam.cadences import Reuse
from keras_sam.cadences import Threshold
from keras_sam.directions import Subset
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe
from keras_sam.samples import Drawn
from keras_sam.samples import Largest
from keras_sam.samples import Rising
from keras_sam.starts import Momentum
from keras_sam.starts import Stale

ROWS: dict[str, Recipe] = {
    "looksam": _recipe.row(
        "LookSAM",
        "2203.02714",
        "1 + n/k",
        rho=0.05,
        cadence=Reuse(k=5, alpha=0.7),
        use="If twice the time is too much. It has no need of its own in "
        "our measurements: `interval` is as good on digits, and far "
        "better on MNIST-1D.",
        evidence="others' code",
        numbers="Ours: SAM's rho 0.05. Alpha 0.7 is the authors' for ViTs, "
        "says arXiv:2401.12033, appendix A.14, where k is 5 and alpha 0.1 for "
        "WRNs and ResNet-50 on CIFAR-100. The paper's numbers were not read.",
    ),
    "interval": _recipe.row(
        "SAM each k-th step",
        "Composer",
        "1 + n/k",
        rho=0.5,
        cadence=Every(k=10, start=9),
        use="If twice the time is too much. With every fifth step it was "
        "not below SAM or plain training in any of our tasks, in "
        "equal time.",
        evidence="authors' code",
        numbers="Library: rho 0.5 and k 10 for ResNet-50 on ImageNet "
        "(mosaicml/composer, composer/algorithms/sam/README.md). It advises "
        "rho in proportion to k, from 0.05 for k = 1. It climbs in the last "
        "step of each k, so start is 9.",
    ),
    "late_phase": _recipe.row(
        "Late-phase SAM",
        "2410.10373",
        "1 + n f",
        rho=0.05,
        cadence=LatePhase(steps=10000, fraction=0.3),
        note="f of the training; steps of the training",
        use="If twice the time is too much, with a learning rate that "
        "falls where the climbs are. `interval` is the safer choice "
        "in our measurements.",
        evidence="authors' code",
        numbers="Library: rho 0.05 and fraction 0.3, the defaults of the PyPI "
        "package temperon 0.1.1 (pypi/temperon, temperon/temperon.py); its "
        "README has 0.3 for GPT-2 and GLUE, 0.2 and 0.57 for CIFAR-100. The "
        "authors of the paper climb in the last 10 of 160 epochs, with rho 2, "
        "by default (zzp1012/SAM-in-Late-Phase, script/ERM_to_SAM.py), for "
        "VGG-16 on CIFAR-10; in the last 25 of 200 epochs of WRN-16-8 on "
        "CIFAR-10 (figure 1).",
    ),
    "ss_sam": _recipe.row(
        "SS-SAM, RST",
        "2203.09962",
        "1 + n p",
        rho=0.05,
        cadence=Randomly(probability=0.5),
        note="the probability may be a schedule",
        use="If twice the time is too much. It has no need of its own in "
        "our measurements: `interval` costs less, and is as good or "
        "better.",
        evidence="authors' code",
        numbers="Ours: SAM's rho 0.05 and probability 0.5. The authors' code "
        "has the rule, but no run with it (zhaoyang-0204/gnp, "
        "config/base_config.py). The paper's numbers were not read.",
    ),
    "ae_sam": _recipe.row(
        "AE-SAM",
        "2304.14647",
        "1 + n p",
        rho=0.05,
        cadence=Threshold(steps=10000),
        note="steps of the training",
        use="If twice the time is too much. It has no need of its own in "
        "our measurements: `interval` costs less, and is as good or "
        "better.",
        evidence="secondary source",
        numbers="Ours: SAM's rho 0.05; first 1, last -1 and decay 0.9 are "
        "recalled from the paper, which was not read.",
    ),
    "k_sam": _recipe.row(
        "K-SAM",
        "2210.12864",
        "1 + (n + 1) f",
        rho=0.05,
        ascent_samples=Largest(fraction=0.25),
        descent_samples=Largest(fraction=0.25),
        note="the 1 is a forward pass",
        use="If a step must cost less than a plain one. It has no need of "
        "its own in our measurements: it was never above plain "
        "training, and it fails with wrong labels, since it trains on "
        "these.",
        evidence="abstract",
        numbers="Ours: SAM's rho 0.05 and a fraction of 0.25. The paper's "
        "numbers were not read.",
    ),
    "sub_batch": _recipe.row(
        "Climb on part of the batch",
        "2110.08529",
        "2 + f",
        rho=0.05,
        ascent_samples=Drawn(fraction=0.25),
        note="a 1 is a forward pass",
        use="If a little less than twice the time will do. With half a "
        "batch it was the best in one of our four tasks, and no worse "
        "than SAM in the others.",
        evidence="secondary source",
        numbers="Ours: SAM's rho 0.05. A fraction of 0.25 is the paper's, "
        "says a secondary source; the paper was not read.",
    ),
    "esam": _recipe.row(
        "ESAM",
        "2110.03141",
        "2 + f",
        rho=0.1,
        direction=Subset(probability=0.5),
        descent_samples=Rising(fraction=0.5),
        note="a 1 is a forward pass",
        use="If a little less than twice the time will do. It has no need "
        "of its own in our measurements: `sub_batch` costs as much, "
        "and is far better on MNIST-1D.",
        evidence="authors' code",
        numbers="Authors: rho 0.1, probability 0.5, their beta, and fraction "
        "0.5, their gamma, for WRN-28 on CIFAR-10 and CIFAR-100 "
        "(dydjw9/Efficient_SAM, run.sh). There, too, commented out, with "
        "gamma 0.5: rho 0.05, beta 0.6 for ResNet-18; rho 0.2, beta 0.5 for "
        "PyramidNet.",
    ),
    "momentum": _recipe.row(
        "Momentum-SAM",
        "2401.12033",
        "1",
        rho=3.0,
        ascent_steps=0,
        start=Momentum(decay=0.9),
        use="If training may take no more time at all. In our "
        "measurements it was above plain training in three of four "
        "tasks, in equal time.",
        evidence="authors' code",
        numbers="Authors: rho 3, momentum 0.9 for WRN-16-4 and ResNet-50 on "
        "CIFAR-100, and for ResNet-50 and ViT-S/32 on ImageNet "
        "(MarlonBecker/MSAM, README.md, configs/default.ini). For the ViT "
        "configs/ImageNet_ViT.ini has 10, from epoch 8 on. The class has 0.3 "
        "by default.",
    ),
    "stale": _recipe.row(
        "Climb along the last gradient",
        "2503.11147",
        "1",
        rho=0.05,
        ascent_steps=0,
        start=Stale(),
        note="the idea of AsyncSAM",
        use="If training may take no more time at all. In our measurements, "
        "in equal time, it was above plain training with wrong labels, and "
        "not below it with right ones.",
        evidence="secondary source",
        numbers="Ours: SAM's rho 0.05. The paper's numbers were not read.",
    ),
}
