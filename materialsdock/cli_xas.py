"""The command line `materialsdock xas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.cli_options import Json

Standards = Annotated[
    list[Path], typer.Option("--standards", help="Measured standard of the same edge; repeat.")
]
FeffPath = Annotated[Path | None, typer.Option("--path", help="feffNNNN.dat of the first shell.")]
EdgeName = Annotated[str | None, typer.Option(help="The edge it has to be, e.g. Fe-K.")]


def xas(
    spectrum: Annotated[Path, typer.Argument(help="Measured absorption spectrum.")],
    standards: Standards = [],  # noqa: B006 - typer reads the default, nobody changes it
    path: FeffPath = None,
    edge: EdgeName = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials per seed.")] = 60,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the search.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Folder for the report page.")] = None,
    as_json: Json = False,
) -> None:
    """Analyse an absorption spectrum: edge, fractions of standards, first shell."""
    from materialsdock import xas_command

    request = xas_command.Request(spectrum, tuple(standards), path, edge, trials, seeds, out)
    said = xas_command.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else xas_command.overview(said))
