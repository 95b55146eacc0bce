r"""Measures and draws the loss landscape around one trained network, or two.

    python -m examples.train --output_dir=runs/sam
    python -m examples.landscape --output_dir=runs/landscape \
        --checkpoint=runs/sam/model.keras --checkpoint=runs/sgd/model.keras

A checkpoint is a `.keras` file of any image classifier that ends in logits, as
train.py saves it. --dataset names the data, as in train.py. Everything is
measured in evaluation mode, on the first --examples of --split. The folder gets

    landscape.json    every number, by checkpoint
    *.png, *.svg      the figures
    report.html       figures, table and settings in one file

A finished part of the measurement is not repeated. Ctrl-C keeps finished parts.
SAM is sharpness-aware minimization. The radius --rho is Euclidean, over all
trained weights.
"""

from absl import app
from absl import flags

from examples.landscape import measurements

FLAGS = flags.FLAGS
flags.DEFINE_multi_string("checkpoint", None, "A .keras file; once or twice.")
flags.DEFINE_string("output_dir", None, "Folder of the results.")
flags.DEFINE_string("dataset", "digits", "As that of train.py.")
flags.DEFINE_string("data_dir", None, "As that of train.py.")
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
flags.mark_flags_as_required(["checkpoint", "output_dir"])
flags.register_validator(
    "checkpoint",
    lambda paths: not paths or len(set(paths)) == len(paths) <= 2,
    "must be one file, or two",
)
flags.register_validator("rho", lambda rho: rho > 0, "must be above 0")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    settings = {name: FLAGS[name].value for name in measurements.SETTINGS}
    measurements.report_on(settings, FLAGS.output_dir, FLAGS.data_dir)


if __name__ == "__main__":
    app.run(main)
