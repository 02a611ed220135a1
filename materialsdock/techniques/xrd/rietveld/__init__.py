"""Rietveld engines behind one protocol, recipes and their limits."""
