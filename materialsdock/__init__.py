"""Autonomous X-ray measurement: learn where to count, know when to stop, refine by itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
# by name: what imports the package must not thereby depend on what its extension needs
_EXTENSION = "materialsdock.shell.magic"


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext materialsdock`: the running night as `md`; see materialsdock.shell.magic."""
    import_module(_EXTENSION).load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext materialsdock`."""
    import_module(_EXTENSION).unload(shell)
