r"""Do climbs, measured early, say which radius to train with?

    make tuning
    python -m benchmarks.tuning --output_dir=tuning --page=tuning.md

For each task, a data set with clean or wrong labels and a network, SAM trains
with six radii, and SGD with as many steps. `landscape.climbs` measures the same
radii before training and after an epoch. rules.py has the rules that suggest a
radius from these numbers, and says when a rule is validated; grid.py has tasks
and radii.

The same command continues an interrupted benchmark. `results.csv` has a row for
each finished training, `climbs.csv` one for each radius that was measured. The
trainings that docs/cheaper has already are read from there. The tables come
from these files alone (`--only_report`).
"""

import pathlib
import sys

from absl import app
from absl import flags

from benchmarks.cheaper import report as cheaper_report
from benchmarks.cheaper import store as cheaper_store
from benchmarks.tuning import grid
from benchmarks.tuning import report
from benchmarks.tuning import rules
from benchmarks.tuning import store
from examples import options
from examples import pool
from examples.study import runner

FLAGS = flags.FLAGS
flags.DEFINE_integer("repeats", 5, "Seeds of each task.", lower_bound=2)
flags.DEFINE_string(
    "finished",
    "docs/cheaper/results.csv",
    "The results of benchmarks.cheaper.",
)
flags.DEFINE_string("page", None, "File that gets the tables.")
flags.DEFINE_bool("only_report", False, "Write the tables, train nothing.")
flags.adopt_module_key_flags(options)
flags.adopt_module_key_flags(pool)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    folder = pathlib.Path(FLAGS.output_dir)
    results, climbs = folder / "results.csv", folder / "climbs.csv"
    seeds = FLAGS.repeats
    with runner.alone(folder):
        if not FLAGS.only_report:
            try:
                planned = grid.measured(seeds, FLAGS.data_dir)
                store.measure_all(planned, climbs)
                planned = grid.plan(seeds, FLAGS.data_dir)
                cheaper_store.run_all(planned, results, store.Row)
            except KeyboardInterrupt:
                print("Interrupted. The same command continues.", flush=True)
                return 130
        trainings = cheaper_store.read(results, store.Row)
        taken = store.taken_over(pathlib.Path(FLAGS.finished), seeds)
        measured = cheaper_store.read(climbs, store.Climb)
        text = report.markdown(rules.tasks([*trainings, *taken], measured))
    if FLAGS.page:
        cheaper_report.put(pathlib.Path(FLAGS.page), text, report.BEGIN)
    print(text)
    return 0


if __name__ == "__main__":
    app.run(lambda argv: sys.exit(main(argv)))
