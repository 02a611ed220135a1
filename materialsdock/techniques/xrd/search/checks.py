"""The checks of a refinement: a number, its limit, and what it means in words.

Limits were set on right and wrong structures of measured and simulated patterns
(tests/benchmarks/refinement.py).  What counting noise alone would do is taken out of each number,
so a right answer passes after a tenth of the counting too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Check, Diffractometer, Fit, Solution
from materialsdock.techniques.xrd.search import noise, systematic, unexplained

MISSED = 30.0  # %, of the intensity above the background, beyond noise
MISSED_INTENSITIES = 10.0  # %, of it, that free intensities would explain
EXTRA_PEAK = 0.02  # of the strongest calculated peak
EXTRA_PEAKS, EXTRA_PEAKS_SHARE = 3, 0.01
DETECTED_ESDS = 3.0
SHIFT_DEG = 0.5
DOUBLET = (0.6, 1.6)  # of the Kα2 : Kα1 ratio that the profile states
HELD_OUT_RATIO = 2.0
ACCURACY_WT = 2.0  # wt%, that would change what is said of a sample
ACCURACY_CELL = 5e-4  # of a length, half of the difference that would
LEAST_WT, LEAST_CELL = 0.1, 1e-4  # that are printed: less is said to be none
REMEDIES = {
    systematic.GRAINS: "give --particle-size of each phase, or grind finer",
    systematic.TEXTURE: "spin or side-load the sample, or give --preferred-orientation",
    systematic.POSITIONS: "calibrate the zero with a standard",
    systematic.STRUCTURES: "compare CIFs of the phases, and ions with neutral atoms in them",
    systematic.RECIPES: "search with more --trials, or count for longer",
}

Checks = Iterator[Check]


def decisive(pattern: Pattern, best: Solution, diffractometer: Diffractometer) -> Checks:
    """List what has to hold for the structures to be those of the pattern.

    pattern : its σ trusted (noise.trusted)
    """
    fit = best.fit
    fwhm_deg = width(fit, diffractometer)
    yield _physical(fit)
    yield from _agreement(pattern, fit, len(diffractometer.weights))
    yield _explained(unexplained.unexplained(pattern, fit, fwhm_deg))
    yield _present(unexplained.absent(pattern, fit, fwhm_deg))
    yield _positions(fit, diffractometer, pattern)
    if len(diffractometer.weights) > 1:
        yield from _doublet(fit, diffractometer)
    if best.held_out is not None:
        yield _foretold(best)


def doubtful(pattern: Pattern, best: Solution, accuracy_wt: float) -> Checks:
    """List what makes an answer ambiguous where it fails: σ, cut counts, phases hardly seen, cells
    in doubt, and weights whose systematic doubt exceeds the accuracy [wt%] that is asked for.
    """
    yield noise.checked(pattern, best.fit)
    if (cut := noise.saturation(pattern)) is not None:
        yield cut
    yield from undetected(best.fit)
    yield from _cells(best)
    yield from _fractions(best, accuracy_wt)


def width(fit: Fit, diffractometer: Diffractometer) -> float:
    """The width [deg] of the pattern's peaks."""
    return float(fit.recipe.get("fwhm_deg", diffractometer.fwhm_deg))


def _physical(fit: Fit) -> Check:
    said = "; ".join(fit.violations[:3]) or "no physical constraint is broken"
    return Check("physical", float(len(fit.violations)), 0.0, not fit.violations, said)


def _agreement(pattern: Pattern, fit: Fit, lines: int) -> Checks:
    missed = unexplained.missed(pattern, fit)
    yield Check(
        "agreement",
        missed,
        MISSED,
        missed <= MISSED,
        f"beyond counting noise the fit misses {missed:.1f} % of the intensity above the "
        f"background (limit {MISSED:g} %): Rwp {fit.rwp:.1f} %, Rexp {fit.r_exp:.1f} %",
    )
    free = fit.rwp_free_intensities
    if free is None or fit.rwp <= 0:
        return
    misfit = unexplained.missed_intensities(pattern, fit, free, lines)
    passed = misfit <= MISSED_INTENSITIES
    said = (
        f"with free reflection intensities, {misfit:.1f} % more of it would be explained "
        f"(limit {MISSED_INTENSITIES:g} %)"
    )
    if not passed:
        said += ": the cell fits, but atoms, symmetry or preferred orientation are wrong"
    yield Check("intensities", misfit, MISSED_INTENSITIES, passed, said)


def _explained(extra: Sequence[unexplained.Peak]) -> Check:
    strongest = extra[0].share if extra else 0.0
    many = len([peak for peak in extra if peak.share > EXTRA_PEAKS_SHARE]) >= EXTRA_PEAKS
    passed = strongest <= EXTRA_PEAK and not many
    if passed:
        said = f"no observed peak above {EXTRA_PEAK:.0%} of the strongest is unexplained"
    else:
        said = f"{places(extra)} unexplained: another phase, a larger cell or a lower symmetry"
    return Check("unexplained peaks", strongest, EXTRA_PEAK, passed, said)


def _present(absent: Sequence[unexplained.Peak]) -> Check:
    strongest = absent[0].share if absent else 0.0
    said = (
        f"{places(absent)} calculated but not observed"
        if absent
        else "every strong peak is observed"
    )
    return Check("absent peaks", strongest, unexplained.STRONG_SHARE, not absent, said)


