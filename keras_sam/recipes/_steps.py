"""Plain training, SAM, and climbs of several steps."""

from keras_sam.descents import Accumulated
from keras_sam.descents import Mean
from keras_sam.descents import Weighted
from keras_sam.recipes import _recipe
from keras_sam.recipes._recipe import Recipe

ROWS: dict[str, Recipe] = {
    "sgd": _recipe.row(
        "The optimizer alone",
        "",
        "1",
        ascent_steps=0,
        use="As the baseline, and where the labels are right: SAM showed "
        "no gain over it there in our measurements.",
    ),
    "sam": _recipe.row(
        "SAM",
        "2010.01412",
        "2",
        rho=0.05,
        use="Begin with it, if training may take twice as long. With "
        "wrong labels it gained much over plain training on digits in "
        "our measurements, and little on MNIST-1D.",
        evidence="authors' code",
        numbers="Authors: rho 0.05 for WRN-28-10 on CIFAR-10, 0.1 for "
        "EfficientNet-L2 fine-tuned on ImageNet (google-research/sam, "
        "README.md). ASAM's authors train SAM with 0.05 on CIFAR-10, 0.1 on "
        "CIFAR-100 (SamsungLabs/ASAM, README.md).",
    ),
    "m_sam": _recipe.row(
        "m-SAM",
        "2010.01412",
        "2",
        rho=0.05,
        num_batch_splits=4,
        note="parts of a batch climb on their own",
        use="To climb on parts of a batch, as several devices do, on one "
        "device. Not measured here.",
        evidence="authors' code",
        numbers="Ours: SAM's rho 0.05, and 4 parts. In the authors' code a "
        "device is a part (google-research/sam, "
        "sam_jax/training_utils/flax_training.py).",
    ),
    "multistep_last": _recipe.row(
        "Multi-step SAM",
        "2302.10181",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        use="To study the climb. It has no need of its own in our "
        "measurements: it brought nothing over SAM.",
        evidence="others' code",
        numbers="Ours: SAM's rho 0.05, in 3 steps. The paper's numbers were "
        "not read.",
    ),
    "multistep_mean": _recipe.row(
        "Multi-step SAM, mean gradient",
        "2302.10181",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Mean(),
        use="To study the climb. It has no need of its own in our "
        "measurements: it brought nothing over SAM.",
        evidence="inferred",
        numbers="Ours: SAM's rho 0.05, in 3 steps. The paper's numbers were "
        "not read; the first author's class has no defaults (Harry24k/MAIR, "
        "mair/optim/minimizer.py).",
    ),
    "multistep_matched": _recipe.row(
        "its control",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Mean(),
        radius="matched",
        note="the first-order radius of SAM",
        use="To tell what averaging does from what a shorter radius does: "
        "it is the control of `multistep_mean`.",
        numbers="Ours: rho 0.05 and 3 steps, as for `multistep_mean`.",
    ),
    "multistep_weighted": _recipe.row(
        "Multi-step SAM, weighted gradients",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        descent=Weighted((0.0, 0.2, 0.3, 0.5)),
        note="weights of g_0, ..., g_n",
        use="To study the climb with weights of your own. Not measured here.",
        numbers="Ours: SAM's rho 0.05, in 3 steps; the weights 0, 0.2, 0.3, "
        "0.5 are an example.",
    ),
    "multistep_full": _recipe.row(
        "Multi-step SAM, steps of length rho",
        "",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        radius="full",
        use="To study the climb: n steps lead up to n times as far. Not "
        "measured here.",
        numbers="Ours: SAM's rho 0.05 for each of 3 steps.",
    ),
    "multistep_projected": _recipe.row(
        "Multi-step SAM, projected",
        "2206.06232",
        "n + 1",
        rho=0.05,
        ascent_steps=3,
        radius="projected",
        use="To climb in long steps, and yet stay within rho of the "
        "weights. Not measured here.",
        evidence="authors' code",
        numbers="Ours: SAM's rho 0.05, in 3 steps. The authors' example has "
        "rho 0.1 and one step, for ResNet-18 with group normalization on "
        "CIFAR-10 (tml-epfl/understanding-sam, README.md).",
    ),
    "lookbehind": _recipe.row(
        "Lookbehind",
        "2307.16704",
        "n + 1",
        rho=0.05,
        ascent_steps=2,
        radius="full",
        descent=Accumulated(alpha=0.5),
        note="exact for plain SGD",
        use="To repeat Lookbehind with plain SGD; with another optimizer "
        "it is another method. Not measured here.",
        evidence="authors' code",
        numbers="Authors: rho 0.05 and 2 steps for ResNet-34 on CIFAR-10, "
        "where alpha adapts itself; constant, it is 0.2, 0.5 or 0.8 in the "
        "paper (chandar-lab/Lookbehind-SAM, README.md).",
    ),
}
