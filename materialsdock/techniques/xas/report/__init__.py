"""Figures, numbers and sentences of an absorption report."""
