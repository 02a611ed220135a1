"""The README is executed: its library example runs, its commands exist."""

from __future__ import annotations

import re

import pytest
from support.places import ROOT
from typer.main import get_command

from materialsdock.cli.app import app

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"(?:<!-- (\w+) -->\n)?```(\w+)\n(.*?)```", README, re.DOTALL)


def block(mark: str) -> str:
    (found,) = [text for name, _, text in BLOCKS if name == mark]
    return found


def test_the_library_example_runs_and_stops_by_itself(capsys):
    exec(compile(block("python"), "README.md", "exec"), {})
    points, reason = capsys.readouterr().out.split(maxsplit=1)
    assert int(points) < 120
    assert "λ" in reason


def commands() -> list[str]:
    lines = [line for _, kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
    found = [part for line in lines for part in re.split(r"&&|#", line)]
    return [part.strip() for part in found if part.strip().startswith("materialsdock")]


@pytest.mark.parametrize("line", commands())
def test_every_command_in_it_is_understood(line):
    root = get_command(app)
    words = line.split()[1:]
    name = words.pop(0)
    command = root.commands[name]
    if hasattr(command, "commands"):
        named = words[0] in command.commands  # `xas FILE` is `xas spectrum FILE`
        command = command.commands[words.pop(0) if named else "spectrum"]
    with command.make_context(name, words) as context:
        assert context.params


def test_the_two_lines_of_a_newcomer_are_one_line_each():
    assert block("demo").strip().endswith("materialsdock demo")
    assert "pytest" in block("tests")
    assert len(block("demo").strip().splitlines()) == len(block("tests").strip().splitlines()) == 1
