"""A sheet of samples tried on the simulated instrument."""
