"""Figures, numbers, words and CIF of a refinement."""
