"""The CIFs of ../shared as `store add` and `refine --cif` read them, for `files.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.cif_answers import ANSWERS, Refused

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.phases import cif_files


def judged(shared: Path) -> list[dict[str, Any]]:
    """For each CIF: what it means, or why it is refused, against the answer."""
    return [_judged(name, shared / name) for name in ANSWERS if (shared / name).is_file()]


def _judged(name: str, path: Path) -> dict[str, Any]:
    right = ANSWERS[name]
    said = {"file": name, "asked": {}}
    try:
        structure = cif_files.read_structure(path)
        found = cif_files.read_file(str(path), path.name).entries[0].described
    except InputError as fault:
        fits = isinstance(right, Refused) and right.words in str(fault) and str(path) in str(fault)
        return {**said, "verdict": "refused rightly" if fits else "refused", "why": str(fault)}
    except Exception as error:  # noqa: BLE001 - a traceback is what a user would see
        return {**said, "verdict": "wrong", "why": f"{type(error).__name__}: {error}"}
    if isinstance(right, Refused):
        return {**said, "verdict": "wrong", "why": f"read, not refused: {right.words}"}
    faults = right.faults(found, structure.notes)
    return {**said, "verdict": "wrong" if faults else "right", "why": "; ".join(faults)}
