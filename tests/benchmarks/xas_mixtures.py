"""Mixtures of measured Fe standards: fractions found, against a plain fit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import nnls

from materialsdock.formats import read_measured
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.mixture.combination import XasCurve, combine
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.normalise import Ranges, normalise

NOISES = (3e-4, 1e-3, 3e-3)  # of µ; the mixtures' step is 1
FIRM = 1e-3  # noise up to which the target holds for all mixtures
# whose edge steps define "one part": a default normalisation, or straight lines over less
TRUTHS = {"own default": None, "straight lines": Ranges((-100.0, -30.0), (75.0, 400.0), 1)}
FOIL, FEO, FE3O4, FE2O3 = "Fe_metal_rt_01", "FeO_rt_01", "Fe3O4_rt_01", "Fe2O3_rt_01"
CASES = (
    {FOIL: 0.2, FEO: 0.3, FE2O3: 0.5},
    {FOIL: 0.6, FEO: 0.1, FE2O3: 0.3},
    {FEO: 0.2, FE3O4: 0.3, FE2O3: 0.5},
    {FEO: 0.05, FE2O3: 0.95},
    {"Fe_Foil_rt_2016Foils": 0.5, FE2O3: 0.5},
    {FOIL: 0.25, FEO: 0.25, FE3O4: 0.25, FE2O3: 0.25},
)
STEP_EV = 0.7


def mix(
    standards: dict[str, XasCurve], parts: dict[str, float], noise: float, seed: int, truth: str
) -> XasCurve:
    """A mixture on an even grid of its own, by the standards' edge steps as `truth` has them."""
    chosen = [standards[name] for name in parts]
    low = max(s.energy_ev[0] for s in chosen) + 1
    high = min(s.energy_ev[-1] for s in chosen) - 1
    energy = np.arange(low, high, STEP_EV)
    mu = np.zeros(energy.size)
    for s in chosen:
        own = locate(s.energy_ev, s.mu)
        step = normalise(s.energy_ev, s.mu, own.e0_ev, TRUTHS[truth]).edge_step
        mu += parts[s.name] * PchipInterpolator(s.energy_ev, s.mu)(energy) / step
    mu += noise * np.random.default_rng(seed).standard_normal(energy.size)
    return XasCurve("mixture", energy, mu, np.full(energy.size, noise))


def plain(sample: XasCurve, standards: Sequence[XasCurve]) -> FloatArray:
    """(p,) the baseline: everything normalised by itself, and non-negative least squares."""
    norm = locate(sample.energy_ev, sample.mu)
    inside = np.abs(sample.energy_ev - norm.e0_ev - 30) <= 50
    energy = sample.energy_ev[inside]
    columns = [np.interp(energy, s.energy_ev, locate(s.energy_ev, s.mu).flat) for s in standards]
    found, _ = nnls(np.column_stack(columns), norm.flat[inside])
    return np.asarray(found / found.sum())


def mixtures(data: Path, *, seeds: Sequence[int]) -> dict[str, Any]:
    """Errors of all fractions by mixture and noise: medians over seeds, and in esds."""
    standards = {}
    for path in sorted((data / "xasdatalibrary/Fe").glob("*.xdi")):
        measured = read_measured(path)
        standards[path.stem] = XasCurve(path.stem, measured.x, measured.y)
    rows: dict[str, Any] = {}
    for parts, noise, truth in product(CASES, NOISES, TRUTHS):
        label = " + ".join(f"{part:g} {name}" for name, part in parts.items())
        samples = [mix(standards, parts, noise, seed, truth) for seed in seeds]
        rows[f"{label}, noise {noise:g}, steps: {truth}"] = row(samples, standards, parts, noise)
    return {"by mixture": rows, **summary(list(rows.values()))}


def row(
    samples: Sequence[XasCurve],
    standards: dict[str, XasCurve],
    parts: dict[str, float],
    noise: float,
) -> dict[str, Any]:
    """One mixture at one noise, over its seeds."""
    names, truth = list(parts), np.array(list(parts.values()))
    chosen = [standards[name] for name in names]
    found = [combine(sample, chosen, edge="Fe K") for sample in samples]
    values = np.array([[f.fractions[n].value for n in names] for f in found])
    esds = np.array([[f.fractions[n].esd for n in names] for f in found])
    spread = np.array([[f.esd_normalisation[n] for n in names] for f in found])
    theirs = np.median([plain(sample, chosen) for sample in samples], axis=0)
    return {
        "noise": noise,
        "median": np.round(np.median(values, axis=0), 4).tolist(),
        "esd": np.round(np.median(esds, axis=0), 4).tolist(),
        "normalisation sd": np.round(np.median(spread, axis=0), 4).tolist(),
        "error": round(float(np.abs(np.median(values, axis=0) - truth).max()), 4),
        "baseline error": round(float(np.abs(theirs - truth).max()), 4),
        "within 2 esd": round(float(np.mean(np.abs(values - truth) <= 2 * esds)), 3),
        "normalisations": found[0].normalisations,
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over all mixtures, and over those of little noise."""
    firm = [row for row in rows if row["noise"] <= FIRM]
    ours, other = ([row[key] for row in rows] for key in ("error", "baseline error"))
    return {
        "median error": round(float(np.median(ours)), 4),
        "largest error": max(ours),
        "largest error up to 0.1 % noise": max(row["error"] for row in firm),
        "largest normalisation sd": max(max(row["normalisation sd"]) for row in rows),
        "within 2 esd": round(float(np.mean([row["within 2 esd"] for row in rows])), 3),
        "baseline": {
            "median error": round(float(np.median(other)), 4),
            "largest error": max(other),
            "largest error up to 0.1 % noise": max(row["baseline error"] for row in firm),
        },
        "largest error / baseline": round(max(ours) / max(other), 3),
    }
