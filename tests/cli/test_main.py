"""Faults before there are commands are a sentence and an exit code as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support.places import ROOT

ENTRY = "[materialsdock.techniques]\n{name} = {value}\n"


def installed(folder, name, value):
    """The folder with a package that brings a technique, as an installer would leave it."""
    info = folder / "strange-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY.format(name=name, value=value))
    (folder / "strange.py").write_text("FOUND = 'no technique'\n")
    (folder / "licensed.py").write_text("raise RuntimeError('no licence')\n")
    return folder


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere:FOUND", "cannot load technique 'strange' from nowhere:FOUND"),
        ("strange:MISSING", "cannot load technique 'strange' from strange:MISSING"),
        ("strange:FOUND", "no Technique named 'strange'"),
        ("licensed:FOUND", "cannot load technique 'strange' from licensed:FOUND: no licence"),
    ],
)
def test_a_technique_that_cannot_be_loaded_is_refused_with_its_package(tmp_path, value, said):
    refused(installed(tmp_path, "strange", value), said)


def test_no_package_takes_the_place_of_another_unseen(tmp_path):
    found = installed(tmp_path, "xas", "strange:FOUND")
    refused(found, "2 packages bring a technique 'xas': materialsdock, strange")


def refused(found, said):
    """See that a command says so in one sentence, and in its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "materialsdock", "jobs", "--json"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{found}"},
        cwd=found,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert json.loads(done.stdout)["error"]["code"] == "bad_input"
