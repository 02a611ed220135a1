"""Several measurements of one thing, answered together."""
