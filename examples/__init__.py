"""Runnable examples of keras_sam: `python -m examples.train --help`."""

import os

# A TensorFlow built for TPUs asks the network for the machine's topology when
# it is imported; elsewhere that hangs. Export TPU_SKIP_MDS_QUERY=0 on a TPU VM.
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
