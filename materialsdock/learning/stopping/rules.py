"""Rules for when to stop: the ratio λ of expected generalisation error, gates, and budgets.

Rules are pure: equal evidence, equal verdict.  A reason is a sentence with the numbers in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from materialsdock.learning.stopping import divergence
from materialsdock.learning.stopping.divergence import judged, lambda_history
from materialsdock.learning.stopping.gates import (
    CalmGate,
    GapGate,
    MinimumGate,
    ProbeGate,
    ResidualGate,
    SdGate,
    StopGate,
    SurpriseGate,
)
from materialsdock.learning.stopping.settings import BUDGETS, check
from materialsdock.model import Evidence, FloatArray, Verdict
from materialsdock.protocols import StoppingRule

# of quantities that a target may be set on, by name
CALLED = {
    "rmse": "the expected root-mean-square error of the curve",
    "rmse_bound": "the bound on the root-mean-square error of the curve",
    "max_sd": "the largest sd of the curve",
    "median_sd": "the median sd of the curve",
    "largest_gap": "the largest gap",
    "peak_area_rel_sd": "the relative standard deviation of peak areas",
    "detectable_strength": "the height of a peak that might be missed [counts/s]",
}
DEVIATIONS = {"sd": "standard deviation", "esd": "estimated standard deviation"}
NOT_REACHED = "not reached"  # what a stop for another reason leaves open follows
ROUNDING = 1e-9  # of times that add up to a budget
PATIENT = 20  # times the patience, with a low λ, until an open gate is not waited for any longer


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
                _too_few(history.size, self.warmup),
                None,
                self.threshold,
            )
        value, points = float(history[-1]), _points(evidence)
        low = value <= self.threshold
        reason = (_enough if low else _too_large)(value, self.threshold, points)
        if points < self.minimum_points:
            reason = f"{MinimumGate(self.minimum_points).closed(evidence)}; {reason}"
            return Verdict(False, reason, value, self.threshold)
        return Verdict(low, reason, value, self.threshold)


@dataclass(frozen=True)
class RobustRule:
    """λ that cannot be lucky, and gates that λ cannot see through.

    z² is floored at 1; R_ref is what a point tells when nothing is known (a sorted first sweep
    has no typical beginning); the largest λ of the last `window` counts.  Before any stop:
    `minimum_points`; the posterior sd below `sd_over_noise` times the noise and, where it is given,
    `sd_over_height` of the curve's height (absolute="target": a TargetRule beside it takes the
    place of both); no gap wider than the resolution; mean z² of the last
    15 in `calm`, the last 5 and the last probe below `wild`; no point `outlier` sd off the curve.
    `gates` switches all but the minimum.  After `patience` groups (or half of all) without a
    lower λ it gives up and says so, 0 never; `per_observation` is for groups of thousands (see
    divergence.bound_changes).
    """

    threshold: float = 0.05
    minimum_points: int = 20
    window: int = 5
    reference: divergence.Reference = "prior"
    warmup: int = 10
    sd_over_noise: float = 2.0
    calm: tuple[float, float] = (0.2, 2.5)
    wild: float = 9.0
    gates: bool = True
    per_observation: bool = False
    absolute: Literal["sd", "target"] = "sd"
    patience: int = 120
    outlier: float = 4.0
    sd_over_height: float | None = None

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when λ is low and every gate is open; else say what is missing."""
        history = lambda_history(evidence, self.reference, self.warmup, 1.0, self.per_observation)
        if history.size <= self.warmup:
            words = _too_few(history.size, self.warmup)
            return Verdict(False, words, None, self.threshold)
        value = float(history[-self.window :].max())
        closed = [] if value <= self.threshold else [_too_large(value, self.threshold)]
        closed += _closed(self._gates(), evidence)
        if not closed:
            reason = _enough(value, self.threshold, _points(evidence))
            return Verdict(True, reason, value, self.threshold)
        missing = "; ".join(closed)
        stuck = self._stuck(evidence, history)
        if stuck is None:
            return Verdict(False, missing, value, self.threshold)
        return Verdict(True, f"{stuck}; {NOT_REACHED}: {missing}", value, self.threshold)

    def stuck(self, evidence: Evidence) -> str | None:
        """Say why more points will not help; None if they may."""
        history = lambda_history(evidence, self.reference, self.warmup, 1.0, self.per_observation)
        return self._stuck(evidence, history)

    def _stuck(self, evidence: Evidence, history: FloatArray) -> str | None:
        helped = (MinimumGate, SdGate, GapGate)
        counting = [gate for gate in self._gates() if isinstance(gate, helped)]
        low = divergence.low_for(history, self.threshold)
        if low >= self.window and _closed(counting, evidence):
            if 0 < PATIENT * self.patience <= low:
                return f"given up: λ has been low for {low} steps and more counting does not help"
            return None  # λ need not fall while these still open
        span = divergence.stalled(history, self.warmup, self.window, self.patience)
        return None if span is None else f"given up: λ has not fallen for {span} steps"

    def _gates(self) -> list[StopGate]:
        gates: list[StopGate] = [MinimumGate(self.minimum_points)]
        if not self.gates:
            return gates
        if self.absolute == "sd":
            gates.append(SdGate(self.sd_over_noise, self.sd_over_height))
        return [*gates, GapGate(), *_safe(self)]


