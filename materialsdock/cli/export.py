"""The command line `materialsdock export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.options import Json, Out

JobId = Annotated[str | None, typer.Argument(help="Job id, as `jobs` lists them.")]
Every = Annotated[bool, typer.Option("--all", help="Every finished job.")]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format", help="nexus, xdi, xye, xy, cif, html, json with commas between; default: all."
    ),
]
To = Annotated[
    Path | None, typer.Option("--to", help="Folder; default: exports in the data folder.")
]


def export(
    job: JobId = None,
    every: Every = False,
    formats: Formats = None,
    to: To = None,
    out: Out = Path("materialsdock-data"),
    as_json: Json = False,
) -> None:
    """Write results from the ledger: NeXus, XDI, columns, CIF, page, JSON; the same each time."""
    from materialsdock.cli import export_command

    said = export_command.run(out, job, every, formats, to)
    print(json.dumps(said) if as_json else export_command.overview(said))
