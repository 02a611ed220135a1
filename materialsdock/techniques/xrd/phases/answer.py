"""The phases in a pattern, by a store of structures: how to ask for them, and the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import gemmi

from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Sample, Structure
from materialsdock.techniques.xrd.model import Assessment, Diffractometer
from materialsdock.techniques.xrd.phases import hypotheses
from materialsdock.techniques.xrd.phases.cif_files import StoreEntry
from materialsdock.techniques.xrd.phases.hypotheses import Hypothesis
from materialsdock.techniques.xrd.phases.identify import (
    Identification,
    identify,
    matched_structures,
)
from materialsdock.techniques.xrd.phases.match import Match
from materialsdock.techniques.xrd.phases.remedies import remedies
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine

Families = Mapping[str, Sequence[StoreEntry]]
NONE: Literal["no confident match"] = "no confident match"


def elements_of(words: str | None) -> frozenset[str] | None:
    """ "Fe,O" as a set; None for no filter.  InputError naming every word that is no element."""
    if words is None:
        return None
    names = [word.strip().capitalize() for word in words.replace(" ", ",").split(",")]
    names = [name for name in names if name]
    wrong = [name for name in names if gemmi.Element(name).atomic_number == 0]
    if wrong or not names:
        raise InputError(
            f"no element {', '.join(map(repr, wrong)) or repr(words)}",
            where="--elements",
            remedy="name elements, e.g. Fe,O",
        )
    return frozenset(names)


def allowed_elements(options: Mapping[str, Any], sample: Sample) -> frozenset[str] | None:
    """Elements that the settings of a job allow, else those of the sample's composition, or all."""
    if named := options.get("elements"):
        return frozenset(named)
    composition = str(sample.metadata.get("composition") or "")
    found = re.findall(r"[A-Z][a-z]?", composition)
    return elements_of(",".join(found)) if found else None


def existing_store(folder: Path) -> StructureStore:
    """The store in `folder`; InputError when there is none."""
    store = StructureStore(folder)
    if not store.exists():
        raise InputError(
            "no structure store", where=str(folder), remedy="make one with `store add FILES`"
        )
    return store


def check_store(folder: Path, elements: frozenset[str] | None) -> None:
    """Refuse a store that holds nothing made of `elements`, before anything is measured for it."""
    store = existing_store(folder)
    store.refresh()
    if not store.entries(elements):
        raise InputError(
            f"holds no structure made of {', '.join(sorted(elements or ())) or 'any elements'}",
            where=str(folder),
            remedy="add CIFs with `materialsdock store add`, or allow more elements",
        )


def phases_of(
    pattern: Pattern,
    diffractometer: Diffractometer,
    folder: Path,
    elements: frozenset[str] | None,
    *,
    engine: RefinementEngine,
    workers: int,
    time_limit_s: float,
) -> tuple[tuple[Structure, ...], dict[str, Any]]:
    """The structures to refine, and the answer as plain JSON; () when none matches confidently.

    A store that cannot be searched, or a pattern that cannot be refined, is an answer too: what
    was measured counts anyway.
    """
    try:
        store = existing_store(folder)
        store.refresh()
        entries = store.entries(elements, aliases=True)
        found = identify(
            pattern,
            diffractometer,
            entries,
            engine=engine,
            workers=workers,
            time_limit_s=time_limit_s,
        )
    except MaterialsDockError as fault:
        return (), {
            "store": str(folder),
            "elements": sorted(elements) if elements else None,
            "verdict": NONE,
            "reasons": [str(fault)],
            "phases": [],
            "rivals": [],
            "candidates": [],
            "compared": 0,
        }
    allowed = sorted(elements) if elements else None
    said = {"store": str(folder), "elements": allowed, **answer(found, entries)}
    best = found.hypothesis
    if best is None or found.judgement.verdict == NONE:
        return (), {**said, "advice": list(remedies(pattern, diffractometer, entries))}
    return matched_structures(best.phases), said


