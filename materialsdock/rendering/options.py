"""The options of the commands of `cli`: one annotated type per option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock import technique

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Site = Annotated[Path | None, typer.Option(help="Site folder; default: the checkout or bundled.")]
Out = Annotated[Path, typer.Option("--out", help="Data folder: ledger, catalog, reports.")]
Stop = Annotated[
    list[str], typer.Option("--stop", help="KEY=VALUE, e.g. threshold=0.1, maximum_points=300.")
]
TechniqueName = Annotated[
    str | None, typer.Option("--technique", help=f"{' or '.join(technique.known())}.")
]
Trials = Annotated[
    int | None,
    typer.Option(min=1, max=100_000, help="Refinement trials per seed; refine: 50 by default."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, max=256, help="Refinement processes; refine: all cores.")
]
Speed = Annotated[
    float | None, typer.Option(min=0.1, help="Simulated seconds per second of wall clock.")
]
Seed = Annotated[int, typer.Option(help="Seed of simulation, learner and search.")]

ProfileName = Annotated[str, typer.Option(help="Profile of the instrument.")]
Replay = Annotated[Path | None, typer.Option(help="Measured file to replay.")]
Resume = Annotated[str | None, typer.Option(help="Go on with this job id.")]
CountTime = Annotated[
    float | None, typer.Option(min=1e-3, help="Full-scan counting time per point, in seconds.")
]


def flag(name: str, annotation: Any) -> str:
    """Name a parameter as the command line does: "--particle-size"."""
    (option,) = annotation.__metadata__
    words = (option.default, *(option.param_decls or ()))
    named = [word for word in words if type(word) is str and word.startswith("--")]
    return named[0] if named else f"--{name.replace('_', '-')}"
