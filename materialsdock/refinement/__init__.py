"""Refinement: recipes, black-box search, engines behind one protocol."""
