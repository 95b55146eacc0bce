"""Measures the landscapes of checkpoints, and writes the report."""

import json
import pathlib

import keras
import tensorflow as tf
from absl import logging

from examples import data
from examples import runs
from examples.landscape import figures
from examples.landscape import report
from keras_sam import landscape as landscapes

# Flags that decide the numbers; --output_dir may be another next time.
SETTINGS = (
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