@dataclass(frozen=True)
class SafeRule:
    """Stop when no gate forbids it: RobustRule's gates without λ and without its sd.

    For whoever stops on a target alone (mode "target"); gap=False takes the risk that a feature
    as narrow as the resolution lies between two points.
    """

    minimum_points: int = 20
    calm: tuple[float, float] = (0.2, 2.5)
    wild: float = 9.0
    gap: bool = True
    patience: int = 120
    outlier: float = 4.0

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when every gate is open."""
        gates: list[StopGate] = [MinimumGate(self.minimum_points)]
        gates += [GapGate(), *_safe(self)] if self.gap else _safe(self)
        if not judged(evidence).z2.size:
            return Verdict(False, "nothing is measured yet")
        closed = _closed(gates, evidence)
        return Verdict(not closed, "; ".join(closed) or "all safety conditions hold")

    def stuck(self, evidence: Evidence) -> str | None:
        """Say why more points will not help; None if they may."""
        return RobustRule(patience=self.patience).stuck(evidence)


def _safe(rule: RobustRule | SafeRule) -> list[StopGate]:
    """List the gates that are open while the data are as the model says."""
    surprises = (SurpriseGate(rule.wild), ProbeGate(rule.wild), ResidualGate(rule.outlier))
    return [CalmGate(*rule.calm), *surprises]


def _closed(gates: Sequence[StopGate], evidence: Evidence) -> list[str]:
    return [why for gate in gates if (why := gate.closed(evidence)) is not None]


@dataclass(frozen=True)
class TargetRule:
    """A named quantity at or below its target, in the user's unit."""

    quantity: str
    target: float

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when the quantity is known well enough; a quantity nobody reports never is."""
        value, what = evidence.quantities.get(self.quantity), self._words()
        unit = evidence.units.get(self.quantity, "")
        unit = f" {unit}" if unit else ""
        if value is None or not np.isfinite(value):
            missing = f"{what} is not known yet, it must be {self.target:.3g}{unit} or less"
            return Verdict(False, missing, None, self.target)
        stop, limit = value <= self.target, f"{self.target:.3g}{unit}"
        reason = f"{what} is {value:.3g}{unit}"
        reason += f" (target {limit})" if stop else f", it must be {limit} or less"
        return Verdict(stop, reason, value, self.target)

    def _words(self) -> str:
        """The quantity as a person says it; its name where nobody has said."""
        if self.quantity in CALLED:
            return CALLED[self.quantity]
        name, _, kind = self.quantity.rpartition("_")
        if name and kind in DEVIATIONS:
            return f"the {DEVIATIONS[kind]} of {name}"
        return self.quantity


@dataclass(frozen=True)
class BudgetRule:
    """A rule of at most so many points, seconds of instrument time or of counting (the dose).

    full_scan_seconds : instrument time of the full scan that is replaced, where nobody asked for
        another budget.  Time and dose are used up when the next step, `next_seconds` and
        `next_count_seconds` among the quantities, would take more than is left
    """

    maximum_points: int | None = None
    maximum_seconds: float | None = None
    maximum_count_seconds: float | None = None
    full_scan_seconds: float | None = None

    def judge(self, evidence: Evidence) -> Verdict:
        """Stop when a budget is used up."""
        q = evidence.quantities
        seconds, counting = (
            q.get(name, 0.0) + q.get(f"next_{name}", 0.0) * (1 - ROUNDING)
            for name in ("seconds", "count_seconds")
        )
        spent = (
            ("points", q.get("points", 0.0), self.maximum_points),
            ("seconds", seconds, self.maximum_seconds),
            ("seconds of counting", counting, self.maximum_count_seconds),
        )
        used_up = [f"{limit:g} {what}" for what, n, limit in spent if limit and n >= limit]
        if used_up:
            return Verdict(True, f"the budget of {' and '.join(used_up)} is used up")
        if self.full_scan_seconds and seconds >= self.full_scan_seconds:
            words = f"the time of the full scan, {self.full_scan_seconds:.6g} s, is used up"
            return Verdict(True, f"{words} (maximum_seconds allows more)")
        return Verdict(False, "the budget is not used up")


@dataclass(frozen=True)
class AnyOf:
    """Stops as soon as one rule does; the first rule's numbers are shown."""

    rules: tuple[StoppingRule, ...]

    def judge(self, evidence: Evidence) -> Verdict:
        """The reasons of those that stop, then what the first one misses; or only the latter."""
        verdicts = [rule.judge(evidence) for rule in self.rules]
        reasons = [v.reason for v in verdicts if v.stop]
        if not reasons:
            return verdicts[0]
        missing = [] if verdicts[0].stop else [f"{NOT_REACHED}: {verdicts[0].reason}"]
        return replace(verdicts[0], stop=True, reason="; ".join([*reasons, *missing]))


