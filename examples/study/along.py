r"""What one step and several steps find along the trainings of the study.

    python -m examples.study.along --output_dir=study-sharper

Trains networks of `--config=sharper` again, as the study does, and keeps their
weights after some epochs. From the same weights it climbs in one step and in
five, and looks at the losses on the way, at the gradients at both ends, and at
the largest eigenvalue of the Hessian. What is measured was fixed before any
result. The data are 512 training examples, wrong labels included, in batches of
128 with batch statistics, as in training. The climbs of a data set have the
same radii, whatever trained the network: the one of the training, and on
MNIST-1D four times as much, since a trial showed that one step and five steps
do not part at 0.05.

`along.csv` has a row for each network and epoch. Rows are written when a
network is finished, so the same command continues. Tables and figures are made
from this file alone (`--redraw`).
"""

import contextlib
import functools
import pathlib

import keras
import numpy as np
from absl import flags

from examples import data
from examples import options
from examples import pool
from examples import progress
from examples import runs
from examples import train
from examples import usage
from examples.study import along_report
from examples.study import along_rows
from examples.study import grid
from examples.study import runner
from keras_sam import landscape as landscapes
from keras_sam import vectors

FLAGS = flags.FLAGS
flags.DEFINE_bool("redraw", False, "Write tables and figures, train nothing.")
GROUPS = {"Trainings": ("redraw", "jobs"), **options.GROUPS}

CONFIG = grid.CONFIGS["sharper"]
ARMS = (("sgd", 0), ("sam", 1), ("last", 5), ("mean", 5))
# Of training: the middle one.
RADII = {task.dataset: task.rhos[1] for task in CONFIG.tasks}
CLIMBS = {"digits": (0.57,), "mnist1d": (0.05, 0.2)}
EPOCHS = {"digits": (1, 3, 10, 20, 30), "mnist1d": (1, 2, 4, 7, 10)}
# The small study lacks these seeds. So one processor ran them all.
SEEDS = range(5, 15)
STEPS = along_rows.STEPS
EXAMPLES = 512
BATCH_SIZE = 128


def wanted(planned):
    """Returns the runs whose trainings are looked at."""
    return [
        run
        for run in planned
        if (run.method, run.n) in ARMS
        and run.rho in (0.0, RADII[run.dataset])
        and run.seed in SEEDS
    ]


def measure(run):
    """Returns the rows of a training, one for each epoch and radius."""
    keras.utils.clear_session()  # Several runs in one process: all alike.
    arrays = train.load_data(run.settings)
    keras.utils.set_random_seed(run.settings.seed)
    strategy = options.STRATEGIES["none"](run.settings)
    model = train.build(run.settings, arrays, strategy)
    seen = data.ordered_batches(arrays, "train", EXAMPLES, BATCH_SIZE)
    unseen = data.ordered_batches(arrays, "test", None, BATCH_SIZE)
    at = landscapes.Landscape(model, seen, training=True)
    test = landscapes.Landscape(model, unseen, training=True)
    kept = weights(model, at.variables, run, arrays)
    accuracy = model.evaluate(unseen, return_dict=True, verbose=0)["accuracy"]
    rows = []
    for epoch in EPOCHS[run.dataset]:
        params = at.weights(kept[epoch])
        top = landscapes.eigenvalues(
            at, 1, iterations=30, tolerance=0.01, params=params
        )
        unseen_gradient = test.gradient(params)
        for radius in CLIMBS[run.dataset]:
            rows.append(
                {
                    **{name: getattr(run, name) for name in along_rows.KEY},
                    "epoch": epoch,
                    "radius": radius,
                    **means(at, params, radius, unseen_gradient),
                    "eigenvalue": float(top.values[0]),
                    "residual": float(top.residuals[0]),
                    "final_accuracy": accuracy,
                }
            )
    return rows


