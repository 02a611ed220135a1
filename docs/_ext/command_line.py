"""The reference of the command line, read from the Typer application."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from materialsdock.cli.app import app

WORDS = {str: "text", int: "whole number", float: "number", Path: "path", bool: ""}
PROGRAM = "materialsdock"


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(section for section in _sections(get_command(app), (PROGRAM,)))


def _sections(command: Any, names: tuple[str, ...]) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if len(names) > 1:
        yield _section(command, names)
    for name in sorted(inner):
        yield from _sections(inner[name], (*names, name))


def _section(command: Any, names: tuple[str, ...]) -> str:
    parts = [f"{'#' * len(names)} `{' '.join(names[1:])}`", (command.help or "").strip()]
    if not getattr(command, "commands", None):
        parts.append(f"```text\n{_usage(command, names)}\n```")
    if table := _table([p for p in command.params if not p.hidden and p.name != "help"]):
        parts.append(table)
    return "\n\n".join(parts)


def _usage(command: Any, names: tuple[str, ...]) -> str:
    words = [*names]
    options = False
    for parameter in command.params:
        if _is_option(parameter):
            options = True
            continue
        metavar = parameter.metavar or (parameter.name or "").upper()
        word = f"{metavar}..." if _origin(parameter) is list else metavar
        words.append(word if parameter.required else f"[{word}]")
    return " ".join([*words, "[OPTIONS]"] if options else words)


def _table(parameters: list[Any]) -> str:
    rows = [_row(each) for each in parameters]
    if not rows:
        return ""
    return "\n".join(["| | takes | default | |", "|---|---|---|---|", *rows])


def _row(parameter: Any) -> str:
    if _is_option(parameter):
        name = ", ".join(f"`{word}`" for word in (*parameter.opts, *parameter.secondary_opts))
    else:
        name = f"`{parameter.metavar or (parameter.name or '').upper()}`"
    said = (parameter.help or "").replace("|", "\\|").replace("\n", " ")
    return f"| {name} | {_takes(parameter)} | {_default(parameter)} | {said} |"


def _is_option(parameter: Any) -> bool:
    return any(word.startswith("-") for word in parameter.opts)


def _origin(parameter: Any) -> Any:
    return typing.get_origin(_bare(parameter.type_descriptor.annotation))


def _bare(annotation: Any) -> Any:
    """An annotation without its `| None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = [part for part in typing.get_args(annotation) if part is not type(None)]
    return annotation


def _takes(parameter: Any) -> str:
    kind = _bare(parameter.type_descriptor.annotation)
    if typing.get_origin(kind) in (list, tuple):
        inner = [part for part in typing.get_args(kind) if part is not Ellipsis]
        words = ", ".join(WORDS.get(part, str(part)) for part in inner)
        return f"{words}; may be repeated" if typing.get_origin(kind) is list else words
    limits = _limits(parameter.min, parameter.max)
    return f"{WORDS.get(kind, getattr(kind, '__name__', str(kind)))}{limits}"


def _limits(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f", at least {least:g}"
    return f", {least:g} to {most:g}" if least is not None else f", at most {most:g}"


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "needed"
    if value in (None, "", [], ()) or value is False:
        return ""
    return "on" if value is True else f"`{value}`"
