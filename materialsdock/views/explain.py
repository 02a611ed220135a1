"""Each decision of a job in one sentence: why here, why now, why stop, with numbers and units."""

from __future__ import annotations

import math
from collections.abc import Sequence

from materialsdock.learning.curve.expert_grid import MARGIN
from materialsdock.learning.people import FORCED
from materialsdock.model import Decision, Proposal

AIMS = {
    "profile": "counted longer where the curve is higher",
    "fractions": "counted to lower the esd of the weight fractions, or as part of the even share",
    "parameter": "counted to lower the esd of the wanted parameter, or as part of the even share",
}


def sentences(decisions: Sequence[Decision], unit: str = "", objective: str = "peaks") -> list[str]:
    """One sentence a decision, in order; `unit` is that of the axis, `objective` that of passes.

    Reads nothing but the decisions: `proposal` is what was measured, `next` what the decision
    chose, and the previous decision's mean and sd what had been expected here.
    """
    segments = any(d.proposal.points > 1 for d in decisions)
    found = []
    for i, decision in enumerate(decisions):
        before = decisions[i - 1] if i else None
        why = _segment(decision, objective) if segments else _point(decision)
        parts = [f"{why}, {_turn(decisions, i)}", _found(decision, before), _asked(decision)]
        parts.append(_goes_on(decision))
        where = f"{_place(decision.proposal, unit)} for {_seconds(decision.proposal)}"
        found.append(f"Step {decision.step}, {where}: {'; '.join(p for p in parts if p)}.")
    return found


def round_word(decisions: Sequence[Decision]) -> str:
    """Name one way over the axis: a sweep of single positions, or a pass of segments.

    People count them from 1; `Proposal.sweep` begins at 0.
    """
    return "pass" if any(d.proposal.points > 1 for d in decisions) else "sweep"


def _place(proposal: Proposal, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    if proposal.points > 1:
        return f"{proposal.start:.7g} to {proposal.stop:.7g}{unit} in {proposal.points} points"
    return f"{proposal.start:.7g}{unit}"


def _seconds(proposal: Proposal) -> str:
    each = " each" if proposal.points > 1 else ""
    return f"{proposal.count_time_s:.3g} s{each}"


def _point(decision: Decision) -> str:
    """Say why a single position was chosen."""
    proposal = decision.proposal
    if proposal.score == FORCED:
        return "a position that was asked for"
    if proposal.sweep == 0:
        return "a position of the first sweep"
    if faster := _experts(decision):
        return f"a position of the expert's grid, {faster}"
    if proposal.score == 0:
        return "a probe of the largest gap"
    if proposal.score < 0:
        return "counted again because the counts lie off the curve"
    return (
        f"one of the positions that lower the uncertainty most ({proposal.score:.3g} of variance)"
    )


def _experts(decision: Decision) -> str:
    """Say why the sweep after the first one is the expert's grid; empty where it is not."""
    known = decision.hyperparameters
    expert_s, learner_s = known.get("expert_s", 0.0), known.get("learner_s", 0.0)
    if decision.proposal.sweep != 1 or not 0 < expert_s < MARGIN * learner_s:
        return ""
    if math.isinf(learner_s):
        return f"predicted to take {expert_s:.0f} s and to tell more than as many adaptive points"
    return f"predicted to take {expert_s:.0f} s, adaptive sweeps {learner_s:.0f} s"


def _segment(decision: Decision, objective: str) -> str:
    """Say why a segment was chosen."""
    proposal = decision.proposal
    if proposal.score == FORCED:
        return "the segment of a position that was asked for"
    if proposal.sweep == 0:
        return "a segment of the first pass, which counts everything"
    what = f"a segment of pass {proposal.sweep + 1}"
    if objective in AIMS:
        return f"{what}, {AIMS[objective]}"
    if proposal.score == 0:
        return what
    return f"{what}, where a peak stands out by {proposal.score:.2g} sd on average"


def _turn(decisions: Sequence[Decision], i: int) -> str:
    """Say why now: the place in the order of its sweep."""
    sweep = decisions[i].proposal.sweep
    same = [d.proposal.start for d in decisions if d.proposal.sweep == sweep]
    number = sum(d.proposal.sweep == sweep for d in decisions[: i + 1])
    whole = f"{round_word(decisions)} {sweep + 1}"
    if len(same) < 2:
        return f"number 1 of {whole}"
    way = "upward" if same[-1] > same[0] else "downward"
    return f"number {number} of {whole} on its way {way}"


def _found(decision: Decision, before: Decision | None) -> str:
    """Say what had been expected here, and how far off it was."""
    parts = []
    if before is not None and before.mean is not None and before.sd is not None:
        parts.append(f"expected {before.mean:.4g} ± {before.sd:.2g}")
    if decision.z2 is not None and math.isfinite(decision.z2):
        parts.append(f"measured {math.sqrt(max(decision.z2, 0.0)):.1f} standard deviations away")
    return ", ".join(parts)


def _asked(decision: Decision) -> str:
    """Say what people asked for that has its effect from here on."""
    return f"a person asked: {decision.steered}" if decision.steered else ""


def _goes_on(decision: Decision) -> str:
    """Say why it stops here, or why it does not."""
    if decision.verdict.stop:
        spent = f"after {decision.seconds_measured:.0f} s"
        return f"stops {spent}: {decision.verdict.reason}"
    verdict = decision.verdict
    if (value := decision.lambda_t) is None or verdict.threshold is None or "λ" in verdict.reason:
        return f"not stopping yet: {verdict.reason}"
    return (
        f"not stopping yet although the error ratio λ is low enough, {value:.3f} (limit "
        f"{verdict.threshold:.3f}): {verdict.reason}"
    )
