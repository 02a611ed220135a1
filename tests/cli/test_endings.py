"""Ctrl-C and SIGTERM end a command that calculates alike; warnings of libraries stay silent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from support.structures import lab6_files

COMMAND = (sys.executable, "-m", "materialsdock")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a pattern and its structure."""
    return lab6_files(tmp_path_factory.mktemp("calculating"))


@pytest.mark.parametrize(
    "end",
    [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_search_that_is_ended_says_how_to_go_on(folder, end):
    words = ("refine", "LaB6.xy", "--cif", "LaB6.cif", "--trials", "400", "--workers", "1")
    words += ("--range", "20", "40")
    child = subprocess.Popen(
        [*COMMAND, *words, "--out", end.name, "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that runs the tests in the background has them ignore SIGINT, their children too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    heard = []
    for line in child.stderr:
        heard.append(line)
        if "trial" in line:
            break
    child.send_signal(end)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, (heard, err)
    error = json.loads(out)["error"]
    assert (error["code"], error["where"]) == ("interrupted", "LaB6")
    assert "--resume" in error["remedy"]
    assert "Traceback" not in err


WARNS = """
import sys, warnings
import materialsdock.cli.app as app
app.main = lambda: warnings.warn("for programmers", FutureWarning)
from materialsdock.cli.main import main
main()
"""


@pytest.mark.parametrize(("options", "heard"), [((), False), (("-W", "default"), True)])
def test_a_warning_of_a_library_reaches_only_who_asks_for_it(options, heard):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, *options, "-c", WARNS],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert ("for programmers" in done.stderr) is heard
