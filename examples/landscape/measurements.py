"""Measures the landscapes of checkpoints, and writes the report."""

import functools
import json
import math
import pathlib
import re

import keras

from examples import data
from examples import progress
from examples import runs
from examples.landscape import figures
from examples.landscape import report
from keras_sam import landscape as landscapes

# Flags that decide the numbers; --output_dir may be another next time.
SETTINGS = (
    *("checkpoint", "dataset", "split", "examples", "batch_size", "rho"),
    *("ascent_steps", "draws", "eigenvalues", "products", "grid", "seed"),
)
_NAMED = re.compile(r"([^/\\:]+):(.+)")


def measurements(settings):
    """Returns {name: function of a landscape and of how to show progress}."""
    climb = {"ascent_steps": settings["ascent_steps"]}
    seed = {"seed": settings["seed"]}
    rho, side = settings["rho"], figures.coordinates(settings["grid"])
    products = settings["products"]
    return {
        "sharpness": lambda at, show: landscapes.sharpness(
            at, rho, **climb, radius="split", progress=show
        ),
        "worst": lambda at, show: landscapes.sharpness(
            at, rho, radius="projected", progress=show
        ),
        "average": lambda at, show: landscapes.average_sharpness(
            at, rho, draws=settings["draws"], **seed, progress=show
        ),
        "path": lambda at, show: landscapes.path(
            at, rho, **climb, progress=show
        ),
        "eigenvalues": lambda at, show: landscapes.eigenvalues(
            at,
            settings["eigenvalues"],
            iterations=max(products, settings["eigenvalues"]),
            **seed,
            progress=show,
        ),
        "trace": lambda at, show: landscapes.trace(
            at, draws=products, **seed, progress=show
        ),
        "density": lambda at, show: landscapes.spectral_density(
            at, draws=2, iterations=products // 2, **seed, progress=show
        ),
        "ascent_plane": lambda at, show: landscapes.ascent_plane(
            at, rho, **climb, radius="split", **seed, progress=show
        ),
        "line": lambda at, show: landscapes.line(at, **seed, progress=show),
        "plane": lambda at, show: landscapes.plane(
            at, x=side, y=side, **seed, progress=show
        ),
    }


def work(settings):
    """Returns {name: about how many losses of all examples it takes}.

    A gradient counts as 3 losses, a product with the Hessian as 6. That is
    enough to estimate how long the rest takes.
    """
    steps, products = settings["ascent_steps"], settings["products"]
    return {
        "sharpness": 3 * steps,
        "worst": 3 * 20,
        "average": settings["draws"],
        "path": 3 * steps,
        "eigenvalues": 6 * products,
        "trace": 6 * products,
        "density": 6 * products,
        "ascent_plane": 25**2,
        "line": 51,
        "plane": settings["grid"] ** 2,
    }


def named(checkpoint):
    """Returns (name, path) of a --checkpoint, NAME:PATH or the path alone."""
    found = _NAMED.fullmatch(checkpoint)
    if found and not pathlib.Path(checkpoint).exists():
        return found.groups()
    return checkpoint, checkpoint


def find(path):
    """Raises FileNotFoundError if there is no such checkpoint."""
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no --checkpoint={path}")


def open_landscape(path, settings, arrays):
    """Returns the `Landscape` of a checkpoint.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it does not fit the data.
    """
    find(path)
    model = keras.saving.load_model(path, compile=False)
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
    )
    batches = data.ordered_batches(
        arrays, settings["split"], settings["examples"], settings["batch_size"]
    )
    return landscapes.Landscape(model, batches), batches


def evaluation(at, batches):
    """Returns loss and accuracy, with what they are of."""
    return {
        **at.model.evaluate(batches, return_dict=True, verbose=0),
        "examples": at.size,
        "weights": sum(math.prod(p.shape) for p in at.params),
        "complete": True,
    }


def measure(settings, arrays, content, save):
    """Adds what is missing to the results, and keeps each result.

    Args:
        settings: Dict of the flags that decide the numbers.
        arrays: `data.Arrays`.
        content: {name of a checkpoint: {name: dict of a result}}.
        save: A function without arguments that keeps `content`.
    """
    works = work(settings)
    functions = measurements(settings)
    todo = [
        (name, path, stage)
        for name, path in map(named, settings["checkpoint"])
        for stage in functions
        if not content[name].get(stage, {}).get("complete")
    ]
    count = len(content) * len(functions)
    with progress.Progress(
        "Stage",
        count,
        before=count - len(todo),
        work=sum(works[stage] for *_, stage in todo),
    ) as shown:
        opened = None
        for name, path, stage in todo:
            known = content[name]
            if opened != name:
                at, batches = open_landscape(path, settings, arrays)
                opened = name
            if "evaluation" not in known:
                known["evaluation"] = evaluation(at, batches)
            part = functools.partial(_part, shown, works[stage])
            known[stage] = functions[stage](at, part).to_dict()
            save()
            if not known[stage]["complete"]:
                raise KeyboardInterrupt(f"{stage} of {path} is not complete")
            shown.done(f"{name}: {stage}", works[stage])


def _part(shown, works, done, total):
    """Shows that so many of all parts of a stage are done."""
    if total:
        shown.part(works * done / total)


def report_on(settings, output_dir, data_dir=None):
    """Measures, draws and prints.

    Args:
        settings: Dict of the flags that decide the numbers.
        output_dir: Folder of the results.
        data_dir: As the flag.
    """
    folder = pathlib.Path(output_dir)
    runs.check(folder, settings)
    for _, path in map(named, settings["checkpoint"]):
        find(path)
    arrays = data.load(settings["dataset"], data_dir)
    file = folder / "landscape.json"
    content = json.loads(file.read_text()) if file.exists() else {}
    for name, _ in map(named, settings["checkpoint"]):
        content.setdefault(name, {})

    def save():
        runs.claim(folder, settings)
        runs.write_json(file, content)

    measure(settings, arrays, content, save)
    figures.draw_all(content, folder)
    text = report.table(content)
    report.write(content, settings, folder)
    print(f"\n{text}\n\nSee {folder}/report.html and {folder}/landscape.json")
