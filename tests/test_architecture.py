"""The structure holds: import contracts, one foreign word per room, small files."""

from __future__ import annotations

import ast
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
    "rietx": "materialsdock/techniques/xrd/rietveld/rietx_",
    "ase": "materialsdock/theory/energy.py",
    "GSASII": "materialsdock/techniques/xrd/rietveld/gsas_child.py",
    "GSASIIscriptable": "materialsdock/techniques/xrd/rietveld/gsas_child.py",
    "sqlite3": ("materialsdock/ledger/database.py", "materialsdock/techniques/xrd/phases/store.py"),
    "fastapi": "materialsdock/web",
}


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


def test_plans_know_only_values_ports_and_errors():
    allowed = {"materialsdock.protocols", "materialsdock.model", "materialsdock.errors"}
    for path in (ROOT / "plans").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("materialsdock"):
                assert node.module in allowed, f"{path.name} imports {node.module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, f"{node.name} is long"


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
        for word in words_imported(path):
            room, *rest = word.split(".")
            assert room != "tests", f"{path.relative_to(ROOT)}: what tests share is in support"
            is_test = any(part.startswith("test_") for part in (room, *rest))
            assert not is_test, f"{path.relative_to(ROOT)} imports {word}"


def test_import_contracts_hold():
    program = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
