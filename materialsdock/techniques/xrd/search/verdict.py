"""The verdict on a refinement: accept, ambiguous, or no confident match, with its reasons.

A low Rwp alone proves nothing: every check (see `checks`) says its number and its limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.rendering.numbers import many
from materialsdock.techniques.xrd.model import Assessment, Diffractometer, Solution
from materialsdock.techniques.xrd.search import checks, noise, unexplained

TRACE_PEAK = 0.003
NOTED_SHIFT_DEG = 0.15
CORRELATED = 0.95
RUNS = 1.0  # Durbin-Watson d below which residuals run


def judge(
    pattern: Pattern, solutions: Sequence[Solution], diffractometer: Diffractometer
) -> Assessment:
    """The verdict on the first of `solutions`, the others being its rivals.

    accept : every check passes and no rival would change what is said of the sample
    ambiguous : the structures hold, but a rival (or the same without a phase) fits as well, or σ,
    the counts or the fractions are in doubt
    no confident match : a decisive check fails
    """
    best = solutions[0]
    trusted = replace(pattern, sigma=noise.trusted(pattern, best.fit) * pattern.sigma)
    decisive = tuple(checks.decisive(trusted, best, diffractometer))
    doubtful = tuple(checks.doubtful(pattern, best))
    # what is said of σ comes first: everything else is measured in it
    everything = (*doubtful[:1], *decisive, *doubtful[1:])
    failed = [check.sentence for check in everything if not check.passed]
    rivals = tuple(_rival(s) for s in solutions[1:])
    opposed = [_rival(s) for s in solutions[1:] if s.material and not s.fit.violations]
    missing = [check.name for check in checks.undetected(best.fit) if not check.passed]
    opposed += [f"the same without {name}" for name in missing]
    notes = tuple(_notes(trusted, best, diffractometer))
    if any(not check.passed for check in decisive):
        return Assessment("no confident match", tuple(failed), everything, rivals, notes)
    if opposed or failed:
        reasons = (*failed, *(f"fits as well: {words}" for words in opposed))
        return Assessment("ambiguous", reasons, everything, tuple(opposed), notes)
    passed = tuple(check.sentence for check in everything if check.value is not None)
    return Assessment("accept", passed, everything, rivals, notes)


def _rival(solution: Solution) -> str:
    made = "; ".join(solution.differences) or "no parameter differs by 3 esds or more"
    held = solution.held_out
    score = f", {held.rwp:.2f} % on held-out blocks" if held else ""
    trials = many(solution.trials, "trial")
    return f"Rwp {solution.fit.rwp:.2f} %{score} ({trials}): {made}"


def _notes(pattern: Pattern, best: Solution, diffractometer: Diffractometer) -> Iterator[str]:
    fit = best.fit
    fwhm_deg = checks.width(fit, diffractometer)
    for pair in fit.correlations:
        if abs(pair.coefficient) > CORRELATED:
            yield f"{pair.first} and {pair.second} are correlated ({pair.coefficient:+.3f})"
    weak = [p for p in unexplained.unexplained(pattern, fit, fwhm_deg) if p.share > TRACE_PEAK]
    if weak:
        yield f"{checks.places(weak)} not explained; a trace phase would look like this"
    shift = checks.shift_deg(fit, diffractometer, pattern.two_theta)
    if shift > NOTED_SHIFT_DEG:
        yield f"peaks are shifted by {shift:.3f}°: check zero and height of the sample"
    d = unexplained.durbin_watson(pattern, fit)
    if d < RUNS:
        widened = f", esds are widened {fit.esd_inflation:.1f} times" if fit.esd_inflation else ""
        yield f"neighbouring residuals are correlated (Durbin-Watson d {d:.2f}){widened}"
    low, high, share = unexplained.worst_window(pattern, fit)
    if share > 4 / unexplained.WINDOWS:
        yield f"{share:.0%} of the misfit lies between {low:.1f}° and {high:.1f}°"
