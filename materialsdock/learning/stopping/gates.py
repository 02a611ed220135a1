"""Gates: what has to be so before any stop, each by itself; and the alarm on the noise model.

λ is relative and cannot see what no point has touched.  A gate looks at one such thing; it is
open, or it says with numbers why it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import chdtri  # χ²: scipy.stats, which is the same, takes long to import

from materialsdock.learning.stopping.divergence import judged
from materialsdock.model import Evidence

SAME = 1 + 1e-9  # a gap of the resolution is not wider than it
LATELY, JUST_NOW = 15, 5  # observations
FALSE_ALARMS = 0.02  # share of looks at data with noise as stated that sound the alarm all the same
LEAST_DOF = 1.0  # below, a curve goes through its points whatever the noise


class StopGate(Protocol):
    """One condition of a stop: pure."""

    def closed(self, evidence: Evidence) -> str | None:
        """Say why it is closed; None when it is open."""


def at_most(limit: float, evidence: Evidence | None = None) -> str:
    """The limit of a number in words, with the unit of the axis where evidence is given."""
    unit = "" if evidence is None else _unit(evidence)
    return f"it must be {limit:.3g}{unit} or less"


def _below(limit: float) -> str:
    return f"it must be below {limit:g}"


def _unit(evidence: Evidence) -> str:
    return f" {evidence.unit}" if evidence.unit else ""


@dataclass(frozen=True)
class MinimumGate:
    """A gate that is open from so many points on."""

    points: int

    def closed(self, evidence: Evidence) -> str | None:
        """Closed below the minimum."""
        have = int(evidence.quantities["points"])
        if have >= self.points:
            return None
        return f"{have} points are measured, at least {self.points} are needed"


@dataclass(frozen=True)
class SdGate:
    """A gate on the largest posterior sd: at most so many times the noise of one point.

    over_height : and at most this share of the height of the curve, `height` among the quantities:
        where the noise of a point is as large as what is measured, points have to be averaged
    """

    over_noise: float
    over_height: float | None = None

    def closed(self, evidence: Evidence) -> str | None:
        """Closed while anywhere on the axis the curve is known worse."""
        q = evidence.quantities
        limit, sd = self.over_noise * q["noise_sd"], q["max_sd"]
        share = math.inf if self.over_height is None else self.over_height
        of_height = share * q.get("height", math.inf)
        if sd <= min(limit, of_height):
            return None
        words = f"the largest sd of the curve is {sd:.3g}, {at_most(min(limit, of_height))}"
        if of_height >= limit:
            return f"{words}: {self.over_noise:g} times the noise of one point"
        return f"{words}: {100 * share:.3g} % of the height of the curve"


@dataclass(frozen=True)
class GapGate:
    """A gate on unmeasured stretches where narrow features may hide: none beyond the resolution.

    `open_gap` among the quantities is the widest that can still be divided, on an axis coarser than
    its resolution; what stays wider is left to the certificate.
    """

    def closed(self, evidence: Evidence) -> str | None:
        """Closed while a feature of the resolution's width could lie between two points."""
        q = evidence.quantities
        gap, width = q.get("open_gap", q["largest_gap"]), q["resolution"]
        if gap > width * SAME:
            return f"the largest gap is {gap:.3g}{_unit(evidence)}, {at_most(width, evidence)}"
        return _too_far(evidence) if q.get("far_gap", 0.0) > SAME else None


def _too_far(evidence: Evidence) -> str:
    """Say which gap is too wide for where it lies: for a line there, or for the oscillations."""
    q = evidence.quantities
    if not {"far_gap_at", "far_gap_limit"} <= set(q):
        return f"a gap is {q['far_gap']:.3g} times as wide as it may be where it lies"
    limit, at = q["far_gap_limit"], f"{q['far_gap_at']:.6g}{_unit(evidence)}"
    width = f"{q['far_gap'] * limit:.3g}{_unit(evidence)}"
    return f"the gap about {at} is {width}, {at_most(limit, evidence)} there"


