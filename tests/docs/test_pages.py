"""What the pages tell people to type is understood, and what they link to is there."""

from __future__ import annotations

import shlex

import pytest
from support.documents import PAGES, commands, links
from support.places import ROOT
from typer.main import get_command

from materialsdock.cli.app import app

CHECKOUT = ROOT.as_posix() + "/"
TYPED = [
    (page.as_posix().removeprefix(CHECKOUT), line) for page in PAGES for line in commands(page)
]
SHELLS = {"--install-completion", "--show-completion"}  # of the application itself


@pytest.mark.parametrize(("page", "line"), sorted(set(TYPED)), ids=lambda words: words)
def test_every_command_is_understood(page, line):
    root = get_command(app)
    words = shlex.split(line)[1:]
    if words[0] in SHELLS:
        assert words[0] in {option for each in root.params for option in each.opts}
        return
    name = words.pop(0)
    command = root.commands[name]
    if hasattr(command, "commands"):
        named = words[0] in command.commands  # `xas FILE` is `xas spectrum FILE`
        command = command.commands[words.pop(0) if named else "spectrum"]
    with command.make_context(name, words) as context:
        assert context.params


def test_most_pages_tell_people_what_to_type():
    assert len(TYPED) > 60
    assert len({page for page, _ in TYPED}) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.as_posix().removeprefix(CHECKOUT))
def test_every_link_leads_somewhere(page):
    for to in links(page):
        there = page.parent / to
        assert there.exists() or there.with_suffix(".md").exists(), to


def test_an_invented_command_would_be_noticed():
    root = get_command(app)
    with pytest.raises(Exception, match="No such option"):
        root.commands["measure"].make_context("measure", ["--reply", "x"])
