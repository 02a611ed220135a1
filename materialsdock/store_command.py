"""`materialsdock store`: what its three commands do, and how they say it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

from materialsdock import config, siteroot
from materialsdock.errors import InputError
from materialsdock.formats import Measured, read_measured
from materialsdock.model import Diffractometer, Pattern
from materialsdock.structures import identify as identifying
from materialsdock.structures import verdict
from materialsdock.structures.identify import Identification
from materialsdock.structures.match import Match
from materialsdock.structures.reading import Entry
from materialsdock.structures.store import StructureStore
from materialsdock.structures.verdict import Hypothesis

Families = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True)
class Query:
    """What `search` was asked: the pattern, allowed elements, candidates shown, how to refine."""

    pattern: Path
    elements: str | None = None
    top: int = 5
    refine: bool = True
    workers: int = 2
    profile: str = "sim"
    wavelengths_angstrom: Sequence[float] = ()


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


def add(paths: Sequence[Path], folder: Path, workers: int) -> dict[str, Any]:
    """Add files and folder trees; InputError when none of them gave or had a structure."""
    store = StructureStore(folder, workers=workers)
    done = store.add(paths)
    if not done.added and not done.known:
        raise InputError(
            "; ".join(done.refused) or "nothing to add",
            where="store add",
            remedy="name CIF files, or folders with such files",
        )
    return {
        "store": str(folder),
        "added": list(done.added),
        "known": list(done.known),
        "refused": list(done.refused),
        "entries_added": done.entries,
        "structures": len(store.entries()),
        "entries": len(store.entries(aliases=True)),
    }


def listing(folder: Path, elements: str | None) -> dict[str, Any]:
    """Every structure of the store, with the names of other CIFs of the same."""
    store = _existing(folder)
    refused = store.refresh()
    everything = store.entries(elements_of(elements), aliases=True)
    families = _families(everything)
    return {
        "store": str(folder),
        "structures": [_facts(e, families) for e in everything if e.same_as is None],
        "refused": list(refused),
    }


def search(
    query: Query, folder: Path, on_round: Callable[[int, Sequence[Match]], None] | None = None
) -> dict[str, Any]:
    """Identify the phases of a measured pattern among the structures of the store."""
    measured = read_measured(query.pattern, "xrd")
    diffractometer = _diffractometer(query, measured)
    pattern = _pattern(measured)
    chosen = elements_of(query.elements)
    store = _existing(folder)
    refused = store.refresh()
    entries = store.entries(chosen, aliases=True)
    found = identifying.identify(
        pattern,
        diffractometer,
        entries,
        top=query.top,
        workers=query.workers,
        refine=query.refine,
        on_round=on_round,
    )
    return {
        "pattern": str(query.pattern),
        "store": str(folder),
        "elements": sorted(chosen) if chosen else None,
        **answer(found, entries),
        "refused": list(refused),
    }


def tell(number: int, found: Sequence[Match]) -> None:
    """Say on standard error what is being refined, for a person who waits."""
    names = ", ".join(m.entry.name for m in found[:3])
    print(f"phase {number + 1}: {names or 'no candidate'}", file=sys.stderr, flush=True)


def answer(found: Identification, entries: Sequence[Entry]) -> dict[str, Any]:
    """An identification as plain JSON; `entries` are those it was sought among."""
    best, families = found.hypothesis, _families(entries)
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
                **_facts(m.entry, families),
                "weight_percent": round(fit.weight_fraction, 3),
                "weight_percent_esd": None if esd is None else round(esd, 3),
                "refined_cell": {k: round(p.value, 5) for k, p in fit.cell.items()},
                "cell_change": round(verdict.strain(m, best.fit, i), 5),
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


def _families(entries: Sequence[Entry]) -> Families:
    """The entries of each structure, by the identifier of the one that stands for it."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.family, []).append(entry)
    return found


def _facts(entry: Entry, families: Families) -> dict[str, Any]:
    """What a list shows of an entry; aliases are the other entries of the same structure."""
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


def _existing(folder: Path) -> StructureStore:
    if not folder.is_dir():
        raise InputError(
            "no structure store", where=str(folder), remedy="make one with `store add FILES`"
        )
    return StructureStore(folder)


def _diffractometer(query: Query, measured: Measured) -> Diffractometer:
    """The profile's, with the radiation of the option, else that of the file."""
    profile = config.load(query.profile, siteroot.activate(None))
    known = Diffractometer() if profile.xrd is None else profile.xrd.diffractometer
    lines = tuple(query.wavelengths_angstrom) or measured.wavelengths_angstrom
    if not lines:
        return known
    if not all(0.1 <= x <= 3.0 for x in lines) or len(lines) > 2:
        raise InputError(
            f"{lines} are not one or two wavelengths [Å]",
            where="--wavelength",
            remedy="e.g. --wavelength 1.540593 --wavelength 1.544427",
        )
    return replace(known, wavelengths_angstrom=lines, weights=(1.0, 0.5)[: len(lines)])


def _pattern(measured: Measured) -> Pattern:
    sigma = np.sqrt(np.maximum(measured.y, 1.0)) if measured.sigma is None else measured.sigma
    return Pattern(measured.x, measured.y, sigma, np.ones(measured.x.size))


def overview(said: dict[str, Any]) -> str:
    """The answer of `search` for a person: verdict, phases, rivals, what was compared."""
    lines = [f"{said['verdict']}: {'; '.join(said['reasons'])}"]
    for phase in said["phases"]:
        same = f", as {len(phase['aliases'])} other CIFs" if phase["aliases"] else ""
        lines.append(
            f"  {phase['weight_percent']:6.1f} wt%  {phase['formula']}  {phase['name']}  "
            f"{phase['space_group']}  {phase['collection']}{same}"
        )
    for rival in said["rivals"]:
        lines.append(f"  rival: {' + '.join(rival['phases'])} (Rwp {rival['rwp']:.2f} %)")
    if said["rwp"] is not None:
        lines.append(f"  Rwp {said['rwp']:.2f} %, GoF {said['gof']:.2f}")
    for number, ranked in enumerate(said["candidates"], 1):
        names = ", ".join(f"{c['name']} {c['score']:.2f}" for c in ranked)
        lines.append(f"  candidates for phase {number}: {names or 'none'}")
    lines.append(
        f"{said['compared']} entries compared in {said['seconds_matching']:.1f} s, "
        f"{said['refined']} hypotheses refined in {said['seconds_refining']:.1f} s"
    )
    return "\n".join([*lines, *(f"refused: {why}" for why in said["refused"])])


def table(said: dict[str, Any]) -> str:
    """The answer of `list` for a person, one structure per line."""
    rows = [
        f"{e['formula']:<16} {e['space_group']:<14} {e['density_g_cm3']:6.2f}  {e['name']}  "
        f"{e['collection']}" + (f"  (+{len(e['aliases'])})" if e["aliases"] else "")
        for e in said["structures"]
    ]
    count = f"{len(rows)} structures in {said['store']}"
    return "\n".join([*rows, count, *(f"refused: {why}" for why in said["refused"])])


def added(said: dict[str, Any]) -> str:
    """The answer of `add` for a person."""
    first = (
        f"{len(said['added'])} files with {said['entries_added']} entries added, "
        f"{len(said['known'])} were there, {len(said['refused'])} refusals; "
        f"{said['store']} holds {said['structures']} different structures"
    )
    return "\n".join([first, *(f"refused: {why}" for why in said["refused"])])
