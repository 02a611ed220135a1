"""Judges of what is recorded: stale, dead, saturated, drifting, damaged."""
