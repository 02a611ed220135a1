"""The learner of a curve: sweeps over an axis."""
