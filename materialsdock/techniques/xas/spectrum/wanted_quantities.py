"""The quantities that a user can name as a target: from a spectrum's analysis and from its axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.stopping.quantities import Linear, Quantity, Sampled, area, fractions
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.normalise import Normalised

KEPT = 256  # curves: those that one estimate draws, twice over
WHITE_LINE_EV = 30.0  # its maximum is looked for so far behind the edge


def located(energy_ev: FloatArray, mu: FloatArray) -> Normalised:
    """`locate`, once for all quantities of the same curve."""
    return _located(np.asarray(energy_ev, float).tobytes(), np.asarray(mu, float).tobytes())


@lru_cache(maxsize=KEPT)
def _located(energy_ev: bytes, mu: bytes) -> Normalised:
    return locate(np.frombuffer(energy_ev), np.frombuffer(mu))


def edge(energy_ev: FloatArray, mu: FloatArray) -> float:
    """The edge energy [eV] of µ (m,) at half height."""
    return located(energy_ev, mu).e0_ev


def edge_step(energy_ev: FloatArray, mu: FloatArray) -> float:
    """The jump in µ (m,) at the edge."""
    return located(energy_ev, mu).edge_step


def white_line(energy_ev: FloatArray, mu: FloatArray) -> tuple[float, float]:
    """Position [eV] and normalised height of the maximum within 30 eV beyond the edge.

    The position is that of a parabola through the highest point and its neighbours.
    """
    found = located(energy_ev, mu)
    behind = energy_ev - found.e0_ev
    at = np.flatnonzero((behind >= 0.0) & (behind <= WHITE_LINE_EV))
    if not at.size:
        raise InputError(f"nothing is measured beyond {found.e0_ev:.1f} eV", where="white line")
    top = int(at[np.argmax(found.flat[at])])
    around = slice(max(top - 1, 0), top + 2)
    x, y = energy_ev[around] - energy_ev[top], found.flat[around]
    if x.size < 3:
        return float(energy_ev[top]), float(found.flat[top])
    bend, slope, height = np.polyfit(x, y, 2)
    if bend >= 0:
        return float(energy_ev[top]), float(height)
    shift = float(np.clip(-0.5 * slope / bend, x[0], x[-1]))
    return float(energy_ev[top] + shift), float(height + slope * shift + bend * shift**2)


NAMED: Mapping[str, tuple[str, Callable[[FloatArray, FloatArray], float]]] = {
    "e0": ("eV", edge),
    "edge_step": ("", edge_step),
    "white_line_height": ("", lambda energy, mu: white_line(energy, mu)[1]),
    "white_line_position": ("eV", lambda energy, mu: white_line(energy, mu)[0]),
}
CALLED = {name: name.replace("_", " ") for name in NAMED} | {"e0": "E0"}  # by people


def quantities(
    names: Iterable[str], grid: FloatArray, standards: Mapping[str, Any] | None = None
) -> tuple[Quantity, ...]:
    """The quantities of these names on `grid` (m,) [eV].

    "area:LO:HI" is the area of µ there, "fraction:NAME" the share of a standard in a mixture
    standards : as standards.of_mixture gives them
    Raises InputError for a name that says nothing.
    """
    shares = _shares(grid, standards["curves"], standards["window_ev"]) if standards else {}
    return tuple(
        shares[name] if name in shares else _quantity(name, grid, shares) for name in names
    )


def _shares(
    grid: FloatArray, curves: Mapping[str, Sequence[float]], window_ev: Sequence[float]
) -> dict[str, Sampled]:
    """Shares of standards in the normalised spectrum, by least squares, their sum being 1."""
    references = {name: np.asarray(curve, dtype=float) for name, curve in curves.items()}

    def share(of: Linear) -> Callable[[FloatArray, FloatArray], float]:
        return lambda energy, mu: of.of(located(energy, mu).flat)

    found = zip(references, fractions(grid, references, *window_ev), strict=True)
    return {f"fraction:{name}": Sampled(f"fraction:{name}", "", share(of)) for name, of in found}


def _quantity(name: str, grid: FloatArray, shares: Iterable[str]) -> Quantity:
    if name in NAMED:
        return Sampled(name, *NAMED[name])
    try:
        kind, lo, hi = name.split(":")
        if kind == "area":
            return area(grid, float(lo), float(hi), name)
    except ValueError:
        pass
    known = ", ".join([*NAMED, "area:LO:HI", *(shares or ["fraction:NAME with --standards FILE"])])
    raise InputError(f"no quantity {name!r}", where="stop targets", remedy=f"available: {known}")
