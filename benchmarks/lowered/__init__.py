"""What compilers say of a train step on JAX: `python -m benchmarks.lowered`."""
