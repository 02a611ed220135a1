"""A spectrum and its edge: normalisation, energies to measure, quantities, plausibility."""
