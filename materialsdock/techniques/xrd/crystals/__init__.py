"""CIFs of any origin as checked crystals; nothing else in the house reads a foreign CIF."""
