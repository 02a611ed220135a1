"""Absorption analysis: normalisation and edge position."""
