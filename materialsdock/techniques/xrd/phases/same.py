"""Find the entries that are the same structure in different CIFs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gemmi
import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.phases.cif_files import StoreEntry

LENGTHS = 0.015
ANGLES_DEG = 1.0
LIKENESS = 0.95
RELATIVE_WIDTH = 0.006
GRID = np.exp(np.arange(np.log(0.8), np.log(20.0), 0.002))

Group = tuple[str, int]


def group_of(entry: StoreEntry) -> Group:
    """Return what two entries must share before they are compared: formula and space group."""
    return entry.described.formula, entry.described.number


def reduced_cell(entry: StoreEntry) -> tuple[FloatArray, FloatArray]:
    """Niggli lengths [Å] and angles [deg] (3,) each, of the primitive cell, per ascending length.

    Gruber (1973) Acta Cryst. A29, 433, as gemmi has it.
    """
    cell = gemmi.UnitCell(*entry.described.cell)
    vector = gemmi.GruberVector(cell, gemmi.SpaceGroup(entry.described.space_group))
    vector.niggli_reduce()
    values = np.array(vector.get_cell().parameters)
    return values[:3], values[3:]


def alike(a: StoreEntry, b: StoreEntry) -> bool:
    """Same reduced cell within LENGTHS and ANGLES_DEG, and lines with a cosine above LIKENESS.

    Cells of one substance differ by temperature and sample; what differs by less can hardly be
    told apart in a powder pattern.
    """
    (lengths_a, angles_a), (lengths_b, angles_b) = reduced_cell(a), reduced_cell(b)
    if np.abs(np.log(lengths_a / lengths_b)).max() > LENGTHS:
        return False
    if np.abs(angles_a - angles_b).max() > ANGLES_DEG:
        return False
    scale = (a.described.cell_volume_per_weight / b.described.cell_volume_per_weight) ** (1 / 3)
    return likeness(a.d, a.intensity, b.d * scale, b.intensity) > LIKENESS


def likeness(d_a: FloatArray, i_a: FloatArray, d_b: FloatArray, i_b: FloatArray) -> float:
    """Cosine of two line lists (k,), (l,) as smooth curves over ln d, weak lines lifted by √."""
    a, b = _curve(d_a, i_a), _curve(d_b, i_b)
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def _curve(d: FloatArray, intensity: FloatArray) -> FloatArray:
    inside = (d > GRID[0]) & (d < GRID[-1])
    # d² stands for the Lorentz factor, which makes low angles strong
    weight = np.sqrt(intensity[inside]) * d[inside]
    away = (np.log(GRID)[:, None] - np.log(d[inside])) / RELATIVE_WIDTH
    return np.asarray(np.exp(-(away**2) / 2) @ weight)


def representatives(entries: Sequence[StoreEntry]) -> Mapping[str, str]:
    """entry_id -> entry_id of the one that stands for it, for entries of one group.

    Entries with a collection code come first, then by identifier, so the order of adding does
    not matter.
    """
    ordered = sorted(entries, key=lambda e: (not e.collection, e.entry_id))
    chosen: list[StoreEntry] = []
    found: dict[str, str] = {}
    for entry in ordered:
        twin = next((other for other in chosen if alike(entry, other)), None)
        if twin is None:
            chosen.append(entry)
        else:
            found[entry.entry_id] = twin.entry_id
    return found
