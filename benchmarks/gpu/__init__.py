"""The first meeting with a GPU, on JAX: `python -m benchmarks.gpu`."""
