"""Help as a newcomer reads it: groups, first lines, examples that parse, the version."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from materialsdock import __version__
from materialsdock.cli.app import app
from materialsdock.rendering.help import ANALYSE, INSTRUMENT, MEASURE, NIGHT, PROGRAM, TRY

ROOT = get_command(app)
GROUPS = {TRY, MEASURE, ANALYSE, NIGHT, INSTRUMENT}
EXAMPLE = re.compile(rf"^- `{PROGRAM} (.*)`$", re.MULTILINE)


def commands(command=ROOT, path=()):
    """(path, command) of all that can be run, groups aside."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
    for name, each in (below or {}).items():
        yield from commands(each, (*path, name))


def texts(command=ROOT, path=()):
    """(path, help) of all commands, groups and options."""
    yield " ".join(path), command.help
    for each in command.params:
        if "--help" not in each.opts:
            yield " ".join((*path, each.opts[-1])), each.help
    for name, each in getattr(command, "commands", {}).items():
        yield from texts(each, (*path, name))


ALL = dict(commands())


def understood(words):
    """Parse a command line down to the command that it runs, which is returned with its words."""
    command, context = ROOT, None
    while True:
        context = command.make_context(command.name, list(words), parent=context)
        if not hasattr(command, "commands"):
            return command
        words = [*context._protected_args, *context.args]
        _, command, words = command.resolve_command(context, words)


@pytest.mark.parametrize("path", ALL)
def test_each_command_has_examples_of_its_own_that_parse(path):
    lines = EXAMPLE.findall(ALL[path].epilog or "")
    assert lines, f"{path} shows no example"
    for line in lines:
        assert understood(shlex.split(line)) is ALL[path], line


def test_an_example_that_does_not_parse_would_be_found():
    with pytest.raises(Exception, match="No such option"):
        understood(["demo", "--frobnicate"])


def test_all_commands_stand_in_groups_in_their_order():
    panels = [each.rich_help_panel for each in ROOT.commands.values()]
    assert set(panels) == GROUPS
    first = {panel: panels.index(panel) for panel in reversed(panels)}
    assert sorted(first, key=first.get) == [TRY, MEASURE, ANALYSE, NIGHT, INSTRUMENT]


def test_every_command_and_every_option_says_in_its_first_line_what_it_is_for():
    for path, words in texts():
        first = (words or "").partition("\n")[0]
        assert first.endswith((".", ":", ";")), f"{path}: {words!r}"
        assert not first.startswith(("What ", "Whether ")), path


def run(*words, **more):
    environment = {**os.environ, "COLUMNS": "200", "TERM": "dumb", **more}
    return subprocess.run(
        [sys.executable, "-m", "materialsdock", *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_the_page_of_a_command_shows_square_brackets_and_its_examples():
    page = run("sim", "up", "--help").stdout
    assert "section [simulation]" in page
    assert "materialsdock sim up --port 5070" in page


def test_it_says_its_version():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"materialsdock {__version__}\n")


def test_a_shell_can_complete_its_words():
    asked = {
        "_MATERIALSDOCK_COMPLETE": "complete_bash",
        "COMP_WORDS": "materialsdock sim",
        "COMP_CWORD": "1",
    }
    program = "import sys; sys.argv[0] = 'materialsdock'; from materialsdock.cli.main import main"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; main()"],
        capture_output=True,
        text=True,
        env={**os.environ, **asked},
        check=False,
    )
    assert sorted(done.stdout.split()) == ["sim", "simulate"]
