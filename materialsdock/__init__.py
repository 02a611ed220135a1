"""Autonomous X-ray measurement: learn where to count, know when to stop, refine by itself."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext materialsdock`: the running night as `md`; see materialsdock.magic."""
    from materialsdock import magic

    magic.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext materialsdock`."""
    from materialsdock import magic

    magic.unload(shell)