def places(peaks: Sequence[unexplained.Peak]) -> str:
    """Say where peaks are, and how high, as the subject of a sentence."""
    found = ", ".join(f"{p.two_theta:.2f}° ({p.share:.1%})" for p in peaks[:3])
    more = f" and {len(peaks) - 3} more" if len(peaks) > 3 else ""
    return f"peaks at {found}{more} are"


def shift_deg(fit: Fit, diffractometer: Diffractometer, two_theta: FloatArray) -> float:
    """The largest correction [deg 2θ] that zero and displacement make at `two_theta` (n,)."""
    value = {p.name: p.value for p in fit.parameters}
    height = math.degrees(2 * value.get("sample_displacement", 0.0) / diffractometer.radius_mm)
    moved = value.get("zero", 0.0) - height * np.cos(np.radians(two_theta / 2))
    return float(np.abs(moved).max())


def _positions(fit: Fit, diffractometer: Diffractometer, pattern: Pattern) -> Check:
    shift = shift_deg(fit, diffractometer, pattern.two_theta)
    said = f"peaks are shifted by up to {shift:.3f}° (limit {SHIFT_DEG:g}°)"
    return Check("shift", shift, SHIFT_DEG, shift <= SHIFT_DEG, said)


def _doublet(fit: Fit, diffractometer: Diffractometer) -> Checks:
    weight = next((p for p in fit.parameters if p.name == "kalpha2_weight"), None)
    stated = diffractometer.weights[1] / diffractometer.weights[0]
    if weight is None or weight.esd is None or not math.isfinite(weight.esd):
        return
    low, high = DOUBLET[0] * stated, DOUBLET[1] * stated
    beyond = max(low - weight.value, weight.value - high)
    passed = beyond <= DETECTED_ESDS * weight.esd
    said = f"Kα2 : Kα1 is {weight.value:.3f}, the profile says {stated:.3f}"
    if not passed and weight.value < low:
        said += (
            ": Kα2 was stripped, so counting statistics do not hold, or the radiation is another"
        )
    yield Check("doublet", weight.value, low if weight.value < stated else high, passed, said)


def _foretold(best: Solution) -> Check:
    held = best.held_out
    assert held is not None
    said = (
        f"Rwp on held-out 2θ blocks: {held.rwp:.1f} %, {held.ratio:.2f} times that of the refined "
        f"blocks (limit {HELD_OUT_RATIO:g})"
    )
    return Check("held-out", held.ratio, HELD_OUT_RATIO, held.ratio <= HELD_OUT_RATIO, said)


def _cells(best: Solution) -> Checks:
    """List one check: the largest relative doubt of a cell length."""
    doubts = {
        f"{phase.name}.{key}": best.systematic.get(f"{phase.name}.{key}", 0.0)
        / phase.cell[key].value
        for phase in best.fit.phases
        for key in "abc"
        if key in phase.cell
    }
    if not best.doubts or not doubts:
        return
    name = max(doubts, key=lambda key: doubts[key])
    made = max(best.doubts, key=lambda doubt: doubt.spread.get(name, 0.0))
    passed = doubts[name] <= ACCURACY_CELL
    said = (
        f"systematic doubt of the cell is up to {doubts[name]:.2%} of {name}, most of it from "
        f"{made.source} (limit {ACCURACY_CELL:.2%})"
        if round(doubts[name], 4) > 0
        else f"no choice moves a cell by {LEAST_CELL:.2%} (limit {ACCURACY_CELL:.2%})"
    )
    yield Check("cell", doubts[name], ACCURACY_CELL, passed, said + _remedy(passed, made.source))


def _remedy(passed: bool, source: str) -> str:
    return "" if passed else f"; {REMEDIES[source]}"


def _fractions(best: Solution, accuracy_wt: float) -> Checks:
    """List one check for a mixture: the largest doubt of a weight, and which source makes it."""
    doubts = {
        phase.name: best.systematic.get(f"{phase.name}.weight_fraction", 0.0)
        for phase in best.fit.phases
    }
    if not best.doubts or len(doubts) < 2:
        return
    name = max(doubts, key=lambda phase: doubts[phase])
    made = max(best.doubts, key=lambda doubt: doubt.spread.get(f"{name}.weight_fraction", 0.0))
    passed = doubts[name] <= accuracy_wt
    said = (
        f"systematic doubt of the weights is up to {doubts[name]:.1f} wt%, of {name}, most of it "
        f"from {made.source} (limit {accuracy_wt:g} wt%)"
        if round(doubts[name], 1) > 0
        else f"no choice moves a weight by {LEAST_WT:g} wt% (limit {accuracy_wt:g} wt%)"
    )
    said += "" if passed else ": the phases hold, their weights do not"
    said += _remedy(passed, made.source)
    yield Check("fractions", doubts[name], accuracy_wt, passed, said)


def undetected(fit: Fit) -> Checks:
    """List one check per phase of a mixture: if its weight is significant."""
    for phase in fit.phases if len(fit.phases) > 1 else ():
        esd = phase.weight_fraction_esd or 0.0
        significance = phase.weight_fraction / esd if esd > 0 else math.inf
        passed = math.isfinite(esd) and significance >= DETECTED_ESDS
        said = f"{phase.name} has {phase.weight_fraction:.2f} wt% with an esd of {esd:.2f}"
        said += "" if passed else ", which is below the detection limit"
        yield Check(phase.name, significance, DETECTED_ESDS, passed, said)
