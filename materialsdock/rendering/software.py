"""The versions that a result rests on, as pages and files name them."""

from __future__ import annotations

import importlib.metadata
import platform

import materialsdock

PACKAGES = ("rietx", "numpy", "scipy", "optuna", "bluesky")


def software(*more: str) -> dict[str, str]:
    """Versions of this software and of what its results rest on; more : packages named besides."""
    found = {"materialsdock": materialsdock.__version__, "Python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in (*PACKAGES, *more)}
