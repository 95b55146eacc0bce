"""The landscape around a network: `python -m examples.landscape`."""
