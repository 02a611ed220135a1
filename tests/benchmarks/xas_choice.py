"""Mixtures offered more candidates than they hold: which are chosen, and with what share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from xas_mixtures import FE2O3, FE3O4, FEO, FOIL, NOISES, mix, plain

from materialsdock.formats import read_measured
from materialsdock.techniques.xas.mixture.choice import explain
from materialsdock.techniques.xas.mixture.combination import XasCurve

OTHER_FOIL, PYRITE = "Fe_Foil_rt_2016Foils", "FeS2_rt_01"
IRON = (FOIL, FEO, FE3O4, FE2O3, PYRITE)
PARTS = (
    {FOIL: 1.0},
    {FE2O3: 1.0},
    {FEO: 0.5, FE2O3: 0.5},
    {FEO: 0.05, FE2O3: 0.95},
    {FOIL: 0.2, FEO: 0.3, FE2O3: 0.5},
    {FOIL: 0.6, FEO: 0.1, FE2O3: 0.3},
    {FEO: 0.2, FE3O4: 0.3, FE2O3: 0.5},
    {FOIL: 0.25, FEO: 0.25, FE3O4: 0.25, FE2O3: 0.25},
)
# made of another scan (value) of the substance that the candidate (key) is a scan of
OTHERS = {FOIL: OTHER_FOIL}
OTHER_PARTS = ({FOIL: 1.0}, {FOIL: 0.5, FE2O3: 0.5}, {FOIL: 0.1, FEO: 0.9})


def choices(data: Path, *, seeds: Sequence[int]) -> dict[str, Any]:
    """Both kinds of mixtures, over noises and seeds."""
    scans = {}
    for path in sorted((data / "xasdatalibrary/Fe").glob("*.xdi")):
        measured = read_measured(path)
        scans[path.stem] = XasCurve(path.stem, measured.x, measured.y)
    same = [(parts, parts) for parts in PARTS]
    other = [(parts, {OTHERS.get(n, n): p for n, p in parts.items()}) for parts in OTHER_PARTS]
    return {"same scans": _over(scans, same, seeds), "other scans": _over(scans, other, seeds)}


def _over(scans: dict[str, XasCurve], cases: Sequence[Any], seeds: Sequence[int]) -> dict[str, Any]:
    rows, began = [], time.perf_counter()
    for parts, made_of in cases:
        for noise in NOISES:
            for seed in seeds:
                sample = mix(scans, made_of, noise, seed, "own default")
                rows.append(_row(sample, [scans[n] for n in IRON], parts, noise))
    absent = [row["absent"] for row in rows]
    return {
        "mixtures": len(rows),
        "absent but in": _share(each > 0 for each in absent),
        "absent above 1 %": _share(each > 0.01 for each in absent),
        "largest absent share": round(max(absent), 4),
        "true but out": _share(row["out"] > 0 for row in rows),
        "rivals named": _share(row["rivals"] > 0 for row in rows),
        "truth chosen or named as a rival": _share(row["told"] for row in rows),
        "baseline, all candidates": {
            "absent but in": _share(row["theirs"] > 0 for row in rows),
            "absent above 1 %": _share(row["theirs"] > 0.01 for row in rows),
            "largest absent share": round(max(row["theirs"] for row in rows), 4),
        },
        "wrong": sorted({row["said"] for row in rows if row["said"]}),
        "seconds per mixture": round((time.perf_counter() - began) / len(rows), 3),
    }


def _row(
    sample: XasCurve, candidates: Sequence[XasCurve], parts: dict[str, float], noise: float
) -> dict[str, Any]:
    found = explain(replace(sample, name="mixture"), candidates, edge="Fe K")
    absent = [each.name for each in candidates if each.name not in parts]
    wrong = [found.fractions[n].value for n in absent if n in found.fractions]
    theirs = dict(zip([c.name for c in candidates], plain(sample, candidates), strict=True))
    said = ""
    if set(found.fractions) != set(parts):
        named = {n: round(p.value, 3) for n, p in found.fractions.items()}
        said = f"{parts}, noise {noise:g}: {named}"
    truth = " + ".join(c.name for c in candidates if c.name in parts)
    return {
        "absent": max(wrong, default=0.0),
        "out": len(set(parts) - set(found.fractions)),
        "rivals": len(found.rivals),
        "told": not said or any(each.startswith(f"{truth} fits") for each in found.rivals),
        "theirs": float(max((theirs[n] for n in absent), default=0.0)),
        "said": said,
    }


def _share(given: Any) -> float:
    return round(float(np.mean([bool(each) for each in given])), 3)
