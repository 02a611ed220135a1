"""Options of the command line: this technique has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    """Nothing to say."""


def check(options: Options, measured: Any, sample: Any, profile: Any) -> None:
    """Nothing can be wrong."""


def changes(options: Options, section: Any) -> Mapping[str, Any]:
    """Nothing changes."""
    return {}


def structures(options: Options) -> tuple[()]:
    """No structure is asked for."""
    return ()
