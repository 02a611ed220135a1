"""Reference pages from the code itself, as Markdown: nothing in them is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import command_line
import keys
import ledger_tables

from materialsdock import errors

PARTS: Mapping[str, Callable[[], str]] = {
    "commands": command_line.commands,
    "profile": keys.profile,
    "recipe": keys.recipe,
    "sheet": keys.sheet,
    "errors": lambda: exit_codes(),
    "ledger": ledger_tables.tables,
}


def exit_codes() -> str:
    """Every error that the project raises on purpose: its exit code, its code word, its meaning."""
    kinds = _family(errors.MaterialsDockError)
    rows = [
        f"| {kind.exit_code} | `{kind.code}` | `{kind.__name__}` | {(kind.__doc__ or '').strip()} |"
        for kind in sorted(kinds, key=lambda kind: (kind.exit_code, kind.code))
    ]
    head = "| exit code | code in `--json` | Python class | meaning |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def _family(kind: type[errors.MaterialsDockError]) -> list[type[errors.MaterialsDockError]]:
    found = []
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found += [child, *_family(child)]
    return found
