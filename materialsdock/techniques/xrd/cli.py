"""The command line `materialsdock store`: add, list, search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.formats import command_line
from materialsdock.rendering import own_options
from materialsdock.rendering.help import ANALYSE, examples
from materialsdock.rendering.options import Json, ProfileName, Site

store = typer.Typer(
    no_args_is_help=True,
    help="Keep your CIFs in a store, list them, and identify the phases of a pattern from them.",
)
Folder = Annotated[
    Path,
    typer.Option("--store", envvar="MATERIALSDOCK_STORE", help="Folder of the structure store."),
]
DEFAULT = Path("materialsdock-structures")
Elements = Annotated[
    str | None,
    typer.Option(help="Only structures that contain none but these elements, e.g. Fe,O."),
]
Processes = Annotated[int, typer.Option(min=1, help="Processes at once.")]


def mount(app: typer.Typer) -> None:
    """Add the command `store` to those of everybody."""
    app.add_typer(store, name="store", rich_help_panel=ANALYSE)


@store.command("add", epilog=examples("store add phases/", "store add a.cif b.cif --store cifs"))
def store_add(
    paths: Annotated[list[Path], typer.Argument(help="CIF files, or folders with CIF files.")],
    folder: Folder = DEFAULT,
    workers: Processes = 2,
    as_json: Json = False,
) -> None:
    """Add CIFs to the store, and get the reason for each one that is refused."""
    from materialsdock.techniques.xrd.commands import structure_store

    said = structure_store.add(paths, folder, workers)
    print(json.dumps(said) if as_json else structure_store.added(said))


@store.command("list", epilog=examples("store list", "store list --elements Fe,O"))
def store_list(elements: Elements = None, folder: Folder = DEFAULT, as_json: Json = False) -> None:
    """List the structures of the store; several CIFs of the same structure are one line."""
    from materialsdock.techniques.xrd.commands import structure_store

    said = structure_store.listing(folder, elements)
    print(json.dumps(said) if as_json else structure_store.table(said))


def store_search(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    elements: Elements = None,
    folder: Folder = DEFAULT,
    top: Annotated[int, typer.Option(min=1, help="Candidates shown for each phase.")] = 5,
    refine: Annotated[
        bool,
        typer.Option(
            help="Refine the best candidates, or only compare positions and heights of peaks."
        ),
    ] = True,
    profile: ProfileName = "sim",
    site: Site = None,
    workers: Processes = 2,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Identify the phases of a pattern: confident, ambiguous with rivals, or no confident match."""
    from materialsdock.techniques.xrd.commands import structure_store

    file = command_line.taken(own)
    query = structure_store.Query(pattern, elements, top, refine, workers, profile, site, file)
    watch = None if as_json else structure_store.tell
    said = structure_store.search(query, folder, watch)
    print(json.dumps(said, allow_nan=False) if as_json else structure_store.overview(said))


store.command(
    "search",
    epilog=examples("store search scan.xye", "store search scan.xye --elements Zn,O --no-refine"),
)(own_options.command(store_search, command_line.KINDS, after="refine"))
