"""Options of the command line: none; quick to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANEW = ()  # options that may change when a job goes on: none


@dataclass(frozen=True)
class Options:
    """Nothing can be asked for besides what all techniques can be asked for."""


def checks(
    options: Any, measured: Any, sample: Any, profile: Any, folder: Path
) -> list[Callable[[], object]]:
    """Nothing to check besides what the types of the options say."""
    return []


def changes(options: Any, folder: Path) -> Mapping[str, Any]:
    """Return what changes of the section of the technique: nothing."""
    return {}


def of_analysis(options: Any) -> Mapping[str, Any]:
    """Return what changes of the section [analysis]: nothing."""
    return {}


def structures(options: Any) -> tuple[()]:
    """No structure is asked for."""
    return ()
