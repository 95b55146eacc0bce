"""Climbs whose length is measured in another way."""

from keras_sam.directions import Adaptive
from keras_sam.directions import Fisher
from keras_sam.directions import Layerwise
from keras_sam.directions import LossEquated
from keras_sam.directions import Unified
from keras_sam.directions import Unnormalized
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe

ROWS: dict[str, Recipe] = {
    "asam": _recipe.row(
        "ASAM",
        "2102.11600",
        "2",
        rho=0.5,
        direction=Adaptive(eta=0.01),
        use="If the weights of layers have very different sizes: a "
        "rescaling of layers hardly changes the climb. Not measured "
        "here.",
        evidence="authors' code",
        numbers="Authors: rho 0.5 on CIFAR-10, 1 on CIFAR-100 "
        "(SamsungLabs/ASAM, README.md). Their script has eta 0, and T = 1 on "
        "biases (example_cifar.py). Here T acts on biases too, which begin at "
        "0, so eta is 0.01, the default of their class. With T on all "
        "variables an author found rho 2 best of 0.5, 1, 2, 5 for WRN-16-8 on "
        "CIFAR-10 (davda54/sam, issue 37).",
    ),
    "asam_weights": _recipe.row(
        "ASAM, T = 1 for biases",
        "2102.11600",
        "2",
        rho=0.5,
        direction=Adaptive(eta=0.0, scaled="(kernel|gamma|embeddings)$"),
        note="as in the authors' code",
        use="As `asam`, to repeat what its authors train. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.5, eta 0 for WRN-28-10 on CIFAR-10, rho 1 "
        "on CIFAR-100 (SamsungLabs/ASAM, README.md, "
        "example_cifar.py). The default of their class is eta 0.01.",
    ),
    "usam": _recipe.row(
        "USAM",
        "2206.06232",
        "2",
        rho=0.05,
        direction=Unnormalized(),
        use="To let the climb shrink where the loss is flat. Not measured "
        "here.",
        evidence="authors' code",
        numbers="Ours: SAM's rho 0.05. The authors' numbers for this rule "
        "were not read. In the table of unified SAM 0.2 is the best of 0.1, "
        "0.2, 0.3, 0.4 for this rule, with WRN-28-10 on CIFAR-10 "
        "(dimitris-oik/unifiedsam, README.md).",
    ),
    "unified": _recipe.row(
        "Unified SAM",
        "2503.02225",
        "2",
        rho=0.3,
        direction=Unified(share=0.5),
        note="share may be a schedule",
        use="To try climbs between those of `usam` and `sam`. Not "
        "measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.3 was best of 0.1, 0.2, 0.3, 0.4 for share "
        "0.5, which they call lambda, with WRN-28-10 on CIFAR-10 "
        "(dimitris-oik/unifiedsam, README.md). Best of all was 1 - 1/t with "
        "rho 0.3; they also train with lambda 0, 1 and 1/t.",
    ),
    "le_sam": _recipe.row(
        "LE-SAM",
        "2605.10183",
        "2",
        rho=0.35,
        direction=LossEquated(rho_max=999.0),
        note="rho is a rise of the loss, and may be a schedule",
        use="To say how much the loss may rise in a climb, instead of how "
        "far the weights move. Not measured here.",
        evidence="authors' code",
        numbers="Authors: sigma, which is rho 0.35 here, without a bound "
        "but for rho_max 999, for ResNet-18 on CIFAR-100 "
        "(smithgun2005/LE-SAM-ICML2026, README.md). Their file lowers sigma "
        "to 0 along a cosine in the last 40 of 200 epochs; its own "
        "defaults are 0.5 and 0.5. The tables of the paper were not "
        "read.",
    ),
    "layerwise": _recipe.row(
        "Layer-wise SAM",
        "2203.02714",
        "2",
        rho=0.01,
        direction=Layerwise(),
        use="To move each variable by the same fraction of its length. "
        "Not measured here.",
        evidence="others' code",
        numbers="Ours: rho 0.01, which AWP has for the same rule. The paper's "
        "numbers were not read.",
    ),
    "awp": _recipe.row(
        "AWP's rule",
        "2004.05884",
        "2",
        rho=0.01,
        direction=Layerwise(),
        perturb="kernel$",
        note="adversarial inputs are the user's",
        use="For adversarial training, beside the inputs that you "
        "perturb. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.01, their gamma, on CIFAR-10, CIFAR-100 and, "
        "from epoch 5 on, SVHN (csdongxian/AWP, AT_AWP/train_cifar10.py and "
        "others). With TRADES it is 0.005, from epoch 10 on "
        "(trades_AWP/train_trades_cifar.py).",
    ),
    "fisher": _recipe.row(
        "Fisher SAM",
        "2206.04920",
        "2",
        rho=0.1,
        direction=Fisher(eta=1.0),
        use="To measure the climb by its effect on the outputs, not by "
        "its length. Not measured here.",
        evidence="others' code",
        numbers="Library: rho 0.1 and eta 1 are the defaults of a "
        "re-implementation (johnjaejunlee95/torch-unified-SAM-optimization, "
        "src/sam_optim/FisherSAM.py), whose example for CIFAR has rho 0.05 "
        "and eta 0.2 (README.md). The paper's numbers were not read.",
    ),
}
