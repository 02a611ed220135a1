"""When to stop: the ratio λ of expected generalisation error, gates, and budgets.

Rules are pure: equal evidence, equal verdict.  A reason is a sentence with the numbers in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning import divergence
from materialsdock.model import Evidence, FloatArray, Verdict
from materialsdock.protocols import StoppingRule


def judged(evidence: Evidence) -> Evidence:
    """The evidence without what λ does not look at: the first sweep, and an unfinished group.

    `initial` among the quantities says how many groups the first sweep has (default 0).
    """
    first = int(evidence.quantities.get("initial", 0))
    keep = evidence.group >= first
    if not evidence.complete and evidence.group.size:
        keep &= evidence.group < evidence.group[-1]
    return replace(
        evidence, s=evidence.s[keep], z2=evidence.z2[keep], group=evidence.group[keep] - first
    )


def lambda_history(
    evidence: Evidence,
    reference: divergence.Reference = "min",
    warmup: int = 10,
    floor_z2: float = 0.0,
    per_observation: bool = False,
) -> FloatArray:
    """λ of every complete group (g,); z² below `floor_z2` is raised to it, against lucky hits."""
    seen = judged(evidence)
    z2 = np.maximum(seen.z2, floor_z2)
    changes = divergence.bound_changes(seen.s, z2, seen.group, per_observation=per_observation)
    return divergence.ratio(changes, reference, warmup)


@dataclass(frozen=True)
class PaperRule:
    """λ_t ≤ threshold, as published (npj Comput. Mater. 7, 139): no stop in the first `warmup`.

    minimum_points : hold back until then; the paper itself has no such limit
    """

    threshold: float = 0.05
    minimum_points: int = 0
    reference: divergence.Reference = "min"
    warmup: int = 10
    per_observation: bool = False

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop at the first λ at or below the threshold."""
        history = lambda_history(
            evidence, self.reference, self.warmup, per_observation=self.per_observation
        )
        if history.size <= self.warmup:
            return Verdict(
                False,
                f"{history.size} of {self.warmup + 1} steps to begin with",
                None,
                self.threshold,
            )
        value, points = float(history[-1]), _points(evidence)
        sign = "≤" if value <= self.threshold else ">"
        reason = f"λ {value:.3f} {sign} {self.threshold:.3f} after {points} points"
        if points < self.minimum_points:
            reason = f"{points} of at least {self.minimum_points} points; {reason}"
            return Verdict(False, reason, value, self.threshold)
        return Verdict(value <= self.threshold, reason, value, self.threshold)


@dataclass(frozen=True)
class RobustRule:
    """λ that cannot be lucky, and gates that λ cannot see through.

    z² is floored at 1; R_ref is the median of the first 11; the largest λ of the last `window`
    counts; and before any stop: `minimum_points`, innovations as the noise model says (mean z² of
    the last 15 in `calm`, the last 5 below `wild`), the posterior sd below `sd_over_noise` times
    the noise, and no gap wider than the resolution.  `gates` switches the last three;
    `per_observation` is for groups of thousands (see divergence.bound_changes).
    """

    threshold: float = 0.05
    minimum_points: int = 20
    window: int = 5
    reference: divergence.Reference = "median"
    warmup: int = 10
    sd_over_noise: float = 2.0
    calm: tuple[float, float] = (0.2, 2.5)
    wild: float = 9.0
    gates: bool = True
    per_observation: bool = False

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when λ is low and every gate is open; else say what is missing."""
        history = lambda_history(evidence, self.reference, self.warmup, 1.0, self.per_observation)
        if history.size <= self.warmup:
            return Verdict(
                False, f"{_points(evidence)} points are too few to judge", None, self.threshold
            )
        value = float(history[-self.window :].max())
        closed = [] if value <= self.threshold else [f"λ {value:.3f} > {self.threshold:.3f}"]
        closed += self._closed_gates(evidence)
        if closed:
            return Verdict(False, "; ".join(closed), value, self.threshold)
        reason = f"λ {value:.3f} ≤ {self.threshold:.3f} after {_points(evidence)} points"
        return Verdict(True, reason, value, self.threshold)

    def _closed_gates(self, evidence: Evidence) -> list[str]:
        q, z2 = evidence.quantities, judged(evidence).z2
        closed = []
        if q["points"] < self.minimum_points:
            closed.append(f"{_points(evidence)} of at least {self.minimum_points} points")
        if not self.gates:
            return closed
        limit = self.sd_over_noise * q["noise_sd"]
        if q["max_sd"] > limit:
            closed.append(f"largest sd {q['max_sd']:.3g} > {limit:.3g}")
        if q["largest_gap"] > q["resolution"] * (1 + 1e-9):
            closed.append(f"largest gap {q['largest_gap']:.3g} > {q['resolution']:.3g}")
        low, high = self.calm
        if not low < (mean := float(z2[-15:].mean())) < high:
            closed.append(f"mean z² {mean:.2f} outside {low:g} to {high:g}: check the noise model")
        if (largest := float(z2[-5:].max())) >= self.wild:
            closed.append(f"a surprise of z² {largest:.1f} just now")
        return closed


@dataclass(frozen=True)
class TargetRule:
    """A named quantity at or below its target, in the user's unit."""

    quantity: str
    target: float

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when the quantity is known well enough; a quantity nobody reports never is."""
        value = evidence.quantities.get(self.quantity)
        if value is None or not np.isfinite(value):
            return Verdict(False, f"{self.quantity} is not known yet", None, self.target)
        stop = value <= self.target
        sign = "≤" if stop else ">"
        return Verdict(
            stop, f"{self.quantity} {value:.3g} {sign} {self.target:.3g}", value, self.target
        )


@dataclass(frozen=True)
class BudgetRule:
    """No more than so many points or seconds, whatever is known."""

    maximum_points: int | None = None
    maximum_seconds: float | None = None

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when a budget is used up."""
        spent = (
            ("points", evidence.quantities.get("points", 0.0), self.maximum_points),
            ("seconds", evidence.quantities.get("seconds", 0.0), self.maximum_seconds),
        )
        used_up = [f"{limit:g} {what}" for what, n, limit in spent if limit and n >= limit]
        if used_up:
            return Verdict(True, f"budget of {' and '.join(used_up)} used up")
        return Verdict(False, "within budget")


