"""The command `materialsdock series`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.formats import command_line
from materialsdock.rendering import own_options
from materialsdock.rendering.help import ANALYSE, examples
from materialsdock.rendering.options import Json


def series(
    files: Annotated[
        list[Path], typer.Argument(help="Measured patterns or spectra, in the order of the series.")
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the report and the tables.")
    ] = Path("materialsdock-series"),
    method: Annotated[
        str,
        typer.Option(
            help="nmf (components and shares not negative) or pca (deviations from the mean)."
        ),
    ] = "nmf",
    components: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of components; default: as many as stand above the noise."
        ),
    ] = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Decompose a series of patterns or spectra into components (NMF, PCA), with a report."""
    from materialsdock.fusion.series import command

    asked = command_line.taken(own)
    _, said = command.take_apart(files, out, method=method, components=components, options=asked)
    print(json.dumps(said) if as_json else command.overview(said))


def mount(app: typer.Typer) -> None:
    """Add the command `series`."""
    app.command(
        rich_help_panel=ANALYSE,
        epilog=examples(
            "series 300K.xye 400K.xye 500K.xye", "series *.xdi --method pca --components 3"
        ),
    )(own_options.command(series, command_line.KINDS, after="components"))
