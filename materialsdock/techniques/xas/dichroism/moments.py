"""Magnetic moments by the sum rules of X-ray magnetic circular dichroism at L3 and L2.

p = ∫L3 (µ⁺ − µ⁻), q = ∫L3+L2 (µ⁺ − µ⁻), r = ∫ (µ⁺ + µ⁻ − steps):
m_orb = −(4/3)(q/r) n_h/(P cosθ), m_spin,eff = −((6p − 4q)/r) n_h/(P cosθ), in µ_B per atom
(Thole et al., PRL 68, 1943, 1992; Carra et al., PRL 70, 694, 1993; Chen et al., PRL 75, 152, 1995).
m_spin,eff still holds the magnetic dipole term 7⟨T_z⟩.  Signs follow the convention of µ⁺.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray, Parameter
from materialsdock.techniques.xas.dichroism.background import (
    Background,
    Dichroism,
    believable,
    correct,
    find_background,
    neighbours,
    sensible_scalings,
)
from materialsdock.techniques.xas.dichroism.pairs import Pairs, refuse_equal
from materialsdock.techniques.xas.spectrum.checks import check_curve

DETECTED = 3.0  # standard deviations
STEADY, UNSTEADY = 0.1, 0.5  # spread over backgrounds relative to m_spin
MOMENTS = ("m_orb", "m_spin_eff", "ratio")


@dataclass(frozen=True)
class MagneticAtom:
    """The atom in the sum rules: holes n_h, polarisation P, angle of beam to moment [deg]."""

    holes: float
    polarisation: float = 1.0
    angle_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.holes <= 10 and 0 < self.polarisation <= 1 and abs(self.angle_deg) < 90):
            raise InputError(
                f"holes {self.holes:g}, polarisation {self.polarisation:g}, "
                f"angle {self.angle_deg:g} deg",
                where="sum rules",
                remedy="holes from 0 to 10, polarisation from 0 to 1, angle below 90 deg",
            )


@dataclass(frozen=True, eq=False)
class Moments:
    """m_orb, m_spin_eff [µ_B] and their ratio: medians over backgrounds with total sd.

    noise : sd over posterior samples (0 without); background : sd over the choices
    extremes : smallest and largest over the choices; verdict and its reasons
    reference, background_drawn : one choice, given or the most usual one, and what it leaves
    """

    values: dict[str, Parameter]
    noise: dict[str, float]
    background: dict[str, float]
    extremes: dict[str, tuple[float, float]]
    reference: Dichroism
    background_drawn: Background
    choices: int
    verdict: Literal["accept", "ambiguous", "no confident match"]
    reasons: tuple[str, ...]


def moments_of(p: float, q: float, r: float, atom: MagneticAtom) -> tuple[float, float, float]:
    """(m_orb, m_spin_eff [µ_B], m_orb/m_spin_eff) from the three integrals."""
    scale = atom.holes / (atom.polarisation * np.cos(np.radians(atom.angle_deg)) * r)
    orbital, spin = -4.0 / 3.0 * q * scale, -(6 * p - 4 * q) * scale
    whole = 9 * p - 6 * q
    return float(orbital), float(spin), float(2 * q / whole) if whole else float("nan")


def magnetic_moments(
    energy_ev: FloatArray,
    plus: FloatArray,
    minus: FloatArray,
    atom: MagneticAtom,
    background: Background | None = None,
    samples: tuple[FloatArray, FloatArray] | None = None,
) -> Moments:
    """Moments from µ⁺ and µ⁻ (n,) on the same energies, with noise and background in the sd.

    background : the reference choice, found from the spectra when not given; its neighbours in
        ranges, steps and drift make the spread
    samples : posterior samples of µ⁺ and of µ⁻, each (k, n)

    Raises InputError for bad curves, no step, or ranges outside the spectrum.
    """
    check_curve(energy_ev, plus, "µ+")
    check_curve(energy_ev, minus, "µ-")
    refuse_equal(plus, minus, "µ+ and µ-")
    start = find_background(energy_ev, plus + minus) if background is None else background
    choices = list(neighbours(start, sensible_scalings(energy_ev, plus, minus, start)))
    corrected = [correct(energy_ev, plus, minus, each) for each in choices]
    found = believable(corrected)
    table = np.array([moments_of(d.p, d.q, d.r, atom) for d in found])
    middle, spread = np.median(table, axis=0), np.std(table, axis=0, ddof=1)
    chosen = start
    if background is None:  # the choice whose moments are the most usual ones
        far = np.sum(((table - middle)[:, :2] / np.maximum(spread[:2], 1e-12)) ** 2, axis=1)
        usual = found[int(np.argmin(far))]
        chosen = next(c for c, d in zip(choices, corrected, strict=True) if d is usual)
    reference = correct(energy_ev, plus, minus, chosen)
    noise, counts = np.zeros(len(MOMENTS)), 0
    if samples is not None:
        drawn = [correct(energy_ev, a, b, chosen) for a, b in zip(*samples, strict=True)]
        noise = np.std([moments_of(d.p, d.q, d.r, atom) for d in drawn], axis=0, ddof=1)
        counts = int(abs(reference.p) < DETECTED * float(np.std([d.p for d in drawn], ddof=1)))
    verdict, reasons = _judge(table, middle, spread, noise, bool(counts))
    units = ("µ_B", "µ_B", "")
    return Moments(
        {
            name: Parameter(name, float(middle[i]), float(np.hypot(noise[i], spread[i])), units[i])
            for i, name in enumerate(MOMENTS)
        },
        dict(zip(MOMENTS, noise.tolist(), strict=True)),
        dict(zip(MOMENTS, spread.tolist(), strict=True)),
        {
            name: (float(table[:, i].min()), float(table[:, i].max()))
            for i, name in enumerate(MOMENTS)
        },
        reference,
        chosen,
        len(found),
        verdict,
        reasons,
    )


def over_pairs(pairs: Pairs, found: Moments, atom: MagneticAtom) -> Moments:
    """The moments with the scatter between pairs in their noise, where it is the larger.

    It is the standard error of the mean over the pairs, each analysed with the background that
    `found` has drawn; one pair has none.
    """
    if len(pairs) < 2:
        return found
    each = [
        correct(pairs.energy_ev, plus, minus, found.background_drawn)
        for plus, minus in zip(pairs.each_plus, pairs.each_minus, strict=True)
    ]
    table = np.array([moments_of(d.p, d.q, d.r, atom) for d in each])
    between = np.std(table, axis=0, ddof=1) / np.sqrt(len(pairs))
    noise = {n: max(found.noise[n], float(b)) for n, b in zip(MOMENTS, between, strict=True)}
    values = {
        name: replace(value, esd=float(np.hypot(noise[name], found.background[name])))
        for name, value in found.values.items()
    }
    return replace(found, values=values, noise=noise)


def _judge(
    table: FloatArray,
    middle: FloatArray,
    spread: FloatArray,
    noise: FloatArray,
    undetected: bool,
) -> tuple[Literal["accept", "ambiguous", "no confident match"], tuple[str, ...]]:
    if undetected:
        return "no confident match", ("the dichroism at L3 is within its noise",)
    doubts: list[str] = []
    share = float(spread[1] / abs(middle[1])) if middle[1] else float("inf")
    if share > STEADY:
        doubts.append(f"m_spin_eff moves by {100 * share:.0f} % with the background")
    signs: Sequence[str] = [
        name for i, name in enumerate(MOMENTS[:2]) if table[:, i].min() < 0 < table[:, i].max()
    ]
    doubts += [f"{name} changes its sign with the background" for name in signs]
    if float(noise[1]) > STEADY * abs(float(middle[1])):
        doubts.append("counting noise is above a tenth of m_spin_eff")
    if share > UNSTEADY or "m_spin_eff" in signs:
        return "no confident match", tuple(doubts)
    return ("ambiguous" if doubts else "accept"), tuple(doubts)
