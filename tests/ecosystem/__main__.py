"""Trains models of other packages, plain and wrapped, and compares.

    make ecosystem
    .venv-ecosystem/bin/python -m tests.ecosystem --only=Gemma

The packages are KerasHub, KerasRS, KerasTuner and scikit-learn. They need an
environment of their own, so the tests do not run this script. It exits with 1
if numbers differ by more than they may. It writes the page even so, and the
page says what failed.
"""

import os

# This must come before the imports of the libraries.
os.environ.update(
    CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", TPU_SKIP_MDS_QUERY="1"
)

import gc  # noqa: E402
import pathlib  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import keras  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402
from absl import logging  # noqa: E402

from tests.ecosystem import detection  # noqa: E402
from tests.ecosystem import grid_search  # noqa: E402
from tests.ecosystem import images  # noqa: E402
from tests.ecosystem import language  # noqa: E402
from tests.ecosystem import page  # noqa: E402
from tests.ecosystem import retrieval  # noqa: E402
from tests.ecosystem import rows  # noqa: E402
from tests.ecosystem import segmentation  # noqa: E402
from tests.ecosystem import text  # noqa: E402
from tests.ecosystem import tuning  # noqa: E402

FLAGS = flags.FLAGS
FAMILIES = (
    images,
    text,
    language,
    segmentation,
    detection,
    retrieval,
    tuning,
    grid_search,
)

flags.DEFINE_string("output", None, "Markdown file to write.")
flags.DEFINE_string("only", "", "Regular expression: the models to train.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    logging.set_verbosity(logging.ERROR)
    keras.utils.disable_interactive_logging()
    start = time.monotonic()
    found = []
    for family in FAMILIES:
        for subject in family.SUBJECTS:
            if re.search(FLAGS.only, subject.name):
                found.append(rows.Row(subject))
                print(page.table(found[-1:]), flush=True)
                keras.backend.clear_session()
                gc.collect()
    written = page.page(found, time.monotonic() - start)
    print(written)
    if FLAGS.output:
        pathlib.Path(FLAGS.output).write_text(written)
    sys.exit(any(row.faults for row in found))


if __name__ == "__main__":
    app.run(main)
