"""The command `materialsdock hybrid`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.formats import command_line
from materialsdock.rendering import own_options
from materialsdock.rendering.help import ANALYSE, examples
from materialsdock.rendering.options import Json, ProfileName, Site

Cifs = Annotated[
    list[Path], typer.Option("--cif", help="CIF of a candidate structure; repeat for more.")
]
Others = Annotated[
    list[Path],
    typer.Option("--with", help="CIF of another phase that is present; repeat for more."),
]
Dotted = Annotated[
    str, typer.Option(help="Class of an ASE calculator, e.g. ase.calculators.emt.EMT.")
]


def hybrid(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    cif: Cifs,
    calculator: Dotted,
    arguments: Annotated[
        str, typer.Option(help="Arguments of the calculator, as a JSON object.")
    ] = "{}",
    others: Others = [],  # noqa: B006 - typer reads the default, nobody changes it
    trials: Annotated[int, typer.Option(min=1, help="Trials of the search per seed.")] = 40,
    seeds: Annotated[int, typer.Option(min=1, help="Number of independent searches.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes at once.")] = 2,
    profile: ProfileName = "sim",
    site: Site = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the report and the structures.")
    ] = Path("materialsdock-hybrid"),
    as_json: Json = False,
    **own: Any,
) -> None:
    """Rank candidate structures by fit and by energy: the Pareto set of Rwp and energy per atom."""
    from materialsdock.fusion.hybrid import command

    file = command_line.taken(own)
    request = command.HybridRequest(
        pattern,
        cif,
        calculator,
        arguments,
        others,
        trials,
        seeds,
        workers,
        profile,
        site,
        out,
        file,
    )
    _, said = command.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else command.overview(said))


def mount(app: typer.Typer) -> None:
    """Add the command `hybrid`."""
    app.command(
        rich_help_panel=ANALYSE,
        epilog=examples(
            "hybrid scan.xye --cif a.cif --cif b.cif --calculator ase.calculators.emt.EMT"
        ),
    )(own_options.command(hybrid, command_line.KINDS, after="pattern"))
