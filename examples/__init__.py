"""Programs that train, compare and measure with keras_sam.

    python -m examples.train --help

They need the packages of the extra `examples` of keras-sam.
"""

import importlib.util
import os
import sys

# Modules of the extra `examples` of pyproject.toml.
NEEDED = (
    *("absl", "importlib_resources", "matplotlib", "mnist1d", "numpy"),
    *("requests", "scipy", "sklearn", "tensorboard", "tensorflow_datasets"),
    "tensorflow_metadata",
)

# TensorFlow reads both when it is imported. The first: warnings and worse only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
# A TensorFlow built for TPUs asks the network for the machine's topology when
# it is imported; elsewhere that hangs. Export TPU_SKIP_MDS_QUERY=0 on a TPU VM.
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")


def missing():
    """Returns the modules of `NEEDED` that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


# So it is while `python -m examples.NAME` looks for NAME. Who imports a module
# of this folder from elsewhere needs only what that module imports.
if sys.argv[:1] == ["-m"] and missing():
    sys.exit(
        f"The examples need {', '.join(missing())}. Install the extra "
        '`examples`: pip install "keras-sam[examples]", or in a clone: pip '
        'install ".[examples]"'
    )