@dataclass(frozen=True)
class AllOf:
    """Stops when every rule does, or one sees no progress; the first rule's numbers are shown."""

    rules: tuple[StoppingRule, ...]

    def judge(self, evidence: Evidence) -> Verdict:
        """All reasons, or those of the rules that hold back."""
        verdicts = [rule.judge(evidence) for rule in self.rules]
        stop = all(v.stop for v in verdicts)
        reasons = [v.reason for v in verdicts if stop or not v.stop]
        if stop:
            return replace(verdicts[0], stop=True, reason="; ".join(reasons))
        patient = [rule for rule in self.rules if isinstance(rule, RobustRule | SafeRule)]
        stuck = next((why for rule in patient if (why := rule.stuck(evidence))), None)
        missing = "; ".join(reasons)
        if stuck is None:
            return replace(verdicts[0], stop=False, reason=missing)
        return replace(verdicts[0], stop=True, reason=f"{stuck}; {NOT_REACHED}: {missing}")


def _too_few(steps: int, warmup: int) -> str:
    if not warmup:
        return "λ is judged from the first complete pass on"
    done = "1 step is" if steps == 1 else f"{steps} steps are"
    return f"{done} too few to judge λ, which needs {warmup + 1}"


def _too_large(value: float, threshold: float, points: int | None = None) -> str:
    after = "" if points is None else f", after {points} points"
    return f"the error ratio λ is {value:.3f}, it must be {threshold:.3f} or less{after}"


def _enough(value: float, threshold: float, points: int) -> str:
    return f"the error ratio λ is {value:.3f} (limit {threshold:.3f}) after {points} points"


def _points(evidence: Evidence) -> int:
    return int(evidence.quantities.get("points", evidence.s.size))


RULES: Mapping[str, type[PaperRule] | type[RobustRule] | type[SafeRule]] = {
    "paper": PaperRule,
    "robust": RobustRule,
    "target": SafeRule,
}
FIELDS = {mode: tuple(rule.__dataclass_fields__) for mode, rule in RULES.items()}


def rule_from_settings(settings: Mapping[str, Any]) -> StoppingRule:
    """The rule that a profile or job describes; a key that is None is as one left out.

    Keys: mode ("robust", "paper", or "target" for the targets and safety alone) and that rule's
    own fields, those of BudgetRule, targets {quantity: sd}.
    Raises InputError naming every fault at once.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    mode, targets = given.pop("mode", "robust"), given.pop("targets", {})
    check(mode, targets, given, FIELDS)
    budget = {key: given.pop(key) for key in BUDGETS if key in given}
    if "maximum_seconds" in budget:  # somebody asked: for less, or for more than a full scan
        budget.pop("full_scan_seconds", None)
    if "calm" in given:
        given["calm"] = tuple(given["calm"])
    rules: list[StoppingRule] = [RULES[mode](**given)]
    wanted = [TargetRule(name, float(value)) for name, value in targets.items()]
    rules = [*wanted, *rules] if mode == "target" else [*rules, *wanted]
    whole: StoppingRule = AllOf(tuple(rules)) if len(rules) > 1 else rules[0]
    return AnyOf((whole, BudgetRule(**budget))) if budget else whole
