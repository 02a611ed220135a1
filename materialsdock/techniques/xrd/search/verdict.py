"""The verdict on a refinement: accept, ambiguous, or no confident match, with its reasons.

A low Rwp alone proves nothing.  The limits below were set on right and wrong structures of measured
and simulated patterns (tests/benchmarks/refinement.py); every check says its number and its limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Assessment, Check, Diffractometer, Fit, Solution
from materialsdock.techniques.xrd.search import unexplained

BRAGG_RWP = 30.0  # %, of the intensity above the background
INTENSITY_MISFIT = 10.0  # %, of it, that free intensities would explain
EXTRA_PEAK = 0.02  # of the strongest calculated peak
EXTRA_PEAKS, EXTRA_PEAKS_SHARE = 3, 0.01
TRACE_PEAK = 0.003
DETECTED_ESDS = 3.0
SHIFT_DEG = 0.5
NOTED_SHIFT_DEG = 0.15
DOUBLET = (0.6, 1.6)  # of the Kα2 : Kα1 ratio that the profile states
HELD_OUT_RATIO = 2.0
CORRELATED = 0.95
RUNS = 1.0  # Durbin-Watson d below which residuals run

Checks = Iterator[Check]


def judge(
    pattern: Pattern, solutions: Sequence[Solution], diffractometer: Diffractometer
) -> Assessment:
    """The verdict on the first of `solutions`, the others being its rivals.

    accept : every check passes and no rival would change what is said of the sample
    ambiguous : every check passes, but a rival (or the same without a phase) fits as well
    no confident match : a check fails
    """
    best = solutions[0]
    checks = (*_checks(pattern, best, diffractometer),)
    undetected = tuple(_undetected(best.fit))
    failed = [check.sentence for check in (*checks, *undetected) if not check.passed]
    rivals = tuple(_rival(s) for s in solutions[1:])
    opposed = [_rival(s) for s in solutions[1:] if s.material and not s.fit.violations]
    opposed += [f"the same without {check.name}" for check in undetected if not check.passed]
    notes = tuple(_notes(pattern, best, diffractometer))
    everything = (*checks, *undetected)
    if any(not check.passed for check in checks):
        return Assessment("no confident match", tuple(failed), everything, rivals, notes)
    if opposed:
        reasons = (*failed, *(f"fits as well: {words}" for words in opposed))
        return Assessment("ambiguous", reasons, everything, tuple(opposed), notes)
    passed = tuple(check.sentence for check in checks if check.value is not None)
    return Assessment("accept", passed, everything, rivals, notes)


def _checks(pattern: Pattern, best: Solution, diffractometer: Diffractometer) -> Checks:
    fit = best.fit
    fwhm_deg = float(fit.recipe.get("fwhm_deg", diffractometer.fwhm_deg))
    yield _physical(fit)
    yield from _agreement(pattern, fit)
    yield _explained(unexplained.unexplained(pattern, fit, fwhm_deg))
    yield _present(unexplained.absent(pattern, fit, fwhm_deg))
    yield _positions(fit, diffractometer, pattern)
    if len(diffractometer.weights) > 1:
        yield from _doublet(fit, diffractometer)
    if best.held_out is not None:
        yield _foretold(best)


def _physical(fit: Fit) -> Check:
    said = "; ".join(fit.violations[:3]) or "no physical constraint is broken"
    return Check("physical", float(len(fit.violations)), 0.0, not fit.violations, said)


def _agreement(pattern: Pattern, fit: Fit) -> Checks:
    above = unexplained.bragg_weighted(pattern, fit)
    passed = above <= BRAGG_RWP
    yield Check(
        "agreement",
        above,
        BRAGG_RWP,
        passed,
        f"Rwp of the intensity above the background is {above:.1f} % (limit {BRAGG_RWP:g} %)",
    )
    free = fit.rwp_free_intensities
    if free is None or fit.rwp <= 0:
        return
    misfit = above * math.sqrt(max(1 - (free / fit.rwp) ** 2, 0.0))
    passed = misfit <= INTENSITY_MISFIT
    said = (
        f"with free reflection intensities, {misfit:.1f} % more of it would be explained "
        f"(limit {INTENSITY_MISFIT:g} %)"
    )
    if not passed:
        said += ": the cell fits, but atoms, symmetry or preferred orientation are wrong"
    yield Check("intensities", misfit, INTENSITY_MISFIT, passed, said)


def _explained(extra: Sequence[unexplained.Peak]) -> Check:
    strongest = extra[0].share if extra else 0.0
    many = len([peak for peak in extra if peak.share > EXTRA_PEAKS_SHARE]) >= EXTRA_PEAKS
    passed = strongest <= EXTRA_PEAK and not many
    if passed:
        said = f"no observed peak above {EXTRA_PEAK:.0%} of the strongest is unexplained"
    else:
        said = f"{_at(extra)} unexplained: another phase, a larger cell or a lower symmetry"
    return Check("unexplained peaks", strongest, EXTRA_PEAK, passed, said)


def _present(absent: Sequence[unexplained.Peak]) -> Check:
    strongest = absent[0].share if absent else 0.0
    said = (
        f"{_at(absent)} calculated but not observed" if absent else "every strong peak is observed"
    )
    return Check("absent peaks", strongest, unexplained.STRONG_SHARE, not absent, said)


def _at(peaks: Sequence[unexplained.Peak]) -> str:
    places = ", ".join(f"{p.two_theta:.2f}° ({p.share:.1%})" for p in peaks[:3])
    more = f" and {len(peaks) - 3} more" if len(peaks) > 3 else ""
    return f"peaks at {places}{more} are"


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


def _undetected(fit: Fit) -> Checks:
    """List one check per phase of a mixture: if its weight is significant."""
    for phase in fit.phases if len(fit.phases) > 1 else ():
        esd = phase.weight_fraction_esd or 0.0
        significance = phase.weight_fraction / esd if esd > 0 else math.inf
        passed = math.isfinite(esd) and significance >= DETECTED_ESDS
        said = f"{phase.name} has {phase.weight_fraction:.2f} wt% with an esd of {esd:.2f}"
        said += "" if passed else ", which is below the detection limit"
        yield Check(phase.name, significance, DETECTED_ESDS, passed, said)


def _rival(solution: Solution) -> str:
    made = "; ".join(solution.differences) or "no parameter differs by 3 esds or more"
    held = solution.held_out
    score = f", {held.rwp:.2f} % on held-out blocks" if held else ""
    return f"Rwp {solution.fit.rwp:.2f} %{score} ({solution.trials} trials): {made}"


def _notes(pattern: Pattern, best: Solution, diffractometer: Diffractometer) -> Iterator[str]:
    fit = best.fit
    fwhm_deg = float(fit.recipe.get("fwhm_deg", diffractometer.fwhm_deg))
    for pair in fit.correlations:
        if abs(pair.coefficient) > CORRELATED:
            yield f"{pair.first} and {pair.second} are correlated ({pair.coefficient:+.3f})"
    weak = [p for p in unexplained.unexplained(pattern, fit, fwhm_deg) if p.share > TRACE_PEAK]
    if weak:
        yield f"{_at(weak)} not explained; a trace phase would look like this"
    shift = shift_deg(fit, diffractometer, pattern.two_theta)
    if shift > NOTED_SHIFT_DEG:
        yield f"peaks are shifted by {shift:.3f}°: check zero and height of the sample"
    d = unexplained.durbin_watson(pattern, fit)
    if d < RUNS:
        widened = f", esds are widened {fit.esd_inflation:.1f} times" if fit.esd_inflation else ""
        yield f"neighbouring residuals are correlated (Durbin-Watson d {d:.2f}){widened}"
    low, high, share = unexplained.worst_window(pattern, fit)
    if share > 4 / unexplained.WINDOWS:
        yield f"{share:.0%} of the misfit lies between {low:.1f}° and {high:.1f}°"
