"""Judge how good a hypothesis is, if another phase is worth it, and what may be said in the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import gemmi
import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Fit
from materialsdock.techniques.xrd.phases.match import Match

USUAL_STRAIN = 0.01
RIVAL = 1.10
EVIDENCE = 10.0
ESDS = 4.0
LEAST_PERCENT = 1.0
EXPLAINED = 0.70
WITHIN_COUNTING = 1.3
CERTAIN_STRAIN = 0.004
CERTAIN_MISFIT = 0.30
PEAK_SHARE = 0.15
LEAST_SEEN = 0.5
SMOOTHED_DEG = 0.1

Word = Literal["confident", "ambiguous", "no confident match"]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A set of phases and how it refines; `figure` ranks, lower is better (see `figure`)."""

    phases: tuple[Match, ...]
    fit: Fit
    figure: float

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the phases, in the order in which they were found."""
        return tuple(m.entry.name for m in self.phases)


@dataclass(frozen=True)
class Judgement:
    """The verdict, and the sentences that carry it; explained : share of net intensity, 0-1."""

    verdict: Word
    reasons: tuple[str, ...]
    explained: float


def misfit(fit: Fit, pattern: Pattern) -> float:
    """√[Σ((y − y_calc)/σ)² / Σ((y − background)/σ)²]: Rwp without what the background hides."""
    y, sigma = pattern.intensity, pattern.sigma
    rest, net = (y - fit.y_calc) / sigma, (y - fit.y_background) / sigma
    return float(np.sqrt(np.sum(rest**2) / np.sum(net**2)))


def explained(fit: Fit, pattern: Pattern) -> float:
    """Share of the intensity above the background that the phases account for, 0-1.

    Both curves averaged over SMOOTHED_DEG, so that counting noise is not taken for a misfit.
    """
    step = float(np.median(np.diff(pattern.two_theta)))
    points = max(1, round(SMOOTHED_DEG / step))
    rest = np.abs(_smooth(pattern.intensity - fit.y_calc, points))
    noise = 0.8 * np.sqrt(_smooth(pattern.sigma**2, points) / points)
    net = np.maximum(_smooth(pattern.intensity - fit.y_background, points), 0.0)
    return max(0.0, 1 - float(np.sum(np.maximum(rest - noise, 0.0)) / max(np.sum(net), 1e-300)))


def strain(phase: Match, fit: Fit, index: int) -> float:
    """Relative change of length between the CIF's cell and the refined one."""
    values = [fit.phases[index].cell[k].value for k in ("a", "b", "c", "alpha", "beta", "gamma")]
    was = gemmi.UnitCell(*phase.entry.described.cell).volume
    return float((gemmi.UnitCell(*values).volume / was) ** (1 / 3) - 1)


def figure(phases: Sequence[Match], fit: Fit, pattern: Pattern) -> float:
    """The misfit, made worse by cells that have to change more than cells of one substance do."""
    changes = [strain(phase, fit, i) / USUAL_STRAIN for i, phase in enumerate(phases)]
    return misfit(fit, pattern) * float(np.sqrt(1 + max(c**2 for c in changes)))


def evidence(new: Fit, old: Fit, points: float) -> float:
    """Gain of the Bayesian information criterion: N ln(χ²_old/χ²_new) − Δk ln N.

    More than 10 is very strong evidence (Kass & Raftery 1995, J. Am. Stat. Assoc. 90, 773).
    """
    n = max(points, math.e)
    return 2 * n * math.log(old.rwp / new.rwp) - (new.n_free - old.n_free) * math.log(n)


def independent_residuals(fit: Fit, pattern: Pattern, least: float) -> float:
    """Return how many residuals count as independent: n (1 − ρ)/(1 + ρ), between `least` and n.

    ρ is the correlation of neighbours (AR(1); Bayley & Hammersley 1946, Suppl. J. R. Stat. Soc. 8,
    184): about 0 where only counting noise is left, near 1 where peak shapes are wrong.
    least : peak widths in the range
    """
    rest = (pattern.intensity - fit.y_calc) / pattern.sigma
    correlation = float(rest[1:] @ rest[:-1]) / max(float(rest @ rest), 1e-300)
    points = float(rest.size)
    return min(points, max(least, points * (1 - correlation) / (1 + correlation)))


def worth_it(
    new: Hypothesis,
    old: Hypothesis | None,
    pattern: Pattern,
    peak_widths: float,
    most_strain: float = USUAL_STRAIN,
) -> bool:
    """Return True if the last phase of `new` improves the fit enough to be believed.

    peak_widths : how many of them the range is long; most_strain : of its cell
    """
    if old is None:
        return True
    phase, share = new.phases[-1], new.fit.phases[-1]
    esd = share.weight_fraction_esd or 0.0
    certain = share.weight_fraction > max(ESDS * esd, LEAST_PERCENT)
    usual = abs(strain(phase, new.fit, len(new.phases) - 1)) <= most_strain
    points = independent_residuals(old.fit, pattern, peak_widths)
    gained = evidence(new.fit, old.fit, points) > EVIDENCE
    return gained and certain and usual and phase.seen >= LEAST_SEEN


def judge(
    best: Hypothesis | None,
    rivals: Sequence[Hypothesis],
    rounds: Sequence[Sequence[Match]],
    pattern: Pattern,
) -> Judgement:
    """Confident, ambiguous (rivals named), or no confident match, with reasons."""
    if best is None:
        return Judgement("no confident match", ("no structure agrees with the pattern",), 0.0)
    share = explained(best.fit, pattern)
    against = []
    complete = best.fit.gof < WITHIN_COUNTING  # nothing is left that counting does not explain
    if share < EXPLAINED and not complete:
        against.append(f"{100 * share:.0f} % of the intensity above the background is explained")
    if (left := largest_rest(best.fit, pattern)) > PEAK_SHARE:
        against.append(f"a peak of {100 * left:.0f} % of the highest is not explained")
    if (wrong := misfit(best.fit, pattern)) > CERTAIN_MISFIT and not complete:
        against.append(f"the refined profiles are {100 * wrong:.0f} % off, background aside")
    doubts = [
        f"the cell of {phase.entry.name} has to change by {change:+.2%}: its CIF was computed, or "
        "the phase is a relative of another composition"
        for i, phase in enumerate(best.phases)
        if abs(change := strain(phase, best.fit, i)) > CERTAIN_STRAIN
    ]
    if against:
        return Judgement("no confident match", (*against, *doubts), share)
    if rivals:
        names = "; ".join(" + ".join(h.names) for h in rivals)
        doubts.append(f"these refine about as well: {names}")
    if doubts:
        return Judgement("ambiguous", tuple(doubts), share)
    said = f"{100 * share:.0f} % of the intensity above the background is explained"
    return Judgement("confident", (said,), share)


def largest_rest(fit: Fit, pattern: Pattern) -> float:
    """Highest peak where nothing is calculated, over the highest peak above the background."""
    net = pattern.intensity - fit.y_background
    calculated = fit.y_calc - fit.y_background
    rest = _smooth(net - np.maximum(calculated, 0.0), 5)
    bare = calculated < 0.1 * np.maximum(net, 1e-300)
    return float(np.max(rest[bare], initial=0.0) / max(float(_smooth(net, 5).max()), 1e-300))


def _smooth(y: FloatArray, points: int) -> FloatArray:
    return np.asarray(np.convolve(y, np.ones(points) / points, mode="same"), dtype=float)
