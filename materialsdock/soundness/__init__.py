"""Judges of what is recorded: dead, saturated, drifting, damaged; readings as arrays."""
