r"""Measures and draws the loss landscape around one trained network, or two.

    python -m examples.train --output_dir=runs/sam
    python -m examples.landscape --output_dir=runs/landscape \
        --checkpoint=runs/sam/model.keras --checkpoint=runs/sgd/model.keras

A checkpoint is a `.keras` file of any image classifier that ends in logits, as
train.py saves them; the data are those of train.py's --dataset. Everything is
measured in evaluation mode, on the first --examples of --split. The folder gets

    landscape.json    every number, by checkpoint
    *.png, *.svg      the figures
    report.html       figures, table and settings in one file

A finished part of the measurement is not repeated; Ctrl-C keeps what there is.
SAM is sharpness-aware minimization; the radius --rho is Euclidean, over all
trained weights.
"""

import json
import pathlib

import keras
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

from examples import data
from examples import landscape_figures as figures
from examples import landscape_report as report
from examples import runs
from keras_sam import landscape as landscapes

# What decides the numbers; --output_dir may be another next time.
_SETTINGS = (
    *("checkpoint", "dataset", "split", "examples", "batch_size", "rho"),
    *("ascent_steps", "draws", "eigenvalues", "products", "grid", "seed"),
)


def measurements(settings):
    """Returns {name: function from a landscape to its result}."""
    climb = {"ascent_steps": settings["ascent_steps"]}
    seed = {"seed": settings["seed"], "progress": True}
    rho, side = settings["rho"], settings["grid"]
    return {
        "sharpness": lambda at: landscapes.sharpness(
            at, rho, **climb, radius="split", progress=True
        ),
        "worst": lambda at: landscapes.sharpness(
            at, rho, radius="projected", progress=True
        ),
        "average": lambda at: landscapes.average_sharpness(
            at, rho, draws=settings["draws"], **seed
        ),
        "path": lambda at: landscapes.path(at, rho, **climb, progress=True),
        "eigenvalues": lambda at: landscapes.eigenvalues(
            at,
            settings["eigenvalues"],
            iterations=max(settings["products"], settings["eigenvalues"]),
            **seed,
        ),
        "trace": lambda at: landscapes.trace(
            at, draws=settings["products"], **seed
        ),
        "density": lambda at: landscapes.spectral_density(
            at, draws=2, iterations=settings["products"] // 2, **seed
        ),
        "ascent_plane": lambda at: landscapes.ascent_plane(
            at, rho, **climb, radius="split", **seed
        ),
        "line": lambda at: landscapes.line(at, **seed),
        "plane": lambda at: landscapes.plane(
            at,
            x=figures.coordinates(side),
            y=figures.coordinates(side),
            **seed,
        ),
    }


def open_landscape(path, settings, arrays):
    """Returns the `Landscape` of a checkpoint.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it does not fit the data.
    """
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no --checkpoint={path}")
    model = keras.saving.load_model(path, compile=False)
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
    )
    batches = data.ordered_batches(
        arrays, settings["split"], settings["examples"], settings["batch_size"]
    )
    return landscapes.Landscape(model, batches), batches


def measure(path, settings, arrays, known, save):
    """Adds to `known` what is not in it yet, {name: dict of a result}."""
    at, batches = open_landscape(path, settings, arrays)
    if "evaluation" not in known:
        known["evaluation"] = {
            **at.model.evaluate(batches, return_dict=True, verbose=0),
            "examples": at.size,
            "weights": sum(int(tf.size(p)) for p in at.params),
            "complete": True,
        }
    for name, function in measurements(settings).items():
        if known.get(name, {}).get("complete"):
            continue
        logging.info("%s: %s", path, name)
        known[name] = function(at).to_dict()
        save()
        if not known[name]["complete"]:
            raise KeyboardInterrupt(f"{name} of {path} is not complete")


def report_on(settings, output_dir, data_dir=None):
    """Measures, draws and prints.

    Args:
        settings: Dict of the flags that decide the numbers.
        output_dir: Folder of the results.
        data_dir: As the flag.
    """
    folder = pathlib.Path(output_dir)
    runs.claim(folder, settings)
    file = folder / "landscape.json"
    content = json.loads(file.read_text()) if file.exists() else {}
    arrays = data.load(settings["dataset"], data_dir)
    for path in settings["checkpoint"]:
        known = content.setdefault(path, {})
        measure(
            path,
            settings,
            arrays,
            known,
            lambda: runs.write_json(file, content),
        )
    figures.draw_all(content, folder)
    text = report.table(content)
    report.write(content, settings, folder)
    print(f"\n{text}\n\nSee {folder}/report.html and {folder}/landscape.json")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    settings = {name: flags.FLAGS[name].value for name in _SETTINGS}
    report_on(settings, flags.FLAGS.output_dir, flags.FLAGS.data_dir)


def define_flags():
    """Not when imported: other scripts have flags of the same names."""
    flags.DEFINE_multi_string(
        "checkpoint", None, "A .keras file; once or twice."
    )
    flags.DEFINE_string("output_dir", None, "Folder of the results.")
    flags.DEFINE_string("dataset", "digits", "As that of train.py.")
    flags.DEFINE_string("data_dir", None, "As that of train.py.")
    flags.DEFINE_enum("split", "train", ["train", "test"], "Which examples.")
    flags.DEFINE_integer("examples", 1024, "How many of them.", lower_bound=1)
    flags.DEFINE_integer(
        "batch_size", 128, "Examples that climb together, m.", lower_bound=1
    )
    flags.DEFINE_float("rho", 0.05, "Radius of the climbs.")
    flags.DEFINE_integer(
        "ascent_steps", 5, "Steps of the climbs.", lower_bound=1
    )
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


if __name__ == "__main__":
    define_flags()
    app.run(main)
