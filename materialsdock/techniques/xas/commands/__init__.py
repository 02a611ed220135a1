"""Commands of absorption analysis."""
