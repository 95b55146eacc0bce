"""Climbs along averages of gradients, and along noise."""

from keras_sam.descents import Mirrored
from keras_sam.descents import Penalized
from keras_sam.descents import Tilted
from keras_sam.directions import AdaptiveRandom
from keras_sam.directions import Friendly
from keras_sam.directions import NoiseFirst
from keras_sam.directions import Random
from keras_sam.directions import Smoothed
from keras_sam.directions import VarianceSuppressed
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe
from keras_sam.starts import AdaptiveRandom as AdaptiveRandomStart
from keras_sam.starts import Random as RandomStart

ROWS: dict[str, Recipe] = {
    "friendly": _recipe.row(
        "Friendly SAM",
        "2403.12350",
        "2",
        rho=0.2,
        direction=Friendly(sigma=1.0, decay=0.6),
        use="To climb along what is peculiar to a batch, and not along "
        "the mean gradient. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.2, sigma 1, decay 0.6, which they call "
        "lambda, for ResNet-18 on CIFAR-100 (nblt/F-SAM, run.sh). The default "
        "of the decay is 0.9 in the class and 0.95 in train.py.",
    ),
    "vasso": _recipe.row(
        "VaSSO",
        "2309.15639",
        "2",
        rho=0.2,
        direction=VarianceSuppressed(theta=0.9),
        use="To climb along a mean of past gradients, which changes less "
        "from batch to batch. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.2, theta 0.9 for WRN-28-10 on CIFAR-100 "
        "(BingcongLi/VaSSO, train.sh); rho 0.05 and theta 0.9, the defaults, "
        "for ResNet-18 on CIFAR-10 (README.md).",
    ),
    "r_sam": _recipe.row(
        "Random SAM",
        "OpenReview htUvh7xPoa",
        "3",
        rho=0.05,
        direction=Smoothed(sigma=0.0025, weight=2.0),
        note="3 times forward, twice backward where XLA compiles the step",
        use="To climb along the gradient at a point with noise, where the "
        "loss is smoother. Not measured here.",
        evidence="authors' code",
        numbers="Ours: SAM's rho 0.05. Weight 2 and sigma 0.0025 are the "
        "authors' for ViT-B/16 on ImageNet. There sigma grows from 0.0005 to "
        "0.0025, and rho up to 2.5 in a warm-up of 10000 steps, then falls to "
        "1.5 with the learning rate (RSAM-Optimizer/R-SAM, vit_jax/train.py).",
    ),
    "rwp": _recipe.row(
        "Random weight perturbation",
        "2404.00357",
        "1",
        rho=0.01,
        ascent_steps=0,
        start=RandomStart(),
        use="If training may take no more time at all. In our measurements, "
        "in equal time, it was above plain training with wrong labels, and "
        "not below it with right ones.",
        evidence="authors' code",
        numbers="Ours: rho 0.01, constant, as in the mixed form of the "
        "authors' first code. Alone, the authors' noise grows along half a "
        "cosine from 0.001 to 0.011, and is scaled by a Fisher diagonal as "
        "well, for VGG-16 on CIFAR-100 (nblt/mARWP, scripts/run_rwp.sh).",
    ),
    "rwp_mixed": _recipe.row(
        "the same, mixed",
        "2404.00357",
        "2",
        rho=0.015,
        direction=Random(),
        descent=Penalized(alpha=0.5),
        use="As `rwp`, but with the plain gradient mixed in, at the cost "
        "of SAM. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.015, their sigma, and alpha 0.5 for ResNet-18 "
        "on CIFAR-100 (nblt/mARWP, scripts/run_mrwp_ddp.sh). Their first code "
        "has 0.01 there and 0.005 for ResNet-18 on ImageNet (nblt/RWP, "
        "recipes/run_rwp_ddp.sh, recipes/run_rwp_imagenet.sh).",
    ),
    "arwp": _recipe.row(
        "Adaptive random weight perturbation",
        "2404.00357",
        "1",
        rho=0.01,
        ascent_steps=0,
        start=AdaptiveRandomStart(eta=0.1, decay=0.99),
        note="rho of the authors grows along a cosine",
        use="As `rwp`, with less noise where gradients have been large. "
        "Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.01, the default of their class ARWP "
        "(nblt/mARWP, utils.py), where eta is 1 and decay 0.9. "
        "Their script has eta 0.1 and decay 0.99 for VGG16-BN on "
        "CIFAR-100 (scripts/run_rwp.sh), where the noise is 0.001 "
        "times 1 + 10 (1 - cos(pi t / T)) / 2.",
    ),
    "arwp_mixed": _recipe.row(
        "the same, mixed",
        "2404.00357",
        "2",
        rho=0.015,
        direction=AdaptiveRandom(eta=0.1, decay=0.99),
        descent=Penalized(alpha=0.5),
        use="As `rwp_mixed`, with less noise where gradients have been "
        "large. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.015, their sigma, alpha 0.5, eta 0.1 and "
        "decay 0.99 for ResNet-18 on CIFAR-100 (nblt/mARWP, "
        "scripts/run_mrwp.sh).",
    ),
    "nso": _recipe.row(
        "Noise stability optimization",
        "2306.08553",
        "3",
        rho=0.01,
        direction=Random(scaled=False),
        descent=Mirrored(),
        note="rho is the standard deviation; 2 k + 1 with k `climbs`",
        use="To lower the loss under noise on the weights, with less "
        "variance than one noisy gradient has. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.01, their sigma, and 1 pair of points "
        "(VirtuosoResearch/Noise-stability-optimization, "
        "README.md). Their scripts for fine-tuned ResNet-34 have "
        "sigma 0.01 for CIFAR-10 and CIFAR-100, 0.008 for "
        "Aircraft, 0.012 for Birds and Indoor, and 1 to 4 pairs.",
    ),
    "tsam": _recipe.row(
        "Tilted SAM",
        "2410.22656",
        "1 + 3 n",
        rho=0.05,
        ascent_steps=2,
        radius="full",
        direction=NoiseFirst(length=20.0),
        descent=Tilted(tilt=1.0, climbs=3),
        note="3 random points at distance 1, then a step of SAM from each",
        use="To weigh several points around the weights, not the end of "
        "one climb alone, if seven gradients a step are affordable. "
        "Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05, tilt 1 and 3 points at radius 1, here "
        "length 20 times rho, the defaults for CIFAR-10 "
        "(litian96/TSAM, image/train_tsam.py). Their scripts "
        "search rho 0.1, tilt 0, 1, 5, 20, 100 and 400, 3 or 5 "
        "points, and 40 points at radius 10 and 100 for a ViT on "
        "DTD. What the paper settled on was not read. 2 steps are "
        "the random one and that of SAM.",
    ),
}
