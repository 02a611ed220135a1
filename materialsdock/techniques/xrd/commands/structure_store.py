"""`materialsdock store`: what its three commands do, and how they say it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured, reading
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Measured
from materialsdock.profile import config, siteroot
from materialsdock.profile.config import Profile
from materialsdock.profile.files import file_options
from materialsdock.rendering.numbers import many
from materialsdock.techniques.xrd.files.radiation import diffractometer_for
from materialsdock.techniques.xrd.job import check_usable
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases import identify as identifying
from materialsdock.techniques.xrd.phases.answer import (
    NONE,
    answer,
    elements_of,
    existing_store,
    facts,
    families_of,
)
from materialsdock.techniques.xrd.phases.match import Match
from materialsdock.techniques.xrd.phases.remedies import remedies
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.techniques.xrd.section import section_of


@dataclass(frozen=True)
class Query:
    """A question to `search`: the pattern, how to read it, elements, candidates, how to refine."""

    pattern: Path
    elements: str | None = None
    top: int = 5
    refine: bool = True
    workers: int = 2
    profile: str = "sim"
    site: Path | None = None
    file: FileOptions = NOTHING_ASKED


def add(paths: Sequence[Path], folder: Path, workers: int) -> dict[str, Any]:
    """Add files and folder trees; InputError when none of them gave or had a structure."""
    store = StructureStore(folder, workers=workers)
    try:
        done = store.add(paths)
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}",
            where=str(folder),
            remedy="name a folder that may be written to with --store",
        ) from error
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
        "notes": list(done.notes),
        "entries_added": done.entries,
        "structures": len(store.entries()),
        "entries": len(store.entries(aliases=True)),
    }


def listing(folder: Path, elements: str | None) -> dict[str, Any]:
    """Every structure of the store, with the names of other CIFs of the same."""
    store = existing_store(folder)
    refused = store.refresh()
    everything = store.entries(elements_of(elements), aliases=True)
    families = families_of(everything)
    return {
        "store": str(folder),
        "structures": [facts(e, families) for e in everything if e.same_as is None],
        "refused": list(refused),
    }


def search(
    query: Query, folder: Path, on_round: Callable[[int, Sequence[Match]], None] | None = None
) -> dict[str, Any]:
    """Identify the phases of a measured pattern among the structures of the store."""
    profile = config.load(query.profile, siteroot.activate(query.site))
    asked = query.file.over(file_options(profile.formats))
    measured = read_measured(query.pattern, "xrd", asked)
    check_usable(measured)
    diffractometer = _diffractometer(profile, measured)
    pattern = _pattern(measured)
    chosen = elements_of(query.elements)
    store = existing_store(folder)
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
    said = answer(found, entries)
    tried = said["verdict"] == NONE
    return {
        "advice": list(remedies(pattern, diffractometer, entries)) if tried else [],
        "pattern": str(query.pattern),
        "reading": reading.facts(measured, query.pattern, asked),
        "store": str(folder),
        "elements": sorted(chosen) if chosen else None,
        **said,
        "refused": list(refused),
    }


def tell(number: int, found: Sequence[Match]) -> None:
    """Say on standard error what is being refined, for a person who waits."""
    names = ", ".join(m.entry.name for m in found[:3])
    print(f"phase {number + 1}: {names or 'no candidate'}", file=sys.stderr, flush=True)


def _diffractometer(profile: Profile, measured: Measured) -> Diffractometer:
    """The profile's, with the radiation of the option, else that of the file."""
    known = section_of(profile).diffractometer if "xrd" in profile.techniques else Diffractometer()
    return diffractometer_for(known, measured.about)[0]


def _pattern(measured: Measured) -> Pattern:
    sigma = np.sqrt(np.maximum(measured.y, 1.0)) if measured.sigma is None else measured.sigma
    return Pattern(measured.x, measured.y, sigma, np.ones(measured.x.size))


def overview(said: dict[str, Any]) -> str:
    """The answer of `search` for a person: verdict, phases, rivals, what was compared."""
    lines = [f"{said['verdict']}: {'; '.join(said['reasons'])}"]
    lines += [f"  try: {advice}" for advice in said["advice"]]
    for phase in said["phases"]:
        same = f", as {len(phase['aliases'])} other CIFs" if phase["aliases"] else ""
        lines.append(
            f"  {phase['weight_percent']:6.1f} wt%  {phase['formula']}  {phase['name']}  "
            f"{phase['space_group']}  {phase['collection']}{same}"
        )
        lines += [f"    read: {note}" for note in phase["notes"]]
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
    count = f"{many(len(rows), 'structure')} in {said['store']}"
    return "\n".join([*rows, count, *(f"refused: {why}" for why in said["refused"])])


def added(said: dict[str, Any]) -> str:
    """The answer of `add` for a person."""
    first = (
        f"{many(len(said['added']), 'file')} with "
        f"{many(said['entries_added'], 'structure')} added, "
        f"{len(said['known'])} there already, {len(said['refused'])} refused; "
        f"{said['store']} holds {many(said['structures'], 'different structure')}"
    )
    refused = [f"refused: {why}" for why in said["refused"]]
    return "\n".join([first, *(f"note: {note}" for note in said["notes"]), *refused])
