"""The command line `materialsdock export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.help import MEASURE, examples
from materialsdock.rendering.options import Json, Out

JobId = Annotated[str | None, typer.Argument(help="Job id, as `materialsdock jobs` lists it.")]
Every = Annotated[bool, typer.Option("--all", help="Export every finished job.")]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="nexus, xdi, xye, xy, cif, html, json, separated by commas; default: all it has.",
    ),
]
To = Annotated[
    Path | None,
    typer.Option("--to", help="Folder to write to; default: exports/ in the data folder."),
]


def export(
    job: JobId = None,
    every: Every = False,
    formats: Formats = None,
    to: To = None,
    out: Out = Path("materialsdock-data"),
    as_json: Json = False,
) -> None:
    """Write results of finished jobs as NeXus, XDI, columns, CIF, report page or JSON.

    Made from the ledger alone: exported again, the files are the same.
    """
    from materialsdock.cli import export_command

    said = export_command.run(out, job, every, formats, to)
    print(json.dumps(said) if as_json else export_command.overview(said))


def mount(app: typer.Typer) -> None:
    """Add the command `export`."""
    app.command(
        rich_help_panel=MEASURE, epilog=examples("export JOB", "export --all --format nexus,xye")
    )(export)
