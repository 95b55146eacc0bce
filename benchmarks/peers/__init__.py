"""Step time in this and in other libraries: `python -m benchmarks.peers`."""
