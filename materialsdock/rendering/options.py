"""What the commands of `cli` can be asked: one annotated type per option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Site = Annotated[Path | None, typer.Option(help="Site folder; default: the checkout or bundled.")]
Out = Annotated[Path, typer.Option("--out", help="Data folder: ledger, catalog, reports.")]
Stop = Annotated[
    list[str], typer.Option("--stop", help="KEY=VALUE, e.g. threshold=0.1, maximum_points=300.")
]
TechniqueName = Annotated[str | None, typer.Option("--technique", help="xrd or xas.")]
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

Cif = Annotated[list[Path], typer.Option(help="Structure of a phase; repeat for more.")]
Texture = Annotated[list[str], typer.Option(help="NAME=h,k,l for a textured phase.")]
ProfileName = Annotated[str, typer.Option(help="Profile of the instrument.")]
Replay = Annotated[Path | None, typer.Option(help="Measured file to replay.")]
Resume = Annotated[str | None, typer.Option(help="Go on with this job id.")]
CountTime = Annotated[
    float | None, typer.Option(min=1e-3, help="Full-scan counting time per point, in seconds.")
]
Objective = Annotated[
    str | None,
    typer.Option(help="What 2θ counting is for: peaks, profile, fractions or parameter."),
]
Wanted = Annotated[
    list[str], typer.Option(help="PHASE.NAME to steer towards, e.g. zincite.a; with --esd.")
]
Esd = Annotated[float | None, typer.Option(help="Wanted esd, in wt%, Å or degrees.")]
Prior = Annotated[
    Path | None, typer.Option(help="Library prior of the edge: a name of the profile's, or a file.")
]
Standards = Annotated[
    list[Path],
    typer.Option("--standards", help="Standard of a mixture; repeat. For --stop fraction:NAME_sd."),
]
Regions = Annotated[
    list[str],
    typer.Option("--region", help="LO:HI:WEIGHT in eV, where precision is worth more."),
]

Seeds = Annotated[int, typer.Option(min=1, max=99, help="Searches beside each other.")]
Range = Annotated[
    tuple[float, float] | None, typer.Option(help="2θ limits in degrees, e.g. --range 15 100.")
]
TextureBy = Annotated[
    Literal["evidence", "request"],
    typer.Option("--texture", help="Preferred orientation where evidence asks, or on request."),
]
Spike = Annotated[
    str | None,
    typer.Option("--standard", help="NAME=WT_PERCENT weighed in, e.g. corundum=20.0±0.1."),
]
Grains = Annotated[
    list[str],
    typer.Option(
        "--particle-size", help="NAME=UM of every phase: corrects weights for micro-absorption."
    ),
]
Engine = Annotated[
    Literal["rietx", "gsas2"] | None,
    typer.Option(help="Rietveld program: rietx, or gsas2 where it is installed."),
]
WarmStart = Annotated[
    bool,
    typer.Option(
        "--warm-start/--no-warm-start",
        help="Try first what earlier searches in the data folder found on this instrument.",
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(help="Structure store in which phases are sought where no --cif is given."),
]
Elements = Annotated[
    str | None, typer.Option(help="With --store: what phases may be made of, e.g. Zn,O.")
]
Continue = Annotated[
    bool, typer.Option("--resume", help="Go on with the search that was interrupted.")
]
