"""The how-to of a new technique shows the files that are tested, word for word."""

from __future__ import annotations

import re

import pytest
from support.places import ROOT, TESTS
from typer.main import get_command

from materialsdock.cli.app import app

PAGE = (ROOT / "docs" / "how-to" / "add-a-technique.md").read_text()
PACKAGE = TESTS / "technique_of_a_stranger"
SHOWN = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
TYPED = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
def test_a_block_stands_in_its_file(name, text):
    assert f"\n{text}" in "\n" + (PACKAGE / name).read_text()


@pytest.mark.parametrize("name", sorted({name for name, _ in SHOWN}))
def test_the_blocks_of_a_file_are_all_of_it(name):
    shown = "".join(text for each, text in SHOWN if each == name)
    assert shown.split() == (PACKAGE / name).read_text().split()


def test_every_file_is_shown():
    parts = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != "__init__.py"
    }
    assert {name for name, _ in SHOWN} == parts


def test_only_what_people_type_comes_from_no_file():
    blocks = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert len(blocks) == len(SHOWN) + blocks.count("sh")


def test_its_commands_are_there():
    known = get_command(app).commands
    typed = {word for text in TYPED for word in re.findall(r"materialsdock (\w+)", text)}
    assert typed
    assert typed <= set(known)
