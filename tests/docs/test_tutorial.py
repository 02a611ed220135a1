"""The tutorial is carried out, block by block, by real processes in an empty folder."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import blocks
from support.places import ROOT

pytestmark = pytest.mark.slow  # a night of its own

PAGE = blocks(ROOT / "docs" / "tutorial" / "first-night.md")
LIMIT_S = 800  # of a busy machine; a quiet one takes a minute
END = "@@ end of block"


def script() -> str:
    """All that the reader types, and the files that the reader saves, in their order."""
    parts = ["set -u"]
    for block in PAGE:
        if block.mark.startswith("file: "):
            name = block.mark.removeprefix("file: ")
            parts.append(f"cat > {name} <<'@@'\n{block.text}@@")
        elif block.language == "sh":
            parts += [block.text, f"echo '{END}'"]
    return "\n".join(parts)


def carried_out(folder: Path) -> list[str]:
    """What each block of commands printed."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    with subprocess.Popen(
        ["bash", "-c", script()],
        cwd=folder,
        env={**own, "PATH": programs, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            printed, _ = shell.communicate(timeout=LIMIT_S)
        finally:  # also where it did not come to its end: the group is the shell and its night
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return printed.split(f"{END}\n")


def first_words(text: str) -> set[str]:
    """What the lines begin with, numbers and ids left aside."""
    return {
        re.sub(r"[\d.:-]+.*", "0", line.split()[0]) for line in text.splitlines() if line.split()
    }


@pytest.mark.timeout(LIMIT_S + 60)
def test_it_goes_as_the_page_says(tmp_path):
    printed = carried_out(tmp_path)
    typed = -1
    for block in PAGE:
        typed += block.language == "sh"
        if block.mark == "like":
            assert first_words(block.text) <= first_words(printed[typed]), printed[typed]
    everything = "".join(printed)
    assert "Traceback" not in everything
    assert "exit code 4" in everything  # while nothing ran
    assert re.search(r"S001 .* done\b", everything), everything
    assert re.search(r"S002 .* done\b", everything), everything
    night = tmp_path / "first-night" / "materialsdock-data"
    assert len(list((night / "reports").glob("*.html"))) == 2
    assert len(list((night / "exports").glob("*.xdi"))) == 2
