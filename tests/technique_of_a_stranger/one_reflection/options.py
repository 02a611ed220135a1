"""The option that `materialsdock measure` gains: how fine the reflection is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.techniques.ordinary.options import ANEW, checks, of_analysis, structures

__all__ = ["ANEW", "Options", "changes", "checks", "of_analysis", "structures"]

Resolution = Annotated[
    float | None, typer.Option(min=0.001, help="No stretch of 2θ [deg] stays longer uncounted.")
]


@dataclass(frozen=True)
class Options:
    """The options of one reflection."""

    resolution: Resolution = None


def changes(options: Options, folder: Path) -> Mapping[str, Any]:
    """Return what changes of the section [reflection]."""
    return {} if options.resolution is None else {"resolution": options.resolution}
