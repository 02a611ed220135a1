"""The absorption edge of a file: as it is named, or as its energy says."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.edge_table import (
    TABULATED_WITHIN_EV,
    candidates,
    named,
)

CLEAR = 5.0  # edge step over the noise of one point: less is no edge
NEAR_EV, FAR_EV = 5.0, 60.0  # about a fall
NORMAL = 0.6745  # median of the absolute value of a normal deviate, in sd
NO_EDGE, NO_CLEAR_EDGE = "no edge inside", "no clear edge was found"
WORDS = re.compile(r"\s*([A-Za-z]{1,2})[\s_-]+([KLMklm][1-5]?)\b.*")


@dataclass(frozen=True)
class Rise:
    """The main rise of a spectrum: where [eV], and its height over the noise of one point."""

    energy_ev: float
    clearness: float


def rise_of(energy_ev: FloatArray, mu: FloatArray) -> Rise | None:
    """The main rise of µ (n,) over energies in any order; None where there is none, or no room."""
    energy, y = merged(energy_ev, mu)
    if energy.size < 20:
        return None
    with np.errstate(all="ignore"):
        try:
            found = locate(energy, y)
        except (InputError, np.linalg.LinAlgError):  # no rise, or too few points beside it
            return None
        clearness = found.edge_step / max(noise(energy, y), 1e-12 * abs(found.edge_step))
    return Rise(found.e0_ev, float(clearness)) if np.isfinite(clearness) else None


def falls_at(energy_ev: FloatArray, mu: FloatArray) -> float | None:
    """The energy [eV] where µ (n,) falls as clearly as an edge rises, and rises nowhere."""
    down = rise_of(energy_ev, -mu)
    if down is None or down.clearness < CLEAR:
        return None
    up = rise_of(energy_ev, mu)
    if up is not None and 3 * up.clearness > down.clearness:
        return None
    off = energy_ev - down.energy_ev
    before, behind = (mu[(off * way > NEAR_EV) & (off * way < FAR_EV)] for way in (-1, 1))
    if not before.size or not behind.size or np.median(behind) >= np.median(before):
        return None  # a bend, which lines fitted before and behind make a step of
    return down.energy_ev


def noise(energy_ev: FloatArray, y: FloatArray) -> float:
    """The sd of one point: how far points lie from the line between their neighbours, typically."""
    gap = np.diff(energy_ev)
    before = gap[1:] / (gap[1:] + gap[:-1])
    off = y[1:-1] - before * y[:-2] - (1 - before) * y[2:]
    off = off / np.sqrt(1 + before**2 + (1 - before) ** 2)
    typical = float(np.median(np.abs(off))) / NORMAL
    return typical or float(np.sqrt(np.mean(off**2)))  # of counts that are mostly equal


def merged(energy_ev: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Energies in order, each once, and the mean of y at each."""
    energy, inverse = np.unique(energy_ev, return_inverse=True)
    with np.errstate(all="ignore"):
        return energy, np.bincount(inverse, y, energy.size) / np.bincount(inverse)


def tidy_name(text: str) -> str:
    """An edge as the table has it, "Fe K" of "fe-K" or "Fe_k"; "" of what is none."""
    match = WORDS.fullmatch(text)
    return f"{match[1].capitalize()} {match[2].upper()}" if match else ""


def energy_of_edge(name: str) -> float | None:
    """The tabulated energy [eV] of "Fe K", or None."""
    try:
        return named(name).energy_ev
    except InputError:  # the head of a file may name what is no edge
        return None


def names_near(energy_ev: float, element: str = "") -> list[str]:
    """The edges, of `element` where it is named, that a rise at `energy_ev` may be."""
    return [edge.name for edge in candidates(energy_ev, element or None)]


def edge_inside(
    energy_ev: FloatArray, mu: FloatArray, asked: str, said: str, where: str
) -> tuple[str, tuple[str, ...]]:
    """The edge of µ (n,), and what is to be said about it.

    asked : by the user; said : by the file; "" where nobody does, and its energy is looked up
    Raises InputError when the edge that the user names is not that of the spectrum.
    """
    if asked:
        named(asked)  # what is none is refused before anything is looked up
    name = tidy_name(asked) or asked or said
    rise = rise_of(energy_ev, mu)
    clear = rise if rise is not None and rise.clearness >= CLEAR else None
    tabulated = energy_of_edge(name) if name else None
    if tabulated is None:
        return name or (_looked_up(clear) if clear else ""), () if clear else (NO_CLEAR_EDGE,)
    low, high = float(energy_ev[0]), float(energy_ev[-1])
    if not low <= tabulated <= high:
        span = f"{name} is at {tabulated:g} eV, the scan runs from {low:.6g} to {high:.6g} eV"
        if clear and not asked:
            near = names_near(clear.energy_ev)
            span += f", and rises at {clear.energy_ev:.1f} eV"
            if near:
                span += f", where {' or '.join(near[:2])} lies: "
                span += f"if that was measured, say --edge {near[0].replace(' ', '-')}"
        if asked and clear:
            raise InputError(
                f"{span}, and rises at {clear.energy_ev:.1f} eV",
                where=f"{where}, --edge",
                remedy="name the edge that was measured",
            )
        return name, (f"{NO_EDGE}: {span}",)
    if clear is None:
        return name, (f"no clear rise at {name}, {tabulated:g} eV",)
    if abs(clear.energy_ev - tabulated) > TABULATED_WITHIN_EV:
        off = f"the spectrum rises at {clear.energy_ev:.1f} eV, {name} is at {tabulated:g} eV"
        if asked:
            raise InputError(off, where=f"{where}, --edge", remedy="name the edge measured")
        return name, (off,)
    return name, ()


def _looked_up(rise: Rise) -> str:
    """The edge at a rise; two that are as likely are both named, as a question."""
    names = names_near(rise.energy_ev)
    return " or ".join(names[:2]) if names else f"unnamed, at {rise.energy_ev:.1f} eV"
