"""The sample of the demonstration: a real lab pattern from rietx's wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.model import Measured, Sample
from materialsdock.techniques.xrd.phases.cif_files import read_structure


def examples() -> Path:
    """The folder of measured patterns inside the installed rietx package."""
    spec = importlib.util.find_spec("rietx")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("rietx is not installed", remedy="pip install materialsdock")
    return Path(spec.submodule_search_locations[0]) / "data" / "examples"


def fluorapatite() -> Measured:
    """Fluorapatite, Cu Kα lab data (5751 steps)."""
    return read_measured(examples() / "FAP.XRA", "xrd")


def sample() -> tuple[Measured, Sample]:
    """Fluorapatite with its structure, at the first place of the changer."""
    structure = read_structure(examples() / "fluorapatite.cif")
    return fluorapatite(), Sample("fluorapatite", "xrd", structures=(structure,))
