"""The command `materialsdock read`: what a measured file holds, before anything is done with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.formats import command_line
from materialsdock.rendering import own_options
from materialsdock.rendering.help import TRY, examples
from materialsdock.rendering.options import Json, TechniqueOfFile

Plot = Annotated[
    bool, typer.Option("--plot", help="Draw it to FILE's name with .png, in this folder.")
]
Arrays = Annotated[
    Path | None,
    typer.Option(help="File to write with x, y and standard deviation, as they will be used."),
]


def mount(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel=TRY,
        epilog=examples(
            "read scan.xye",
            "read spectrum.dat --columns energy=1,i0=4,it=5",
            "read scan.dat --wavelength 0.4959 --plot --arrays scan.csv",
        ),
    )(own_options.command(read, command_line.KINDS, after="file"))


def read(
    file: Annotated[Path, typer.Argument(help="Measured file: a pattern, a spectrum, a scan.")],
    technique: TechniqueOfFile = None,
    plot: Plot = False,
    arrays: Arrays = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Read a measured file and say what was taken as what: format, columns, units, signal, errors.

    All commands read files in the same way.
    """
    from materialsdock.cli import read_command

    said = read_command.read(file, technique, command_line.taken(own), plot, arrays)
    print(json.dumps(said, allow_nan=False) if as_json else read_command.in_words(said))
