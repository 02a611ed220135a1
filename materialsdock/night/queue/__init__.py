"""Samples and their states, faults and what follows them, history, estimate."""
