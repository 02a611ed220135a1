"""Search for the best recipe, its rivals, the verdict, quantities."""
