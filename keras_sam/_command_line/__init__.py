"""The command line of the library: `python -m keras_sam`."""