@dataclass(frozen=True)
class AnyOf:
    """Stops as soon as one rule does; the first rule's numbers are shown."""

    rules: tuple[StoppingRule, ...]

    def judge(self, evidence: Evidence) -> Verdict:
        """The reasons of those that stop, or of the first rule."""
        verdicts = [rule.judge(evidence) for rule in self.rules]
        reasons = [v.reason for v in verdicts if v.stop]
        if reasons:
            return replace(verdicts[0], stop=True, reason="; ".join(reasons))
        return verdicts[0]


@dataclass(frozen=True)
class AllOf:
    """Stops when every rule does; the first rule's numbers are shown."""

    rules: tuple[StoppingRule, ...]

    def judge(self, evidence: Evidence) -> Verdict:
        """All reasons, or those of the rules that hold back."""
        verdicts = [rule.judge(evidence) for rule in self.rules]
        stop = all(v.stop for v in verdicts)
        reasons = [v.reason for v in verdicts if stop or not v.stop]
        return replace(verdicts[0], stop=stop, reason="; ".join(reasons))


def _points(evidence: Evidence) -> int:
    return int(evidence.quantities.get("points", evidence.s.size))


RULES: Mapping[str, type[PaperRule] | type[RobustRule]] = {"paper": PaperRule, "robust": RobustRule}
BUDGETS = ("maximum_points", "maximum_seconds")


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < np.inf


def _positive(value: object) -> bool:
    return _number(value) and value > 0


def _whole(value: object) -> bool:
    return _number(value) and isinstance(value, int) and value >= 0


def _whole_positive(value: object) -> bool:
    return _whole(value) and value != 0


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _range(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    low, high = value
    return _number(low) and _number(high) and 0 <= low < high


CHECKS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "threshold": (_positive, "a positive number"),
    "sd_over_noise": (_positive, "a positive number"),
    "wild": (_positive, "a positive number"),
    "calm": (_range, "a range of two numbers"),
    "minimum_points": (_whole, "a whole number"),
    "warmup": (_whole, "a whole number"),
    "window": (_whole_positive, "a positive whole number"),
    "reference": (lambda v: v in ("min", "first", "median"), "min, first or median"),
    "gates": (_flag, "true or false"),
    "per_observation": (_flag, "true or false"),
    "maximum_points": (_whole_positive, "a positive whole number"),
    "maximum_seconds": (_positive, "a positive number"),
}


def rule_from_settings(settings: Mapping[str, Any]) -> StoppingRule:
    """The rule that a profile or job describes; a key that is None is as one left out.

    Keys: mode ("robust" or "paper") and that rule's own fields, maximum_points, maximum_seconds,
    targets {quantity: sd}.  Raises InputError naming every fault at once.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    mode, targets = given.pop("mode", "robust"), given.pop("targets", {})
    if faults := _faults(mode, targets, given):
        keys = ", ".join(["mode", "targets", *CHECKS])
        raise InputError("; ".join(faults), where="stop", remedy=f"keys: {keys}")
    budget = {key: given.pop(key) for key in BUDGETS if key in given}
    rules: list[StoppingRule] = [RULES[mode](**given)]
    rules += [TargetRule(name, float(value)) for name, value in targets.items()]
    wanted: StoppingRule = AllOf(tuple(rules)) if len(rules) > 1 else rules[0]
    return AnyOf((wanted, BudgetRule(**budget))) if budget else wanted


def _faults(mode: object, targets: object, given: Mapping[str, Any]) -> list[str]:
    faults = []
    if mode not in list(RULES):
        faults.append(f"mode = {mode!r} is none of {', '.join(RULES)}")
    rule = PaperRule if mode == "paper" else RobustRule
    known = {*rule.__dataclass_fields__, *BUDGETS}
    for key, value in given.items():
        if key not in known:
            faults.append(f"mode {mode!r} has no {key!r}")
        elif not CHECKS[key][0](value):
            faults.append(f"{key} = {value!r} is not {CHECKS[key][1]}")
    if not isinstance(targets, Mapping):
        return [*faults, f"targets = {targets!r} is not a table of quantity = sd"]
    wrong = {key: value for key, value in targets.items() if not _positive(value)}
    return [*faults, *(f"target {k} = {v!r} is not a positive number" for k, v in wrong.items())]
