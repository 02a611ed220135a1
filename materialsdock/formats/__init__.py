"""Reading measured files: what they hold is recognised by their content, not by their name."""

from __future__ import annotations

from materialsdock.formats.measured import read_measured

__all__ = ["read_measured"]
