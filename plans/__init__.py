"""Bluesky plans: the adaptive loop, fixed baselines, and their stubs."""
