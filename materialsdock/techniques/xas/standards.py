"""Measured standards of one edge: for a library prior, and for fractions of a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.learning.prior.library import PriorStandard
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.edge_table import Edge, refuse_other

COMPARED_EV = (-20.0, 60.0)  # about the edge: where standards differ most
LEAST_COMPARED_EV = 40.0


def read_standard(path: Path, edge: Edge, file: FileOptions = NOTHING_ASKED) -> PriorStandard:
    """A measured standard, read as `file` says, normalised and set on its edge.

    Raises InputError when it cannot be read, or its edge is not within 40 eV of `edge`.
    """
    measured = read_measured(path, "xas", file)
    found = locate(measured.x, measured.y)
    refuse_other(found.e0_ev, edge, str(path))
    return PriorStandard(path.stem, found.e0_ev, measured.x - found.e0_ev, found.flat)


def read_standards(
    files: Sequence[Path], edge: Edge, where: str, file: FileOptions = NOTHING_ASKED
) -> list[PriorStandard]:
    """All of them; InputError names every file that is no such standard, in one sentence."""
    found, faults = [], []
    for path in files:
        try:
            found.append(read_standard(path, edge, file))
        except InputError as fault:
            faults.append(str(fault))
    if faults:
        raise InputError("; ".join(faults), where=where)
    return found


def of_mixture(files: Sequence[Path], edge: Edge, grid: FloatArray) -> dict[str, Any]:
    """Settings of a job whose sample is a mixture: normalised curves on `grid` (m,) [eV].

    curves : by file name without ending; window_ev : where they are compared; measured : the
    spectra as they are in the files, for the analysis.  {} without files.
    Raises InputError for files that are no standards of `edge`, share a name, or do not overlap.
    """
    if not files:
        return {}
    found = read_standards(files, edge, "--standards")
    names = [standard.name for standard in found]
    if len(set(names)) < max(len(names), 2):
        raise InputError(
            f"{len(names)} standards named {', '.join(names)}",
            where="--standards",
            remedy="give two or more files of different names",
        )
    ends = [standard.e0_ev + standard.energy_ev[[0, -1]] for standard in found]
    lo = max(edge.energy_ev + COMPARED_EV[0], grid[0], *(end[0] for end in ends))
    hi = min(edge.energy_ev + COMPARED_EV[1], grid[-1], *(end[1] for end in ends))
    if hi - lo < LEAST_COMPARED_EV:
        raise InputError(
            f"standards and scan share {max(hi - lo, 0.0):.0f} eV about {edge.name}",
            where="--standards",
            remedy=f"{LEAST_COMPARED_EV:g} eV are needed",
        )
    curves = {s.name: np.interp(grid, s.e0_ev + s.energy_ev, s.flat).tolist() for s in found}
    spectra = [read_measured(path, "xas") for path in files]
    measured = {
        name: {"energy_ev": each.x.tolist(), "mu": each.y.tolist()}
        for name, each in zip(names, spectra, strict=True)
    }
    window = [float(lo), float(hi)]
    return {"standards": {"curves": curves, "window_ev": window, "measured": measured}}
