"""Curves of standards as prior knowledge."""