def weights(model, variables, run, arrays):
    """Trains; returns {epoch: values of the variables}."""
    settings = run.settings
    kept = {}

    def keep(epoch, logs):
        if epoch + 1 in EPOCHS[run.dataset]:
            kept[epoch + 1] = [variable.numpy() for variable in variables]

    model.fit(
        data.train_batches(
            arrays, settings.batch_size, settings.seed, range(settings.epochs)
        ),
        epochs=settings.epochs,
        steps_per_epoch=train.steps_per_epoch(settings, arrays),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)],
        shuffle=False,  # train_batches has done it.
        verbose=0,
    )
    return kept


def means(at, params, rho, unseen):
    """Returns {quantity: mean over batches}; for the arguments see `climbs`."""
    rows = [climbs(patch, params, rho, unseen) for patch in at.batches()]
    return {
        name: float(np.mean([row[name] for row in rows])) for name in rows[0]
    }


def climbs(at, params, rho, unseen):
    """Climbs in one step and in several, from the same weights.

    Args:
        at: The landscape of a batch.
        params: List of tensors, the weights w.
        rho: Float, the length of the one step, and of the several together.
        unseen: List of tensors, the gradient of the test loss at w.

    Returns:
        {quantity: scalar}, see along_report.py. `one_k` and
        `several_k` are what the loss has risen after k of the n parts.
    """
    parts = range(1, STEPS + 1)
    loss, first = at.loss_and_gradient(params)

    def moved(point, length, gradient):
        step = vectors.scale(length, vectors.unit(gradient))
        return vectors.add(point, step)

    line = [at.loss(moved(params, rho * k / STEPS, first)) for k in parts]
    one = at.gradient(moved(params, rho, first))
    point, path, gradients = params, [], [first]
    for _ in parts:
        point = moved(point, rho / STEPS, gradients[-1])
        height, gradient = at.loss_and_gradient(point)
        path.append(height)
        gradients.append(gradient)
    last, mean = gradients[-1], functools.reduce(vectors.add, gradients[1:])
    way = vectors.subtract(point, params)
    return {
        "loss": float(loss),
        **{f"one_{k}": float(line[k - 1] - loss) for k in parts},
        **{f"several_{k}": float(path[k - 1] - loss) for k in parts},
        "ends": cosine(one, last),
        "one_first": cosine(one, first),
        "last_first": cosine(last, first),
        "way_first": cosine(way, first),
        "last_way": cosine(last, way),
        "one_norm": float(vectors.norm(one) / vectors.norm(first)),
        "last_norm": float(vectors.norm(last) / vectors.norm(first)),
        "first_unseen": cosine(first, unseen),
        "one_unseen": cosine(one, unseen),
        "last_unseen": cosine(last, unseen),
        "mean_unseen": cosine(mean, unseen),
    }


def cosine(a, b):
    """Returns the cosine of the angle of two lists of tensors, a float."""
    return float(vectors.dot(vectors.unit(a), vectors.unit(b)))


def run_all(planned, file):
    """Adds the rows that the file still lacks."""
    rows = runs.read_csv(file)
    known = {along_rows.key(row) for row in rows}
    todo = [
        run
        for run in planned
        if tuple(str(getattr(run, name)) for name in along_rows.KEY)
        not in known
    ]
    print(
        f"{len(todo)} of {len(planned)} trainings lack in {file}.", flush=True
    )
    for dataset in sorted({run.dataset for run in todo}):
        data.load(dataset, todo[0].settings.data_dir)  # Prepares it once.
    jobs = pool.jobs("none", max(len(todo), 1))
    given = [(run, run) for run in todo]
    with (
        contextlib.closing(pool.in_shifts(jobs, measure, given)) as ended,
        progress.Progress(
            "Training", len(planned), before=len(planned) - len(todo)
        ) as shown,
    ):
        for run, future in ended:
            rows.extend(future.result())
            runs.write_csv(file, list(rows[0]), rows)
            shown.done(f"{run.dataset} {run.method} {run.n} {run.seed}")


def main(argv):
    settings = options.settings()
    folder = pathlib.Path(settings.output_dir)
    file = folder / "along.csv"
    if not FLAGS.redraw:
        planned = grid.plan(CONFIG, settings, (), folder / "runs")
        with runner.alone(folder):
            run_all(wanted(planned), file)
    along_report.write(runs.read_csv(file), folder)


if __name__ == "__main__":
    usage.run(main, GROUPS)
