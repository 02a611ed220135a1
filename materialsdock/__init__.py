"""Autonomous X-ray measurement: learn where to count, know when to stop, refine by itself."""

__version__ = "0.1.0"