def doubted(assessment: Assessment | None, said: Mapping[str, Any]) -> Assessment:
    """The verdict on a refinement whose structures were identified: no better than they were."""
    reasons = tuple(said["reasons"])
    rivals = tuple(
        f"{' + '.join(row['phases'])} (Rwp {row['rwp']:.2f} %)" for row in said["rivals"]
    )
    if assessment is None:
        return Assessment(NONE, reasons, (), rivals, advice=tuple(said.get("advice", ())))
    compared = f"identified among {said['compared']} entries of {said['store']}"
    if said["verdict"] != "ambiguous":
        return replace(assessment, notes=(*assessment.notes, compared))
    accepted = assessment.word == "accept"
    return replace(
        assessment,
        word="ambiguous" if accepted else assessment.word,
        reasons=reasons if accepted else (*assessment.reasons, *reasons),
        rivals=(*assessment.rivals, *rivals),
        notes=(*assessment.notes, compared),
    )


def answer(found: Identification, entries: Sequence[StoreEntry]) -> dict[str, Any]:
    """An identification as plain JSON; `entries` are those it was sought among."""
    best, families = found.hypothesis, families_of(entries)
    return {
        "verdict": found.judgement.verdict,
        "reasons": list(found.judgement.reasons),
        "explained": round(found.judgement.explained, 4),
        "phases": [] if best is None else _phases(best, families),
        "rwp": None if best is None else round(best.fit.rwp, 3),
        "r_exp": None if best is None else round(best.fit.r_exp, 3),
        "gof": None if best is None else round(best.fit.gof, 3),
        "engine": None if best is None else best.fit.engine,
        "rivals": [
            {"phases": list(h.names), "rwp": round(h.fit.rwp, 3), "figure": round(h.figure, 4)}
            for h in found.rivals
        ],
        "figure": None if best is None else round(best.figure, 4),
        "candidates": [[_candidate(m) for m in ranked] for ranked in found.rounds],
        "compared": found.compared,
        "refined": found.tried,
        "seconds_matching": round(found.seconds_matching, 3),
        "seconds_refining": round(found.seconds_refining, 3),
    }


def _phases(best: Hypothesis, families: Families) -> list[dict[str, Any]]:
    rows = []
    for i, (m, fit) in enumerate(zip(best.phases, best.fit.phases, strict=True)):
        esd = fit.weight_fraction_esd
        rows.append(
            {
                **facts(m.entry, families),
                "weight_percent": round(fit.weight_fraction, 3),
                "weight_percent_esd": None if esd is None else round(esd, 3),
                "refined_cell": {k: round(p.value, 5) for k, p in fit.cell.items()},
                "cell_change": round(hypotheses.strain(m, best.fit, i), 5),
                "score": round(m.score, 4),
            }
        )
    return rows


def _candidate(m: Match) -> dict[str, Any]:
    return {
        "name": m.entry.name,
        "formula": m.entry.described.formula,
        "space_group": m.entry.described.space_group,
        "entry_id": m.entry.entry_id,
        "score": round(m.score, 4),
        "lines_seen": round(float(m.seen), 3),
        "cell_change": m.strain,
    }


def families_of(entries: Sequence[StoreEntry]) -> Families:
    """The entries of each structure, by the identifier of the one that stands for it."""
    found: dict[str, list[StoreEntry]] = {}
    for entry in entries:
        found.setdefault(entry.family, []).append(entry)
    return found


def facts(entry: StoreEntry, families: Families) -> dict[str, Any]:
    """Return what a list shows of an entry; aliases : other entries of the same structure."""
    it = entry.described
    others = [e for e in families[entry.family] if e.entry_id != entry.entry_id]
    return {
        "entry_id": entry.entry_id,
        "name": entry.name,
        "formula": it.formula,
        "elements": list(it.elements),
        "space_group": it.space_group,
        "cell": [round(x, 5) for x in it.cell],
        "density_g_cm3": round(it.density, 4),
        "collection": entry.collection,
        "source": entry.source,
        "notes": list(it.notes),
        "aliases": [" ".join(filter(None, (e.name, e.collection))) for e in others],
    }
