"""The quantities that a user can name as a target: from a spectrum's analysis and from its axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.stopping.quantities import Linear, Quantity, Sampled, area, fractions
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.normalise import Normalised
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings
from materialsdock.techniques.xas.spectrum.white_line import white_line

KEPT = 256  # curves: those that one estimate draws, twice over


def located(
    energy_ev: FloatArray, mu: FloatArray, chosen: SpectrumSettings = NOTHING_CHOSEN
) -> Normalised:
    """`locate`, once for all quantities of the same curve."""
    return _located(np.asarray(energy_ev, float).tobytes(), np.asarray(mu, float).tobytes(), chosen)


@lru_cache(maxsize=KEPT)
def _located(energy_ev: bytes, mu: bytes, chosen: SpectrumSettings) -> Normalised:
    return locate(np.frombuffer(energy_ev), np.frombuffer(mu), chosen)


# by name: unit, and the number of a normalised spectrum on energies (m,) [eV]
NAMED: Mapping[str, tuple[str, Callable[[FloatArray, Normalised], float]]] = {
    "e0": ("eV", lambda energy, found: found.edge_ev),
    "edge_step": ("", lambda energy, found: found.edge_step),
    "white_line_height": ("", lambda energy, found: white_line(energy, found)[1]),
    "white_line_position": ("eV", lambda energy, found: white_line(energy, found)[0]),
}
CALLED = {name: name.replace("_", " ") for name in NAMED} | {"e0": "E0"}  # by people


def quantities(
    names: Iterable[str],
    grid: FloatArray,
    standards: Mapping[str, Any] | None = None,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
) -> tuple[Quantity, ...]:
    """The quantities of these names on `grid` (m,) [eV].

    "area:LO:HI" is the area of µ there, "fraction:NAME" the share of a standard in a mixture
    standards : as standards.of_mixture gives them; chosen : settings of the normalisation
    Raises InputError for a name that says nothing.
    """
    shares = _shares(grid, standards, chosen) if standards else {}
    return tuple(
        shares[name] if name in shares else _quantity(name, grid, shares, chosen) for name in names
    )


def _shares(
    grid: FloatArray, standards: Mapping[str, Any], chosen: SpectrumSettings
) -> dict[str, Sampled]:
    """Shares of standards in the normalised spectrum, by least squares, their sum being 1."""
    curves, window = standards["curves"], standards["window_ev"]
    references = {name: np.asarray(curve, dtype=float) for name, curve in curves.items()}

    def share(of: Linear) -> Callable[[FloatArray, FloatArray], float]:
        return lambda energy, mu: of.of(located(energy, mu, chosen).flat)

    found = zip(references, fractions(grid, references, *window), strict=True)
    return {f"fraction:{name}": Sampled(f"fraction:{name}", "", share(of)) for name, of in found}


def _quantity(
    name: str, grid: FloatArray, shares: Iterable[str], chosen: SpectrumSettings
) -> Quantity:
    if name in NAMED:
        unit, number = NAMED[name]
        return Sampled(name, unit, lambda energy, mu: number(energy, located(energy, mu, chosen)))
    try:
        kind, lo, hi = name.split(":")
        if kind == "area":
            return area(grid, float(lo), float(hi), name)
    except ValueError:
        pass
    known = ", ".join([*NAMED, "area:LO:HI", *(shares or ["fraction:NAME with --standards FILE"])])
    raise InputError(f"no quantity {name!r}", where="stop targets", remedy=f"available: {known}")
