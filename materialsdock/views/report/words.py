"""An outcome in a few lines for a terminal."""

from __future__ import annotations

from materialsdock.outcome import Outcome
from materialsdock.rendering.numbers import duration, fixed, with_esd
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xas.report.sentences import sentences
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.views.report.summary import headline


def overview(outcome: Outcome) -> str:
    """What was measured, in how much of the time, why it ended, and what it is."""
    lines = [headline(outcome), *_time(outcome)]
    if plan := outcome.summary.get("plan"):
        lines.append(f"  plan: {plan}")
    if outcome.fit is not None:
        lines += [*_refinement(outcome), *_verdict(outcome), *_energies(outcome)]
    elif outcome.assessment is not None:
        lines += _verdict(outcome)
    elif outcome.job.sample.technique == "xrd":
        lines.append("  not refined: no structure was given (--cif), nor a store (--store)")
    if outcome.edge is not None:
        lines += _edge(outcome.edge)
    if outcome.absorption is not None:
        lines += [f"  {line}" for line in sentences(outcome.absorption)]
    promised = outcome.summary.get("certificate")
    if promised:
        lines += ["  certificate:", *(f"    {line}" for line in promised["sentences"])]
    return "\n".join(lines)


def _time(outcome: Outcome) -> list[str]:
    spent = outcome.summary.get("seconds_measured")
    full = outcome.summary.get("seconds_full_scan")
    if spent is None or full is None:
        return []
    return [f"  instrument time {duration(spent)}, the full scan {duration(full)}"]


def quantities(outcome: Outcome) -> list[str]:
    """What is said of phases not detected, preferred orientation and the original sample."""
    said = outcome.summary
    lines = [trace["sentence"] for trace in said.get("traces") or () if not trace["detected"]]
    lines += [
        f"preferred orientation: {look['sentence']}"
        for look in said.get("texture") or ()
        if look["accepted"]
    ]
    if original := said.get("amorphous"):
        shares = [*original["phases"], *filter(None, [original["amorphous"]])]
        rows = [f"{x['name']} {with_esd(x['percent'], x['esd'])}" for x in shares]
        if rows:
            added = original["standard"]
            percent = with_esd(added["percent"], added["esd"])
            lines.append(
                f"of the original sample, without {percent} wt% of {added['name']}: "
                f"{', '.join(rows)} wt%"
            )
        lines += original["sentences"]
    return lines


def _refinement(outcome: Outcome) -> list[str]:
    fit = outcome.fit
    assert fit is not None
    lines = [f"  Rwp {fixed(fit.rwp)} %, expected {fixed(fit.r_exp)} %, GoF {fit.gof:.2f}"]
    missed = {t["name"] for t in outcome.summary.get("traces") or () if not t["detected"]}
    lines += [f"  {_phase(phase)}" for phase in fit.phases if phase.name not in missed]
    lines += [f"  {line}" for line in quantities(outcome)]
    if start := outcome.summary.get("start"):
        lines.append(f"  the search began {start['sentence']}")
    lines += [f"  not physical: {violation}" for violation in fit.violations]
    if many := len(fit.warnings):
        lines.append(f"  {many} warning{'' if many == 1 else 's'}, see the report")
    return lines


def _verdict(outcome: Outcome) -> list[str]:
    found = outcome.assessment
    if found is None:
        return []
    lines = [f"  verdict: {found.word}"]
    if found.word != "accept":
        lines += [f"    {reason}" for reason in found.reasons]
    lines += [f"    rival: {rival}" for rival in found.rivals]
    if found.word != "accept":
        lines += [f"    {line}" for line in candidates(outcome)]
    held = outcome.solutions[0].held_out if outcome.solutions else None
    if held is not None:
        lines.append(
            f"    left-out blocks of 2θ: Rwp {fixed(held.rwp)} %, {held.ratio:.2f} times inside"
        )
    return lines


def _energies(outcome: Outcome) -> list[str]:
    """What the hybrid analysis says, or why there is none."""
    if outcome.hybrid is not None:
        return [f"  fit and energy: {outcome.hybrid.sentences[0]}"]
    missing = outcome.summary.get("hybrid_missing")
    return [] if missing is None else [f"  no energies: {missing}"]


def candidates(outcome: Outcome) -> list[str]:
    """For each phase that was sought in a store: the best candidates and their scores."""
    said = outcome.summary.get("identification") or {}
    return [
        f"candidates for phase {number}: "
        + (", ".join(f"{c['name']} {c['score']:.2f}" for c in ranked[:3]) or "none")
        for number, ranked in enumerate(said.get("candidates", ()), 1)
    ]


def _phase(phase: PhaseFit) -> str:
    cell = ", ".join(
        f"{name} = {with_esd(phase.cell[name].value, phase.cell[name].esd)} Å" for name in "abc"
    )
    weight = with_esd(phase.weight_fraction, phase.weight_fraction_esd)
    return f"{phase.name} ({phase.space_group}): {cell}, {weight} wt%"


def _edge(edge: EdgeFit) -> list[str]:
    lines = [
        f"  E0 = {with_esd(edge.e0_ev, edge.e0_sd_ev)} eV, "
        f"edge step {with_esd(edge.edge_step, edge.edge_step_sd)}"
    ]
    return lines + [f"  {warning}" for warning in edge.warnings]
