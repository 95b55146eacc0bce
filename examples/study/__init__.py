"""Does multi-step SAM gain from its steps? `python -m examples.study`."""
