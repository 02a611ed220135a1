"""The command line `materialsdock ledger`: check, compact, backup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.help import examples
from materialsdock.rendering.options import Json, Out

Copy = Annotated[Path, typer.Argument(help="The copy to write, e.g. /backup/2026-11-30.sqlite.")]
Data = Path("materialsdock-data")

ledger = typer.Typer(
    no_args_is_help=True,
    help="Check, shrink or copy the ledger, the one file that everything measured is kept in.",
)


@ledger.command(epilog=examples("ledger check --out night"))
def check(out: Out = Data, as_json: Json = False) -> None:
    """Check that the ledger is whole: file, numbers, packed pages, audit; exit code 5 if not."""
    from materialsdock.cli import ledger_command

    said = ledger_command.check(out)
    print(json.dumps(said) if as_json else ledger_command.checked(said))


@ledger.command(epilog=examples("ledger compact --out night"))
def compact(out: Out = Data, as_json: Json = False) -> None:
    """Pack all finished runs, and give the room to the disk when nothing else has it open."""
    from materialsdock.cli import ledger_command

    said = ledger_command.compact(out)
    print(json.dumps(said) if as_json else ledger_command.compacted(said))


@ledger.command(epilog=examples("ledger backup /backup/2026-11-30.sqlite --out night"))
def backup(file: Copy, out: Out = Data, as_json: Json = False) -> None:
    """Copy the ledger as it is at one moment, also while a night runs."""
    from materialsdock.cli import ledger_command

    said = ledger_command.backup(out, file)
    print(json.dumps(said) if as_json else f"{said['file']}: {said['bytes'] / 1e6:.1f} MB")
