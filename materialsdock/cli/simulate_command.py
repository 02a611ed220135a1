"""The work of `materialsdock simulate`, `sheet template` and `sheet check`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import Refused
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import estimate
from materialsdock.night.queue.history import key_of
from materialsdock.night.rehearsal.preflight import Preflight, body_of, chosen, faults, preflight
from materialsdock.profile import config, recipes, siteroot
from materialsdock.rendering.numbers import many
from materialsdock.sheets import jobs, sheet_files


def simulate(
    sheet: Path, profile_name: str, site: Path | None, out: Path, seeds: int, analyse: bool
) -> dict[str, Any]:
    """Rehearse a sheet and keep the forecast in the data folder; InputError lists every fault."""
    root = siteroot.activate(site)
    profile = config.load(profile_name, root)
    entries = jobs.read_sheet(sheet, profile, root / "profiles" / profile.name, faults)
    samples = sum(map(len, chosen(entries).values()))
    words = f"rehearsing {many(samples, 'sample')}, {many(seeds, 'time')} each; this takes a while"
    print(words, file=sys.stderr, flush=True)
    found = preflight(entries, profile, root, seeds=seeds, analyse=analyse)
    with Ledger(DataDirectory(out).ledger) as ledger:
        estimate.keep_forecast(ledger, found.forecast)
    return as_json(found, profile)


def as_json(found: Preflight, profile: config.Profile) -> dict[str, Any]:
    """The pre-flight as one JSON object; seconds of wall clock unless they are called others."""
    keys = Counter(key_of(body_of(entry)) for entry in found.order)
    return {
        "profile": profile.name,
        "speed": profile.speed,
        "order": [
            {
                "sample_id": e.sample_id,
                "recipe": (key := key_of(body_of(e))),
                "p50_s": found.each[key].p50_s,
                "p90_s": found.each[key].p90_s,
            }
            for e in found.order
        ],
        "recipes": {key: {"samples": n, **_recipe(found, key)} for key, n in keys.items()},
        "p50_s": found.whole.p50_s,
        "p90_s": found.whole.p90_s,
        # on the real instrument
        "forecast": {key: [each.at(1.0) for each in rows] for key, rows in found.forecast.items()},
    }


def _recipe(found: Preflight, key: str) -> dict[str, Any]:
    rows = found.rehearsals[key]
    analysed = [row.analysis_s for row in rows if row.analysis_s is not None]
    return {
        "rehearsed": sorted({row.sample_id for row in rows}),
        "stand_in": any(row.stand_in for row in rows),
        "instrument_s": [row.instrument_s for row in rows],
        "steps": [row.steps for row in rows],
        "overhead_per_step_s": float(np.median([row.overhead_s for row in rows])),
        "analysis_s": float(np.median(analysed)) if analysed else None,
        "analysis_faults": sorted({row.analysis_fault for row in rows if row.analysis_fault}),
        "ended": dict(Counter(row.reason for row in rows)),
    }


def words(said: dict[str, Any]) -> str:
    """Put the pre-flight into words for people."""
    lines = [f"{'sample':<20} {'recipe':<22} {'P50':>9} {'P90':>9}"]
    for row in said["order"]:
        spans = f"{span(row['p50_s']):>9} {span(row['p90_s']):>9}"
        lines.append(f"{row['sample_id']:<20} {row['recipe']:<22} {spans}")
    for key, recipe in said["recipes"].items():
        lines.append(f"{key}: {many(recipe['samples'], 'sample')}, {_rehearsal(recipe)}")
        lines += [f"  ended: {reason} ({many(n, 'time')})" for reason, n in recipe["ended"].items()]
        lines += [f"  analysis failed: {fault}" for fault in recipe["analysis_faults"]]
    at = [
        time.strftime("%a %H:%M", time.localtime(time.time() + said[k])) for k in ("p50_s", "p90_s")
    ]
    lines.append(
        f"done after {span(said['p50_s'])} (P50: in half of the cases, {at[0]}) or "
        f"{span(said['p90_s'])} (P90: in 9 of 10 cases, {at[1]}), if started now at "
        f"{said['speed']:g} times real time"
    )
    return "\n".join(lines)


def _rehearsal(recipe: dict[str, Any]) -> str:
    ids, seconds = ", ".join(recipe["rehearsed"]), recipe["instrument_s"]
    kind = "with another sample standing in" if recipe["stand_in"] else "with their own files"
    ends = dict.fromkeys((span(min(seconds)), span(max(seconds))))
    took = f"{' to '.join(ends)} of instrument time"
    return f"rehearsed {many(len(seconds), 'time')} ({ids}) {kind}: {took}"


def span(seconds: float) -> str:
    """A time as 5 s, 12 min or 3.4 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def template(file: Path, profile_name: str, site: Path | None) -> None:
    """Write an empty sheet that offers the profile's recipes; Refused where a file is already."""
    if file.exists():
        raise Refused("exists already", where=str(file), remedy="name a new file")
    root = siteroot.activate(site)
    profile = config.load(profile_name, root)
    sheet_files.write_template(file, recipes.names(root / "profiles" / profile.name))


def check(sheet: Path, profile_name: str, site: Path | None) -> list[str]:
    """The ids of a clean sheet; InputError lists every fault."""
    root = siteroot.activate(site)
    profile = config.load(profile_name, root)
    entries = jobs.read_sheet(sheet, profile, root / "profiles" / profile.name)
    return [entry.sample_id for entry in entries]
