"""The command line `materialsdock store`: add, list, search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.options import Json, ProfileName

store = typer.Typer(
    no_args_is_help=True, help="Your CIFs: keep them, list them, find them in a pattern."
)
Folder = Annotated[
    Path, typer.Option("--store", envvar="MATERIALSDOCK_STORE", help="Folder of the store.")
]
DEFAULT = Path("materialsdock-structures")
Elements = Annotated[
    str | None,
    typer.Option(help="Only structures made of these elements, or of some of them, e.g. Fe,O."),
]
Processes = Annotated[int, typer.Option(min=1, help="Processes.")]


def mount(app: typer.Typer) -> None:
    """Add the command `store` to those of everybody."""
    app.add_typer(store, name="store")


@store.command("add")
def store_add(
    paths: Annotated[list[Path], typer.Argument(help="CIF files, or folders of them.")],
    folder: Folder = DEFAULT,
    workers: Processes = 2,
    as_json: Json = False,
) -> None:
    """Copy CIFs into the store; those that describe no crystal are refused, one reason each."""
    from materialsdock.techniques.xrd.commands import structure_store

    said = structure_store.add(paths, folder, workers)
    print(json.dumps(said) if as_json else structure_store.added(said))


@store.command("list")
def store_list(elements: Elements = None, folder: Folder = DEFAULT, as_json: Json = False) -> None:
    """List the structures; several CIFs of the same structure are one line."""
    from materialsdock.techniques.xrd.commands import structure_store

    said = structure_store.listing(folder, elements)
    print(json.dumps(said) if as_json else structure_store.table(said))


@store.command("search")
def store_search(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    elements: Elements = None,
    folder: Folder = DEFAULT,
    top: Annotated[int, typer.Option(min=1, help="Candidates shown for each phase.")] = 5,
    refine: Annotated[bool, typer.Option(help="Refine the best hypotheses, or match only.")] = True,
    wavelength: Annotated[
        list[float],
        typer.Option(help="In Å, once or twice; default: the file's."),
    ] = [],  # noqa: B006
    profile: ProfileName = "sim",
    workers: Processes = 2,
    as_json: Json = False,
) -> None:
    """Name the phases of a pattern: confident, ambiguous with rivals, or no confident match."""
    from materialsdock.techniques.xrd.commands import structure_store

    query = structure_store.Query(pattern, elements, top, refine, workers, profile, wavelength)
    watch = None if as_json else structure_store.tell
    said = structure_store.search(query, folder, watch)
    print(json.dumps(said, allow_nan=False) if as_json else structure_store.overview(said))
