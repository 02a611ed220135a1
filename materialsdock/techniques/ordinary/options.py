"""Options of the command line: none; quick to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANEW = ()  # options that may change when a job goes on: none


@dataclass(frozen=True)
class Options:
    """No options besides those that all techniques share."""


def checks(
    options: Any, measured: Any, sample: Any, profile: Any, folder: Path
) -> list[Callable[[], object]]:
    """Return no checks besides what the types of the options say."""
    return []


def changes(options: Any, folder: Path) -> Mapping[str, Any]:
    """Return what changes of the section of the technique: nothing."""
    return {}


def of_analysis(options: Any) -> Mapping[str, Any]:
    """Return what changes of the section [analysis]: nothing."""
    return {}


def structures(options: Any) -> tuple[()]:
    """Return no structures: none can be asked for."""
    return ()