@dataclass(frozen=True)
class CalmGate:
    """A gate on the size of innovations: mean z² of the last 15 as the noise model says."""

    low: float
    high: float

    def closed(self, evidence: Evidence) -> str | None:
        """Closed when the data scatter more, or less, about the predictions than they should."""
        mean = float(judged(evidence).z2[-LATELY:].mean())
        if self.low < mean < self.high:
            return None
        return (
            f"the mean surprise z² of the last {LATELY} points is {mean:.2f}, it must be between "
            f"{self.low:g} and {self.high:g}: check the noise model"
        )


@dataclass(frozen=True)
class SurpriseGate:
    """A gate on surprises: none of the last 5 observations has a z² of `wild` or more."""

    wild: float

    def closed(self, evidence: Evidence) -> str | None:
        """Closed right after a surprise."""
        largest = float(judged(evidence).z2[-JUST_NOW:].max())
        if largest < self.wild:
            return None
        last = f"the last {JUST_NOW} points"
        return f"the surprise z² of one of {last} is {largest:.1f}, {_below(self.wild)}"


@dataclass(frozen=True)
class ProbeGate:
    """A gate on the last look into the largest gap, which must not surprise.

    `probe_z2` among the quantities is its z²: NaN before the first probe, missing where the
    learner does not probe (then the gate is open).
    """

    wild: float

    def closed(self, evidence: Evidence) -> str | None:
        """Closed until a probe was as expected."""
        z2 = evidence.quantities.get("probe_z2", 0.0)
        if np.isnan(z2):
            return "the largest gap has not been probed yet"
        if z2 < self.wild:
            return None
        return f"the surprise z² of the last probe of a gap is {z2:.1f}, {_below(self.wild)}"


@dataclass(frozen=True)
class ResidualGate:
    """A gate on points so far off the curve that the curve must be wrong there, or the points.

    `max_residual` at `max_residual_at` among the quantities is misfit.strongest_run; missing
    where the learner does not report it (then the gate is open).
    """

    limit: float

    def closed(self, evidence: Evidence) -> str | None:
        """Closed while a narrow feature is smoothed over."""
        off = evidence.quantities.get("max_residual", 0.0)
        if off <= self.limit:
            return None
        at = evidence.quantities.get("max_residual_at")
        place = "" if at is None else f" at {at:.6g}{_unit(evidence)}"
        return f"points lie {off:.1f} sd off the curve{place}, {at_most(self.limit)}"


def alarm(evidence: Evidence) -> str | None:
    """Say what is wrong with the noise model, if the data say that something is; else None.

    Two sums are χ² distributed when the noise is as stated: z² over all innovations, and the
    squared standardised residuals about the final curve, over as many degrees of freedom as it
    leaves (`residual_chi2`, `residual_dof` among the quantities).  The second sees what the first
    cannot: noise that hyperparameters learned since took for structure.  It sounds by chance once
    in 1 / FALSE_ALARMS looks; fewer than 15 innovations say nothing.
    """
    z2 = judged(evidence).z2
    if z2.size < LATELY:
        return None
    sums = [("prediction errors", float(z2.sum()), float(z2.size))]
    if evidence.quantities.get("residual_dof", 0.0) >= LEAST_DOF:
        about = (evidence.quantities["residual_chi2"], evidence.quantities["residual_dof"])
        sums.append(("residuals", *about))
    tail = FALSE_ALARMS / (2 * len(sums))
    for what, total, freedom in sums:
        low, high = chdtri(freedom, [1.0 - tail, tail])
        if not low <= total <= high:
            size = "larger" if total > high else "smaller"
            return (
                f"the mean square of the {what} is {total / freedom:.2f}, outside "
                f"{low / freedom:.2f} to {high / freedom:.2f}: the noise is {size} than stated"
            )
    return None
