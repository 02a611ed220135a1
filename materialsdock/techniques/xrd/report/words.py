"""A refinement in a few lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from materialsdock.model import Outcome, Structure
from materialsdock.rendering.numbers import fixed, with_esd, with_esds
from materialsdock.techniques.xrd.model import PhaseFit
from materialsdock.techniques.xrd.report import uncertainty
from materialsdock.techniques.xrd.report.numbers import sentences
from materialsdock.techniques.xrd.rietveld import rfactors

SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ"}


def lines(outcome: Outcome) -> list[str]:
    """Say what the pattern is of, how well it fits, and how far that can be trusted."""
    read = [f"  {line}" for line in notes_of_reading(outcome.job.sample.structures)]
    if outcome.found.fit is not None:
        return [*_refinement(outcome), *read, *_verdict(outcome)]
    if outcome.found.assessment is not None:
        return [*read, *_verdict(outcome)]
    return ["  not refined: no structure was given (--cif), nor a structure store (--store)"]


def notes_of_reading(structures: Sequence[Structure]) -> list[str]:
    """List what the reader of the CIFs had to decide, each with its structure."""
    return [f"{structure.name}: {note}" for structure in structures for note in structure.notes]


def warnings(outcome: Outcome) -> list[str]:
    """List what a person should look at before the result is used, in words."""
    verdict = outcome.found.assessment
    if verdict is None or verdict.word == "accept":
        return []
    return [f"{verdict.word}: {'; '.join(verdict.reasons)}"]


def quantities(outcome: Outcome) -> list[str]:
    """Put into words: phases not detected, preferred orientation and the original sample."""
    said = outcome.summary
    lines = [trace["sentence"] for trace in said.get("traces") or () if not trace["detected"]]
    lines += [
        f"preferred orientation: {look['sentence']}"
        for look in said.get("texture") or ()
        if look["accepted"]
    ]
    best = outcome.found.solutions[:1]
    lines += [doubt.sentence for doubt in (best[0].doubts if best else ()) if doubt.sentence]
    if original := said.get("amorphous"):
        shares = [*original["phases"], *filter(None, [original["amorphous"]])]
        rows = [f"{x['name']} {_share(x)}" for x in shares]
        if rows:
            added = original["standard"]
            percent = with_esd(added["percent"], added["esd"])
            lines.append(
                f"in the original sample, without the {percent} wt% of {added['name']}: "
                f"{', '.join(rows)} wt%"
            )
        lines += original["sentences"]
    return lines


def _share(share: Mapping[str, Any]) -> str:
    """A share of the original sample; outcomes of version 0.1 know one esd of it."""
    if "esd_systematic" not in share:
        return with_esd(share["percent"], share["esd"])
    return with_esds(share["percent"], share["esd_statistical"], share["esd_systematic"])


def _refinement(outcome: Outcome) -> list[str]:
    fit = outcome.found.fit
    profile = rfactors.profile(outcome.measured.intensity, fit.y_calc)
    lines = [
        f"  Rwp {fixed(fit.rwp)} %, expected {fixed(fit.r_exp)} %, GoF {fit.gof:.2f}, "
        f"Rp {fixed(profile)} %"
    ]
    missed = {t["name"] for t in outcome.summary.get("traces") or () if not t["detected"]}
    spread = uncertainty.spread(outcome)
    lines += [f"  {_phase(phase, spread)}" for phase in fit.phases if phase.name not in missed]
    lines += [f"  {line}" for line in (notation(outcome), *quantities(outcome))]
    if start := outcome.summary.get("start"):
        lines.append(f"  the search began {start['sentence']}")
    if wavelengths := outcome.job.settings.get("wavelengths_from"):
        lines.append(f"  wavelengths: {wavelengths}")
    lines += [f"  not physical: {violation}" for violation in fit.violations]
    lines += [f"  {sentence}" for sentence in sentences(fit)]
    return lines


def _verdict(outcome: Outcome) -> list[str]:
    found = outcome.found.assessment
    if found is None:
        return []
    lines = [f"  verdict: {found.word}"]
    if found.word != "accept":
        lines += [f"    {reason}" for reason in found.reasons]
    lines += [f"    rival: {rival}" for rival in found.rivals]
    lines += [f"    try: {advice}" for advice in found.advice]
    if found.word != "accept":
        lines += [f"    {line}" for line in candidates(outcome)]
    solutions = outcome.found.solutions
    held = solutions[0].held_out if solutions else None
    if held is not None:
        lines.append(
            f"    Rwp on held-out 2θ blocks: {fixed(held.rwp)} %, "
            f"{held.ratio:.2f} times that of the refined blocks"
        )
    return lines


def candidates(outcome: Outcome) -> list[str]:
    """List the best candidates and their scores, for each phase that was sought in a store."""
    said = outcome.summary.get("identification") or {}
    return [
        f"candidates for phase {number}: "
        + (", ".join(f"{c['name']} {c['score']:.2f}" for c in ranked[:3]) or "none")
        for number, ranked in enumerate(said.get("candidates", ()), 1)
    ]


def notation(outcome: Outcome) -> str:
    """Say how uncertainties are written, and what makes the systematic ones."""
    best = outcome.found.solutions[:1]
    if not (best and best[0].systematic):
        return "(digits in parentheses: one standard deviation of counting, in the last digit)"
    made = uncertainty.sources(best[0].doubts)
    return f"({uncertainty.NOTATION}{f'; systematic: {made}' if made else ''})"


def _phase(phase: PhaseFit, spread: Mapping[str, float]) -> str:
    known = uncertainty.of_phase(phase, spread)
    cell = ", ".join(
        f"{SYMBOLS.get(key, key)} = {known[key].words(phase.cell[key].value)} "
        f"{'Å' if key in 'abc' else '°'}"
        for key in uncertainty.independent(phase)
    )
    weight = known[uncertainty.WEIGHT].words(phase.weight_fraction)
    bragg = "" if phase.r_bragg is None else f", R_Bragg {fixed(phase.r_bragg)} %"
    return f"{phase.name} ({phase.space_group}): {cell}, {weight} wt%{bragg}"
