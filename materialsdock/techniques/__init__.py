"""One folder per technique; nobody else asks which one it is."""
