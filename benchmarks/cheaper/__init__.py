"""What methods that promise to save bring in the same time."""
