"""Structures: a folder of CIFs with an index, and which of them a measured pattern shows."""
