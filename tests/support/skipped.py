"""Report which optional parts a run of the tests left out, and why: a line of its summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

# a pattern in the reason of a skip, and the part of materialsdock that was not tested
PARTS = (
    ("real nights|not of the core", "faults of real nights"),
    ("takes minutes", "longer runs of the same tests"),
    ("takes long", "studies and whole installations"),
    ("redis", "RE Manager with Redis"),
    ("postgres|initdb", "storage and Tiled server on PostgreSQL"),
    ("`storage`", "storage shared over a network"),
    ("`dask`", "searches on a Dask cluster"),
    ("gsas", "GSAS-II as engine"),
    ("larch", "comparison with xraylarch"),
    (r"\base\b", "energies of structures"),
    ("torch", "comparison with gpytorch"),
    ("systemd", "units of systemd"),
    ("measured|published|is not here", "measured data"),
)
OTHERS = "others"


def part_of(reason: str) -> str:
    """The optional part that a skip with this reason is about."""
    return next((part for found, part in PARTS if re.search(found, reason, re.I)), OTHERS)


def line(reports: Iterable[Any]) -> str:
    """`skipped: PART (WHY): HOW OFTEN; ...`, or nothing where nothing was skipped."""
    counts: Counter[tuple[str, str]] = Counter()
    for report in reports:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        counts[part_of(reason), reason] += 1
    told = (f"{part} ({reason}): {count}" for (part, reason), count in sorted(counts.items()))
    return f"skipped: {'; '.join(told)}" if counts else ""
