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
NAMED_PEAKS = 5
NOTED_SHIFT_DEG = 0.15
CORRELATED = 0.95
RUNS = 1.0  # Durbin-Watson d below which residuals run


def judge(
    pattern: Pattern,
    solutions: Sequence[Solution],
    diffractometer: Diffractometer,
    accuracy_wt: float = checks.ACCURACY_WT,
) -> Assessment:
    """The verdict on the first of `solutions`, the others being its rivals.

    accuracy_wt : of the weights of a mixture, that their systematic doubt must not exceed

    accept : every check passes and no rival would change what is said of the sample
    ambiguous : the structures hold, but a rival (or the same without a phase) fits as well, or σ,
    the counts or the fractions are in doubt
    no confident match : a decisive check fails
    """
    best = solutions[0]
    trusted = replace(pattern, sigma=noise.trusted(pattern, best.fit) * pattern.sigma)
    decisive = tuple(checks.decisive(trusted, best, diffractometer))
    doubtful = tuple(checks.doubtful(pattern, best, accuracy_wt))
    # what is said of σ comes first: everything else is measured in it
    everything = (*doubtful[:1], *decisive, *doubtful[1:])
    failed = [check.sentence for check in everything if not check.passed]
    if failed and noise.unusual(best.fit) and doubtful[0].passed:
        failed.insert(0, doubtful[0].sentence)
    rivals = tuple(_rival(s) for s in solutions[1:])
    opposed = [_rival(s) for s in solutions[1:] if s.material and not s.fit.violations]
    missing = [check.name for check in checks.undetected(best.fit) if not check.passed]
    opposed += [f"the same without {name}" for name in missing]
    notes = tuple(_notes(trusted, best, diffractometer))
    if any(not check.passed for check in decisive):
        advice = tuple(_advice(trusted, best, diffractometer))
        return Assessment("no confident match", tuple(failed), everything, rivals, notes, advice)
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


def _advice(pattern: Pattern, best: Solution, diffractometer: Diffractometer) -> Iterator[str]:
    """Say what to try where a decisive check fails, as far as the fit itself tells."""
    fwhm_deg = checks.width(best.fit, diffractometer)
    cut, seen = noise.saturation(pattern), unexplained.hump(pattern, best.fit)
    if cut is not None:
        yield f"measure again with fewer than {cut.value:.0f} counts at the highest peak"
    elif extra := unexplained.unexplained(pattern, best.fit, fwhm_deg):
        at = ", ".join(f"{peak.two_theta:.2f}°" for peak in extra[:NAMED_PEAKS])
        yield f"look for a missing phase with its peaks at {at}: add its CIF, or name a --store"
    if seen is not None:
        yield f"refine without the hump at {seen[0]:.0f}° (--range), or with more --trials"
    if unseen := [c.name for c in checks.undetected(best.fit) if not c.passed]:
        yield f"leave out what is not detected: {', '.join(unseen)}"


def _notes(pattern: Pattern, best: Solution, diffractometer: Diffractometer) -> Iterator[str]:
    fit = best.fit
    fwhm_deg = checks.width(fit, diffractometer)
    for pair in fit.correlations:
        if abs(pair.coefficient) > CORRELATED:
            yield f"{pair.first} and {pair.second} are correlated ({pair.coefficient:+.3f})"
    weak = [p for p in unexplained.unexplained(pattern, fit, fwhm_deg) if p.share > TRACE_PEAK]
    if weak:
        yield f"{checks.places(weak)} not explained; a trace phase would look like this"
    if (seen := unexplained.hump(pattern, fit)) is not None:
        centre, span = seen
        yield (
            f"the background has a hump of {span:.0f}° at {centre:.0f}°: amorphous or very fine "
            "material, which weight fractions leave out; weigh in a standard (--standard)"
        )
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
