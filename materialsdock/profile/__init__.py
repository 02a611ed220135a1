"""One instrument as its staff describe it: sections, recipes, simulation."""
