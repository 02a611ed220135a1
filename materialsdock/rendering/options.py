"""The options of the commands of `cli`: one annotated type per option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock import technique

PROFILE = "Instrument profile: a folder of the site's profiles/."
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Site = Annotated[
    Path | None,
    typer.Option(
        help="Site folder with devices/, plans/, sim_devices/ and profiles/; "
        "default: the one that comes with materialsdock."
    ),
]
Out = Annotated[
    Path, typer.Option("--out", help="Data folder, for the ledger of all results and the reports.")
]
Stop = Annotated[
    list[str],
    typer.Option(
        "--stop",
        metavar="KEY=VALUE",
        help="When to stop, e.g. threshold=0.1 or maximum_points=300; may be repeated.",
    ),
]
TECHNIQUES = " or ".join(technique.known())
TechniqueName = Annotated[str | None, typer.Option("--technique", help=f"{TECHNIQUES}.")]
TechniqueOfFile = Annotated[
    str | None, typer.Option("--technique", help=f"{TECHNIQUES}; default: as the file shows.")
]
Trials = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        help="Trials of the analysis per seed; default: as the profile says; `refine`: 50.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        help="Processes of the analysis; default: as the profile says; `refine`: all cores.",
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(
        min=0.1, help="Simulated seconds per second that passes; default: as the profile says."
    ),
]
Seed = Annotated[
    int, typer.Option(help="Seed of all random numbers: the same seed gives the same run.")
]

ProfileName = Annotated[str, typer.Option(help=PROFILE)]
Replay = Annotated[
    Path | None, typer.Option(help="Measured file that the simulated beamline replays.")
]
Resume = Annotated[str | None, typer.Option(help="Id of an unfinished job to go on with.")]
CountTime = Annotated[
    float | None,
    typer.Option(
        min=1e-3, help="Counting time per point of the full scan that the file stands for [s]."
    ),
]


def flag(name: str, annotation: Any) -> str:
    """Name a parameter as the command line does: "--particle-size"."""
    (option,) = annotation.__metadata__
    words = (option.default, *(option.param_decls or ()))
    named = [word for word in words if type(word) is str and word.startswith("--")]
    return named[0] if named else f"--{name.replace('_', '-')}"
