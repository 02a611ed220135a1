"""The command `materialsdock series`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.options import Json


def series(
    files: Annotated[list[Path], typer.Argument(help="Patterns or spectra, in their order.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for report and tables.")] = Path(
        "materialsdock-series"
    ),
    method: Annotated[
        str, typer.Option(help="nmf (nothing negative, shares) or pca (about the mean).")
    ] = "nmf",
    components: Annotated[
        int | None, typer.Option(min=1, help="How many; default: as many as the data bear.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take a series of patterns or spectra apart into the few curves that it is made of."""
    from materialsdock.fusion.series import command

    _, said = command.take_apart(files, out, method=method, components=components)
    print(json.dumps(said) if as_json else command.overview(said))
