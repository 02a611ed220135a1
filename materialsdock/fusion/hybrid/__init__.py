"""Fit against energy: structures that both judge."""
