"""Options that techniques bring: on one command line, refused where they mean two things."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from materialsdock.errors import InputError
from materialsdock.rendering import own_options

Width = Annotated[float | None, typer.Option(help="Of a line.")]


@dataclass(frozen=True)
class Patterns:
    width: Width = None
    axis: Annotated[str, typer.Option("--along")] = "x"


@dataclass(frozen=True)
class Spectra:
    width: Width = None


@dataclass(frozen=True)
class Shifts:
    width: Annotated[str | None, typer.Option(help="Of something else.")] = None


def plain(first: str = "a", **own):
    """Print what it was given."""
    print(first, sorted(own.items()))


def test_a_command_has_the_options_of_every_technique_once():
    app = typer.Typer()
    kinds = {"a": Patterns, "b": Spectra}
    app.command()(own_options.command(plain, kinds, after="first"))
    done = CliRunner().invoke(app, ["--width", "2", "--along", "y"])
    assert done.output.strip() == "a [('axis', 'y'), ('width', 2.0)]"
    made = own_options.made(kinds, {"axis": "y", "width": 2.0})
    assert made == {"a": Patterns(2.0, "y"), "b": Spectra(2.0)}
    assert own_options.words(made["a"]) == {"width": "--width", "axis": "--along"}


def test_an_option_with_two_meanings_is_refused_naming_both_techniques():
    with pytest.raises(InputError, match="'width' of c and of a have different meanings"):
        own_options.command(plain, {"a": Patterns, "c": Shifts}, after="first")


def test_help_needs_nothing_slow():
    program = (
        "import sys; import materialsdock.cli.app; "
        "slow = {'numpy', 'scipy', 'torch', 'bluesky', 'pydantic', 'gemmi'} & set(sys.modules); "
        "sys.exit(f'imported: {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
