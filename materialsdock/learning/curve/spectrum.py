"""The value that counting along a curve gives: a spectrum."""

from __future__ import annotations

from dataclasses import dataclass

from materialsdock.model import FloatArray


@dataclass(frozen=True, eq=False)
class Spectrum:
    """An absorption spectrum: (n,) energy [eV], µ, and its standard deviation."""

    energy_ev: FloatArray
    mu: FloatArray
    sigma: FloatArray
