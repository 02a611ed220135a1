"""Failures of a stop: missed peaks, wrong noise: for tests/benchmarks/stopping.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from stopping_runs import BUDGET, NOISES, ROBUST, Run, measure, share
from stopping_spectra import FAMILIES, PEAK_FWHM_EV, Planted

from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.protocols import StoppingRule

PLANTED = "pre-edge 0.6 eV"
FOUND = 0.5  # of a planted peak's height: less is a miss
NOISE_VARIANCES = (0.01, 0.1, 0.11, 0.25, 1.0, 4.0, 10.0)  # stated over true


def pre_edges(seeds: range) -> dict[str, Any]:
    """Share of planted 0.6 eV peaks that are not in the curve at the stop, by rule.

    silently : the rule stopped all the same; else a budget ended it, and its reason says why;
    unnamed : nor is the place of the peak in the reason, as that of a point off the curve
    """
    family, found = FAMILIES[PLANTED], {}
    rules: dict[str, StoppingRule] = {
        "robust": ROBUST,
        "robust without gates": rule_from_settings({"gates": False, **BUDGET}),
        "paper": rule_from_settings({"mode": "paper", **BUDGET}),
    }
    for name, rule in rules.items():
        many = [measure(family, s, NOISES[s % 2], rule) for s in seeds]
        lost = [missed(run, s) for s, run in zip(seeds, many, strict=True)]
        found[name] = {
            "peaks": len(seeds),
            "missed": share(lost),
            "silently": share(gone and r.in_budget for gone, r in zip(lost, many, strict=True)),
            "unnamed": share(
                gone and not named(r, s) for gone, r, s in zip(lost, many, seeds, strict=True)
            ),
            "points": float(np.median([r.points for r in many])),
        }
    return found


def missed(run: Run, seed: int) -> bool:
    """Return True if the posterior mean has less than half of the planted peak at its place."""
    planted = Planted.draw(np.random.default_rng([20, seed]))
    at = np.array([planted.at_ev])
    mean, _ = run.learner.posterior(at)
    return bool(float((mean - planted.bare(at))[0]) < FOUND * planted.height)


def named(run: Run, seed: int) -> bool:
    """Return True if the reason of the stop names a point on the planted peak."""
    planted = Planted.draw(np.random.default_rng([20, seed]))
    found = run.learner.evidence().quantities["max_residual_at"]
    return "off the curve" in run.reason and abs(found - planted.at_ev) <= PEAK_FWHM_EV


def wrong_noise(seeds: range) -> dict[str, Any]:
    """Noise variance stated wrongly: does the alarm sound, or does the certificate hold?"""
    found: dict[str, Any] = {}
    for factor in NOISE_VARIANCES:
        many = [
            measure(FAMILIES[name], s, 0.01, stated=factor**0.5)
            for name in ("xanes", "L2,3")
            for s in seeds
        ]
        held = [r.errors()["rmse"][0] <= r.certificate.rmse_bound for r in many]
        sounded = [r.certificate.alarm is not None for r in many]
        found[f"x{factor:g}"] = {
            "points": float(np.median([r.points for r in many])),
            "rmse_holds": share(held),
            "alarm": share(sounded),
            "alarm_or_holds": share(a or h for a, h in zip(sounded, held, strict=True)),
            "stopped_by_the_rule": share(r.in_budget for r in many),
        }
    return found
