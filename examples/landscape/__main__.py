r"""Measures and draws the loss landscape around one trained network, or two.

    python -m examples.train --output_dir=runs/sam
    python -m examples.landscape --output_dir=runs/landscape \
        --checkpoint=SAM:runs/sam/model.keras \
        --checkpoint=SGD:runs/sgd/model.keras

A checkpoint is a `.keras` file of any image classifier that ends in logits, as
train.py saves it. Figures and tables call it by the name before the colon, or
by its path. --dataset names the data, as in train.py. Everything is
measured in evaluation mode, on the first --examples of --split. The folder gets

    landscape.json    every number, by checkpoint
    *.png, *.svg      the figures
    report.html       figures, table and settings in one file

A finished part of the measurement is not repeated. Ctrl-C keeps finished parts.
SAM is sharpness-aware minimization. The radius --rho is Euclidean, over all
trained weights.
"""

from absl import flags

from examples import usage
from examples.landscape import measurements

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "checkpoint",
    None,
    "A .keras file, or NAME:FILE to call it NAME. Once or twice; required.",
)
flags.DEFINE_string("output_dir", None, "Folder of the results. Required.")
flags.DEFINE_string("dataset", "digits", "As for train.py.")
flags.DEFINE_string("data_dir", None, "As for train.py.")
flags.DEFINE_enum("split", "train", ["train", "test"], "Which examples.")
flags.DEFINE_integer("examples", 1024, "How many of them.", lower_bound=1)
flags.DEFINE_integer(
    "batch_size", 128, "Examples that climb together, m.", lower_bound=1
)
flags.DEFINE_float("rho", 0.05, "Radius of the climbs.")
flags.DEFINE_integer("ascent_steps", 5, "Steps of the climbs.", lower_bound=1)
flags.DEFINE_integer("draws", 20, "Random perturbations.", lower_bound=2)
flags.DEFINE_integer("eigenvalues", 5, "How many.", lower_bound=1)
flags.DEFINE_integer(
    "products", 60, "Hessian-vector products for each use.", lower_bound=5
)
flags.DEFINE_integer(
    "grid", 25, "Points a side of the random plane.", lower_bound=3
)
flags.DEFINE_integer("seed", 0, "Of all that is random.", lower_bound=0)
GROUPS = {
    "Networks and data": (
        *("checkpoint", "dataset", "data_dir", "split", "examples"),
        "batch_size",
    ),
    "Measurements": (
        *("rho", "ascent_steps", "draws", "eigenvalues", "products", "grid"),
        "seed",
    ),
    "Output": ("output_dir",),
}


def _differ(named):
    """Whether there are two at most, with names and paths of their own."""
    names, paths = zip(*named, strict=True)
    return len({*names}) == len({*paths}) == len(paths) <= 2


flags.mark_flags_as_required(["checkpoint", "output_dir"])
flags.register_validator(
    "checkpoint",
    lambda given: not given or _differ(map(measurements.named, given)),
    "must be one file, or two, with different names",
)
flags.register_validator("rho", lambda rho: rho > 0, "must be above 0")


def main(argv):
    settings = {name: FLAGS[name].value for name in measurements.SETTINGS}
    measurements.report_on(settings, FLAGS.output_dir, FLAGS.data_dir)


if __name__ == "__main__":
    usage.run(main, GROUPS)
