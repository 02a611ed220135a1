"""The command `materialsdock hybrid`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.options import Json, ProfileName, Site

Cifs = Annotated[list[Path], typer.Option("--cif", help="Candidate structure; repeat for rivals.")]
Others = Annotated[list[Path], typer.Option("--with", help="Structure of a phase besides.")]
Dotted = Annotated[str, typer.Option(help="ASE calculator, e.g. ase.calculators.emt.EMT.")]


def hybrid(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    cif: Cifs,
    calculator: Dotted,
    arguments: Annotated[str, typer.Option(help="Arguments of the calculator, as JSON.")] = "{}",
    others: Others = [],  # noqa: B006 - typer reads the default, nobody changes it
    trials: Annotated[int, typer.Option(min=1, help="Trials per seed.")] = 40,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the search.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    profile: ProfileName = "sim",
    site: Site = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for report and structures.")] = Path(
        "materialsdock-hybrid"
    ),
    as_json: Json = False,
) -> None:
    """Weigh structures by fit and by energy at once: the Pareto set of both."""
    from materialsdock.fusion.hybrid import command

    request = command.HybridRequest(
        pattern, cif, calculator, arguments, others, trials, seeds, workers, profile, site, out
    )
    _, said = command.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else command.overview(said))
