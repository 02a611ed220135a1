"""The structure holds: import contracts, one foreign word per room, small files."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.places import ROOT

ROOMS = ("materialsdock", "devices", "plans", "sim_devices")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FOREIGN = {
    "torch": "materialsdock/learning/prior/learning.py",
    "gpytorch": "materialsdock/learning/prior/learning.py",
    "numba": "materialsdock/learning/gp/matern.py",
    "optuna": tuple(
        f"materialsdock/{w}.py"
        for w in (
            "techniques/xrd/search/studies",
            "optimisation/storage",
            "optimisation/blackbox",
            "fusion/hybrid/search",
        )
    ),
    "distributed": "materialsdock/optimisation/dask_executor.py",
    "rietx": (
        "materialsdock/techniques/xrd/rietveld/rietx_",
        "materialsdock/techniques/xrd/files/kinds/vendor.py",  # its readers, not its refinements
    ),
    "ase": "materialsdock/theory/energy.py",
    "GSASII": "materialsdock/techniques/xrd/rietveld/gsas_child.py",
    "GSASIIscriptable": "materialsdock/techniques/xrd/rietveld/gsas_child.py",
    "sqlite3": ("materialsdock/ledger/database.py", "materialsdock/techniques/xrd/phases/store.py"),
    "fastapi": "materialsdock/web",
}

# the ledger's SQL, and what runs it; the store of structures keeps an index of its own
SQL = re.compile(
    r"\bSELECT\s|\bINSERT (INTO|OR)\b|\bUPDATE \w+ SET\b|\bDELETE FROM\b"
    r"|\.execute\((?!figure\))|\bledger\.(rows|insert|keep)\("
)
SPEAKS_SQL = ("materialsdock/ledger/", "materialsdock/techniques/xrd/phases/store.py")


@cache
def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("word", FOREIGN)
def test_one_room_speaks_each_foreign_word(word):
    speakers = {str(p.relative_to(ROOT)) for p in SOURCES if word in imported(p)}
    assert all(speaker.startswith(FOREIGN[word]) for speaker in speakers), speakers


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{node.name} is long"


def test_only_the_ledger_speaks_sql():
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        if not name.startswith(SPEAKS_SQL):
            found = SQL.search(path.read_text())
            assert found is None, f"{name}: {found and found[0]} belongs into a query of the ledger"


def test_nobody_outside_asks_which_technique_it_is():
    asks, answers = re.compile(r'"(xrd|xas)"|technique =='), ("techniques", "fusion")
    for path in SOURCES:
        place = path.relative_to(ROOT).parts
        if place[0] == "materialsdock" and place[1] not in answers:
            found = asks.search(path.read_text())
            assert found is None, f"{path}: {found and found[0]} belongs behind the seam"


def test_processes_are_started_by_names_that_there_are():
    started = re.compile(r"materialsdock\.night(\.\w+)+")
    room = "materialsdock.night.processes"
    names = {f"{room}.{name}" for name in ("worker", "analyst", "librarian", "guard", "daemon")}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = started.match(node.value.split()[0]) if node.value.split() else None
                names |= {found[0]} if found else set()
    assert f"{room}.simulated_beamline" in names
    for name in names:
        assert importlib.util.find_spec(name) is not None, name


def words_imported(path: Path) -> set[str]:
    """Dotted names, each with its module."""
    words = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            words |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            words |= {f"{node.module}.{alias.name}" for alias in node.names}
    return words


def test_no_test_file_imports_another():
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.name.startswith("made_by_"):  # by a version of before, in whose checkout it ran
            continue
        for word in words_imported(path):
            room, *rest = word.split(".")
            assert room != "tests", f"{path.relative_to(ROOT)}: what tests share is in support"
            is_test = any(part.startswith("test_") for part in (room, *rest))
            assert not is_test, f"{path.relative_to(ROOT)} imports {word}"


def linted(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on the rooms of this tree, whatever is installed."""
    program = "from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_import_contracts_hold():
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of all that the contracts are about."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("plans/measure.py", "import materialsdock.campaign"),
        ("plans/measure.py", "import materialsdock"),
        ("plans/measure.py", "from materialsdock.technique import named"),
        ("plans/__init__.py", "from devices.shutter import Shutter"),
        ("devices/stage.py", "from plans import stubs"),
    ],
)
def test_a_site_that_knows_too_much_breaks_a_contract(tree, name, line):
    file, room = tree / name, name.partition("/")[0]
    before = file.read_text()
    try:
        file.write_text(f"{before}\n{line}\n")
        done = linted(tree)
    finally:
        file.write_text(before)
    assert done.returncode == 1, done.stderr
    assert f"{room} know" in done.stdout.partition("Broken contracts")[2]
