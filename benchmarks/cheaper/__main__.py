r"""What do methods that promise to save bring in the same time?

    make cheaper
    python -m benchmarks.cheaper --output_dir=cheaper --document=cheaper.md

Every method gets the time that SAM needs for the trainings of docs/study.md: as
many steps as fit, and a learning rate that falls over just these steps. Time is
counted, not stopped. First the steps of all methods are timed in turns, on a
network where arithmetic is the cost (`--network`). Then steps are counted. So
no result depends on what else the machine does, and two runs can go at once.
grid.py has the methods, radii and data; report.py has the rule that names a
method.

The same command continues an interrupted benchmark. `costs.csv` has the times,
`shares.csv` how often AE-SAM climbs, `results.csv` a row for each finished run.
The tables come from these files alone (`--report`). `--list` measures
costs where there are none, and lists the steps.
"""

import pathlib
import sys

from absl import app
from absl import flags

from benchmarks import networks
from benchmarks.cheaper import costs
from benchmarks.cheaper import grid
from benchmarks.cheaper import report
from benchmarks.cheaper import store
from examples import options
from examples import pool
from examples.study import runner

FLAGS = flags.FLAGS
flags.DEFINE_integer("trainings", 10, "Seeds of each method.", lower_bound=2)
flags.DEFINE_float(
    "budget", 1.0, "Times the time of SAM's training.", lower_bound=0.0
)
flags.DEFINE_enum("network", "cnn", list(networks.NETWORKS), "What is timed.")
flags.DEFINE_integer("rounds", 20, "Rounds of the timing.", lower_bound=2)
flags.DEFINE_float("seconds", 0.5, "Seconds of a method in a round.")
flags.DEFINE_multi_enum(
    "arm", list(grid.ARMS), list(grid.ARMS), "A method; SGD and SAM are needed."
)
flags.DEFINE_string("document", None, "File that gets the tables.")
flags.DEFINE_bool("report", False, "Write the tables, train nothing.")
flags.DEFINE_bool("list", False, "List the steps of each method.")
flags.adopt_module_key_flags(options)
flags.adopt_module_key_flags(pool)


@flags.validator("arm", "SGD and SAM are what the others are compared with")
def _has_both(arms):
    return {grid.SGD, grid.SAM} <= set(arms)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    folder = pathlib.Path(FLAGS.output_dir)
    with runner.alone(folder):
        try:
            known = store.measured(
                folder / "costs.csv",
                FLAGS.arm,
                FLAGS.network,
                FLAGS.rounds,
                FLAGS.seconds,
            )
            if not FLAGS.report:
                planned = plan(folder, known)
                if FLAGS.list:
                    return show(planned)
                store.run_all(planned, folder / "results.csv")
        except KeyboardInterrupt:
            print("Interrupted. The same command continues.", flush=True)
            return 130
        rows = store.read(folder / "results.csv", store.Row)
        text = report.markdown(rows, known)
    if FLAGS.document:
        report.put(pathlib.Path(FLAGS.document), text)
    print(text)
    return 0


def plan(folder, known):
    """Returns the runs that the command line asks for."""
    shares = store.piloted(folder / "shares.csv", known, FLAGS.data_dir)
    steps = costs.steps(known, shares, FLAGS.budget)
    return grid.plan(FLAGS.arm, FLAGS.trainings, steps, FLAGS.data_dir)


def show(planned):
    """Prints how many steps a training of each method has."""
    first = {(*run.key[:3],): run.steps for run in planned}
    for (dataset, noise, method), steps in first.items():
        print(f"{steps:>6} {dataset}, {noise:g}, {method}")
    total = sum(run.steps for run in planned)
    print(f"{total:,} steps in {len(planned)} runs")
    return 0


if __name__ == "__main__":
    app.run(lambda argv: sys.exit(main(argv)))
