"""Climbs in which only some of the weights move."""

from keras_sam.directions import DynamicMask
from keras_sam.directions import FisherMask
from keras_sam.directions import Sparse
from keras_sam.directions import ZScored
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe
from keras_sam.selections import Normalization

ROWS: dict[str, Recipe] = {
    "sam_on": _recipe.row(
        "SAM-ON",
        "2306.04226",
        "2",
        rho=0.5,
        perturb=Normalization(),
        note="normalization layers only",
        use="If few weights should move: those of normalization layers. A "
        "step costs what it costs with SAM. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.5 is the default of their script, for "
        "WRN-28-10 on CIFAR-100 (mueller-mp/SAM-ON, train.py). Their example "
        "is ASAM-ON with rho 10, here with direction=Adaptive(eta=0.0) "
        "(README.md).",
    ),
    "last_layer": _recipe.row(
        "Last layer only",
        "",
        "2",
        rho=0.05,
        perturb="^logits/",
        note="by the name of the layer",
        use="If few weights should move: those of the last layer. A step "
        "costs what it costs with SAM. Not measured here.",
        numbers="Ours: SAM's rho 0.05.",
    ),
    "ssam_f": _recipe.row(
        "Sparse SAM, Fisher mask",
        "2210.05177",
        "2",
        rho=0.1,
        direction=Sparse(FisherMask(examples=128), sparsity=0.5, period=100),
        note="and `examples` small ones each `period`",
        use="If few weights should move: those that matter most to the "
        "outputs. It saves no time. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.1, sparsity 0.5 for ResNet-18 on CIFAR-10, "
        "with a mask from 16 examples every epoch; rho 0.7, sparsity 0.5, 128 "
        "examples for ResNet-50 on ImageNet "
        "(Mi-Peng/Sparse-Sharpness-Aware-Minimization, README.md). The "
        "script's defaults are rho 0.05, sparsity 0.2, 1024 examples, every 5 "
        "epochs (configs/defaulf_cfg.py). Period 100 is ours.",
    ),
    "ssam_f_epochs": _recipe.row(
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
        use="As `ssam_f`, with masks that hold for epochs, as its authors "
        "train. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05, sparsity 0.2, period 5 epochs and 1024 "
        "examples, here 128 of each of 8 batches, for ResNet-18 on "
        "CIFAR (Mi-Peng/Sparse-Sharpness-Aware-Minimization, "
        "configs/defaulf_cfg.py). Their README has rho 0.1, "
        "sparsity 0.5 and a mask each epoch from 16 examples for "
        "CIFAR-10, and rho 0.7, sparsity 0.5, 128 examples for "
        "ResNet-50 on ImageNet.",
    ),
    "ssam_d": _recipe.row(
        "Sparse SAM, dynamic mask",
        "2210.05177",
        "2",
        rho=0.1,
        direction=Sparse(
            DynamicMask(steps=10000, drop=0.5), sparsity=0.5, period=100
        ),
        note="steps are those of the training",
        use="If few weights should move, and which ones may change at "
        "random. It saves no time. Not measured here.",
        evidence="authors' code",
        numbers="Authors: drop 0.5 is the default of their script "
        "(Mi-Peng/Sparse-Sharpness-Aware-Minimization, "
        "configs/defaulf_cfg.py); rho 0.1 and sparsity 0.5 are from their "
        "example of the other mask. The defaults are rho 0.05, sparsity 0.2, "
        "every 5 epochs. Period 100 is ours.",
    ),
    "zsharp": _recipe.row(
        "ZSharp",
        "2505.02369",
        "2",
        rho=0.05,
        direction=ZScored(quantile=0.95),
        note="each kernel moves by rho, as in the authors' code",
        use="To climb along the entries of the gradient that stand out in "
        "their kernel. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05, quantile 0.95 for ResNet, VGG and ViT "
        "on CIFAR-10, CIFAR-100 and SVHN, with Adam "
        "(YUNBLAK/Sharpness-Aware-Minimization-with-Z-Score-Gradient-Filtering,"
        " main.py). The tables of the paper were not read.",
    ),
}
