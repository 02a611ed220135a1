"""Reading measured files: what they hold is recognised by their content, not by their name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from materialsdock.formats.measured import read_measured

__all__ = ["read_measured"]


def __getattr__(name: str) -> Any:
    """Import the reader when it is first asked for: the options of every command lie here, too."""
    if name != "read_measured":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from materialsdock.formats.measured import read_measured

    return read_measured
