"""Descents that combine the gradients of a climb."""

from keras_sam.descents import Decoupled
from keras_sam.descents import Functional
from keras_sam.descents import Penalized
from keras_sam.descents import Renormalized
from keras_sam.descents import SearchedSlerp
from keras_sam.descents import SurrogateGap
from keras_sam.directions import LowerBound
from keras_sam.directions import Matching
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe

ROWS: dict[str, Recipe] = {
    "gnp": _recipe.row(
        "Gradient norm penalty",
        "2202.03599",
        "2",
        rho=0.1,
        descent=Penalized(alpha=0.8),
        note="alpha = lambda / rho",
        use="To weigh the climb against plain training by one number. Not "
        "measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.1, alpha 0.8 for WRN-28-10 and others on "
        "CIFAR-10, with the unit vector of g_0 in place of g_0 "
        "(zhaoyang-0204/gnp, recipes/wideresnet-cifar.sh and others); rho "
        "0.05, alpha 0.8 on ImageNet (recipes/resnet-imagenet.sh). For "
        "ViT-S/16 on CIFAR-10 also rho 0.1, alpha 1, once the learning rate "
        "has warmed up (recipes/vit-cifar-basic-grwarmup.sh).",
    ),
    "gsam": _recipe.row(
        "GSAM",
        "2203.08065",
        "2",
        rho=0.05,
        descent=SurrogateGap(alpha=0.4),
        note="rho may be a `radii.LinearInLearningRate`",
        use="If SAM helps and you want more of it: it also shrinks the "
        "gap between the loss at the weights and at the end of the "
        "climb. Not measured here.",
        evidence="authors' code",
        numbers="Ours: rho 0.05, constant. Alpha 0.4 is from the first "
        "author's script for CIFAR-10, which climbs as ASAM does, with rho 2 "
        "(juntang-zhuang/GSAM, example/train.py). In the paper, table 4, rho "
        "falls with the learning rate, on ImageNet: 0.04 to 0.02 with alpha "
        "0.01 for ResNet-50, 0.6 to 0.1 with alpha 0.6 for ViT-B/32 (also "
        "google-research/big_vision, "
        "configs/proj/gsam/vit_i1k_gsam_no_aug.py).",
    ),
    "sagm": _recipe.row(
        "SAGM",
        "2303.10353",
        "2",
        rho=0.05,
        direction=Matching(ratio=0.02),
        descent=Penalized(alpha=0.5),
        note="ratio = alpha / rho",
        use="If the test data are from another domain than the training "
        "data: this is what its authors made it for. Not measured "
        "here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05 and alpha 0.001, which is ratio 0.02, "
        "for a pretrained ResNet-50 with Adam on PACS, VLCS and "
        "TerraIncognita (Wang-pengfei/SAGM, domainbed/hparams_registry.py); "
        "alpha 0.0005 on OfficeHome and DomainNet. Their 0.5 is the mean of "
        "both gradients.",
    ),
    "wsam": _recipe.row(
        "WSAM",
        "2305.15817",
        "2",
        rho=0.2,
        descent=Decoupled(alpha=9.0),
        note="alpha = gamma / (1 - gamma)",
        use="If SAM helps and you want more of it: it gives the sharpness "
        "a weight. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.2 and gamma 0.9, so alpha 9, for ResNet-18 on "
        "CIFAR-10 (intelligent-machine-learning/atorch, "
        "examples/optimizer/train_wsam_entry.sh). The class has rho 0.05 by "
        "default, and once had gamma 0.88.",
    ),
    "wsam_coupled": _recipe.row(
        "WSAM, coupled",
        "2305.15817",
        "2",
        rho=0.2,
        descent=Penalized(alpha=9.0),
        use="As `wsam`, with an optimizer that accumulates gradients, "
        "which `wsam` cannot have. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.2 and alpha 9, as for `wsam` "
        "(intelligent-machine-learning/atorch, "
        "examples/optimizer/train_wsam_entry.sh), where the decoupled form is "
        "trained.",
    ),
    "stable": _recipe.row(
        "StableSAM",
        "2401.07250",
        "2",
        rho=0.05,
        descent=Renormalized(),
        use="If SAM needs a lower learning rate than plain training: here "
        "a gradient is as long as there. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05, the default of their two classes, without "
        "data (cltan023/stablesam2024, sam.py, usam.py). The example climbs "
        "as USAM does, here with direction=Unnormalized() (README.md). The "
        "paper's numbers were not read.",
    ),
    "functional": _recipe.row(
        "Functional SAM",
        "2502.02407",
        "2",
        rho=0.05,
        descent=Functional(),
        use="For language models: there SAM mostly regularizes the "
        "logits, says the abstract. Not measured here.",
        evidence="secondary source",
        numbers="Ours: rho 0.05, the default of SAM. The numbers of the "
        "paper, for language models on C4 and ViTs, were not read, "
        "and no code was found.",
    ),
    "bisam": _recipe.row(
        "BiSAM",
        "2407.12993",
        "3",
        rho=0.05,
        direction=LowerBound(mu=1.0),
        note="and a forward pass; for classes; alpha=0.1 is BiSAM (tanh)",
        use="For classifiers: the climb raises a bound of the number of "
        "errors, not the loss. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05 and mu 1 for ResNet-56 on CIFAR-10 "
        "(LIONS-EPFL/BiSAM, README.md, args.py). The numbers of "
        "the paper for each network were not read.",
    ),
    "xsam": _recipe.row(
        "XSAM",
        "2603.10048",
        "n + 1",
        rho=0.15,
        descent=SearchedSlerp(rho_max=0.3, period=100),
        note="and 21 forward passes each `period`",
        use="To descend along a direction that a search over the loss has "
        "chosen. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.15, rho_max 0.3 for ResNet-18 on CIFAR-100 "
        "(Cccjl219/XSAM, README.md). They search once an epoch; period 100 is "
        "ours.",
    ),
}
