"""Methods that look at the curvature of the loss."""

from keras_sam.descents import CurvatureRegularized
from keras_sam.descents import EigenCorrected
from keras_sam.descents import FirstOrderFlatness
from keras_sam.directions import Eigen
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe

ROWS: dict[str, Recipe] = {
    "cr_sam": _recipe.row(
        "CR-SAM",
        "2312.13555",
        "3",
        rho=0.1,
        descent=CurvatureRegularized(gamma=0.1, beta=0.01),
        use="To lower the curvature along the climb as well, if three "
        "gradients a step are affordable. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.1, gamma 0.1, beta 0.01, the defaults of "
        "their script, for ResNet-18 on CIFAR-100 (TrustAIoT/CR-SAM, "
        "crsam_train.py). The class has beta 0.1 by default.",
    ),
    "gam": _recipe.row(
        "GAM",
        "2303.03108",
        "4",
        rho=0.02,
        descent=FirstOrderFlatness(rho=0.2, gamma=0.03, betas=(0.6, 0.5, 0.4)),
        note="in the form of the authors' code",
        use="To make the gradient small all around, if four gradients a "
        "step are affordable. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.02 for the climb, and in the descent rho 0.2, "
        "gamma 0.03, betas 0.6, 0.5, 0.4, for ResNets on CIFAR-100 "
        "(xxgege/GAM, main_cifar.py). For ResNets on CIFAR-10 it has 0.03, "
        "and 0.2, 0.05, betas 0.1, 0.9, 0.9; it has others for PyramidNets.",
    ),
    "eigen": _recipe.row(
        "Eigen-SAM",
        "2501.12666",
        "2",
        rho=0.1,
        direction=Eigen(alpha=0.2, period=100),
        note="and 5 Hessian products each `period`",
        use="To aim the climb at the largest eigenvalue of the Hessian. "
        "Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.1, alpha 0.2, period 100, 5 iterations for "
        "ResNet-18 on CIFAR-100 (RitianLuo/EigenSAM, README.md, train.py). "
        "The script has rho 0.05 by default, and looks for v at steps 100, "
        "200, ... of an epoch: once an epoch here, at batches of 256.",
    ),
    "eigen_corrected": _recipe.row(
        "X-SAM",
        "2601.10251",
        "2",
        rho=0.05,
        descent=EigenCorrected(alpha=0.2, period=100),
        note="not XSAM; and 5 Hessian products each `period`",
        use="To take the part along the top eigenvector of the Hessian "
        "out of the descent. Not measured here.",
        evidence="secondary source",
        numbers="Ours: rho 0.05, alpha 0.2, as a reader's notes tell of the "
        "paper for CIFAR and Fashion-MNIST, or 0.1; the paper was "
        "not read. Period 100 and 5 products are those of "
        "Eigen-SAM's authors.",
    ),
}
