"""A folder of structures with an index, and which of them a pattern shows."""
