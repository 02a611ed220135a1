"""Energies of structures."""
