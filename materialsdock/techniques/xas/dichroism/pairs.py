"""Pairs of spectra of both helicities as one: each normalised by its pre-edge, then averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.checks import check_curve


@dataclass(frozen=True, eq=False)
class HelicityScan:
    """One spectrum by the name of its file: energies (n,) [eV] and signal (n,)."""

    name: str
    energy_ev: FloatArray
    mu: FloatArray


@dataclass(frozen=True, eq=False)
class Pairs:
    """µ⁺ and µ⁻ on common energies (n,) [eV]: of each pair (k, n), and their means.

    With one pair they are as measured; of several each spectrum is divided by its mean before
    the edge, and all are multiplied by the mean of these.
    """

    energy_ev: FloatArray
    each_plus: FloatArray
    each_minus: FloatArray

    @property
    def plus(self) -> FloatArray:
        """(n,) mean µ⁺."""
        return np.asarray(self.each_plus.mean(axis=0))

    @property
    def minus(self) -> FloatArray:
        """(n,) mean µ⁻."""
        return np.asarray(self.each_minus.mean(axis=0))

    def __len__(self) -> int:
        return len(self.each_plus)


def common(scans: Sequence[tuple[HelicityScan, HelicityScan]]) -> Pairs:
    """The pairs (µ⁺, µ⁻) on the energies of the first spectrum that all of them cover.

    Raises InputError for spectra that do not overlap, and for a pair without any difference.
    """
    every = [scan for pair in scans for scan in pair]
    for scan in every:
        check_curve(scan.energy_ev, scan.mu, scan.name)
    first = every[0].energy_ev
    inside = np.ones(first.size, dtype=bool)
    for scan in every[1:]:
        inside &= (first >= scan.energy_ev[0]) & (first <= scan.energy_ev[-1])
        if not inside.any():
            raise InputError(
                f"{first[0]:.1f} to {first[-1]:.1f} eV and {scan.energy_ev[0]:.1f} to "
                f"{scan.energy_ev[-1]:.1f} eV do not overlap",
                where=scan.name,
                remedy="give spectra of the same edges",
            )
    energy = first[inside]
    plus, minus = (
        np.array([np.interp(energy, pair[i].energy_ev, pair[i].mu) for pair in scans])
        for i in (0, 1)
    )
    for pair, one, other in zip(scans, plus, minus, strict=True):
        refuse_equal(one, other, f"{pair[0].name} and {pair[1].name}")
    return Pairs(energy, plus, minus)


def refuse_equal(plus: FloatArray, minus: FloatArray, where: str) -> None:
    """Raise InputError where µ⁺ (n,) and µ⁻ (n,) are one and the same spectrum."""
    if np.array_equal(plus, minus):
        raise InputError(
            "µ⁺ and µ⁻ are the same spectrum, so that there is no dichroism",
            where=where,
            remedy="name one spectrum of each helicity or field direction",
        )


def normalised(found: Pairs, pre_ev: tuple[float, float], names: Sequence[str]) -> Pairs:
    """The pairs with each spectrum scaled to the mean pre-edge of all, in `pre_ev` [eV].

    names : of the spectra, µ⁺ and µ⁻ in turn.  Raises InputError for a pre-edge not above 0, or
    without points.
    """
    before = (found.energy_ev >= pre_ev[0]) & (found.energy_ev <= pre_ev[1])
    if not before.any():
        raise InputError(
            f"no points from {pre_ev[0]:.1f} to {pre_ev[1]:.1f} eV",
            where="pre-edge",
            remedy="give another range with --pre",
        )
    levels = np.stack([found.each_plus[:, before], found.each_minus[:, before]], axis=1)
    sizes = levels.mean(axis=2)
    for name, size in zip(names, sizes.ravel(), strict=True):
        if not size > 0:
            raise InputError(
                f"its mean before the edge is {size:.3g}, not above 0",
                where=name,
                remedy="give a pre-edge range where the signal is positive with --pre",
            )
    factors = sizes.mean() / sizes
    return Pairs(
        found.energy_ev, found.each_plus * factors[:, :1], found.each_minus * factors[:, 1:]
    )
