"""The option that `materialsdock measure` gains: how fine the reflection is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

ANEW = ()  # options that may change when a job goes on: none
Resolution = Annotated[
    float | None, typer.Option(min=0.001, help="No stretch of 2θ [deg] stays longer uncounted.")
]


@dataclass(frozen=True)
class Options:
    """What can be asked of one reflection."""

    resolution: Resolution = None


def checks(
    options: Options, measured: Any, sample: Any, profile: Any, folder: Path
) -> list[Callable[[], object]]:
    """Nothing is wrong that typer lets through."""
    return []


def changes(options: Options, folder: Path) -> Mapping[str, Any]:
    """What changes of the section [reflection]."""
    return {} if options.resolution is None else {"resolution_deg": options.resolution}


def of_analysis(options: Options) -> Mapping[str, Any]:
    """What changes of the section [analysis]: nothing."""
    return {}


def structures(options: Options) -> tuple[()]:
    """No structure is asked for."""
    return ()
