"""The README is a tour of ten minutes: what it shows is there, and its two commands stand alone.

Its other commands and its links are those of tests/docs/test_pages.py, as every page's are.
"""

from __future__ import annotations

import re

import pytest
from support.documents import PAGES, blocks, commands
from support.places import ROOT

README = ROOT / "README.md"
TEXT = README.read_text()
LONGEST, LARGEST_BYTES = 150, 300_000
PICTURES = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", TEXT)


def block(mark: str) -> str:
    (found,) = [each.text for each in blocks(README) if each.mark == mark]
    return found


def test_the_two_lines_of_a_newcomer_are_one_line_each():
    assert block("demo").strip().endswith("materialsdock demo")
    assert "pytest" in block("tests")
    assert len(block("demo").strip().splitlines()) == len(block("tests").strip().splitlines()) == 1


def test_it_is_short():
    assert len(TEXT.splitlines()) <= LONGEST


def test_it_shows_a_report_and_a_terminal():
    assert {name for _, name in PICTURES} >= {
        "docs/_static/report.png",
        "docs/_static/terminal.svg",
    }


@pytest.mark.parametrize(("said", "name"), PICTURES, ids=[name for _, name in PICTURES])
def test_its_pictures_are_small_and_said_in_words(said, name):
    assert 0 < (ROOT / name).stat().st_size < LARGEST_BYTES
    assert len(said.split()) > 3


def test_its_commands_are_among_those_that_are_tried():
    assert README in PAGES
    typed = {line.split()[1] for line in commands(README)}
    assert {"demo", "measure", "refine", "simulate", "up", "submit", "status", "shell"} <= typed
