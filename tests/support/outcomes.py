"""Outcomes such as a campaign makes, of both techniques."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import packed
from materialsdock.model import Decision, Job, Outcome, Parameter, Proposal, Sample, Trial, Verdict
from materialsdock.techniques.xas.analysis import Found as Absorbed
from materialsdock.techniques.xas.model import EdgeFit
from materialsdock.techniques.xrd.analysis import Found as Refined
from materialsdock.techniques.xrd.model import Fit, PhaseFit


def with_found(outcome: Outcome, **changes) -> Outcome:
    """The outcome with changes to what its technique found."""
    return replace(outcome, found=replace(outcome.found, **changes))


HOSTILE = "<img src=x onerror=alert(1)>\"'&$\\frac{$"
VOID = {"meta", "br", "img", "link", "input", "hr"}
WAVELENGTH = 1.540593


# --- outcomes such as a campaign makes ------------------------------------------------------


def decisions(technique: str, steps: int, sweeps: int) -> tuple[Decision, ...]:
    rng = np.random.default_rng(3)
    made = []
    for step in range(steps):
        lam = None if step < 10 else float(np.exp(-3.2 * step / steps) * rng.lognormal(0, 0.12))
        last = step == steps - 1
        lam = 0.043 if last else lam
        start = 10.0 + 90.0 * (step * sweeps % steps) / steps
        made.append(
            Decision(
                step=step,
                proposal=Proposal(
                    start,
                    start + (1.0 if technique == "xrd" else 0.0),
                    0.2,
                    points=50 if technique == "xrd" else 1,
                    sweep=step * sweeps // steps,
                ),
                observations=(f"run/{step}",),
                verdict=Verdict(last, "λ 0.043 ≤ 0.05" if last else "λ above 0.05", lam, 0.05),
                lambda_t=lam,
                s=0.1,
                z2=float(rng.chisquare(1)),
                mean=1.0,
                sd=0.1,
                hyperparameters={"lengthscale": 1.0},
                seconds_measured=12.0 * (step + 1),
                seconds_deciding=float(rng.lognormal(-6, 0.4)),
            )
        )
    return tuple(made)


def hexagonal_reflections(a: float, c: float, limit: float) -> np.ndarray:
    h, k, m = np.meshgrid(np.arange(7), np.arange(7), np.arange(16), indexing="ij")
    inverse2 = 4 / 3 * (h * h + h * k + k * k) / a**2 + m * m / c**2
    sine = WAVELENGTH / 2 * np.sqrt(inverse2[inverse2 > 0])
    two_theta = 2 * np.degrees(np.arcsin(sine[sine < 1]))
    return np.unique(np.round(two_theta[(two_theta > 20) & (two_theta < limit)], 3))


def diffraction_outcome(points: int = 6000, name: str = "cpd-1e") -> Outcome:
    rng = np.random.default_rng(1)
    x = np.linspace(10.0, 110.0, points)
    ticks = {
        "corundum": hexagonal_reflections(4.759, 12.993, 110),
        "zincite": hexagonal_reflections(3.2501, 5.2071, 110),
    }
    background = 60 * np.exp(-x / 25) + 8
    truth = background.copy()
    for row, positions in enumerate(ticks.values()):
        height = rng.gamma(0.6, 160.0 / (1 + row), positions.size)
        for at, peak in zip(positions, height, strict=True):
            width = 0.05 + 0.0007 * at
            truth += peak / (1 + ((x - at) / width) ** 2)
    time = np.full(x.size, 0.2)
    for level in (1.0, 1.5, 2.0, 2.5):
        time += 0.35 * (np.convolve(truth / background, np.ones(40) / 40, "same") > level + 0.3)
    counts = rng.poisson(truth * time)
    intensity, sigma = counts / time, np.sqrt(truth / time)
    fit = Fit(
        rwp=8.314,
        r_exp=6.021,
        gof=1.381,
        n_points=points,
        n_free=23,
        phases=(
            phase("corundum", "R -3 c", 4.75912, 12.99301, 78.3),
            phase("zincite", "P 63 m c", 3.25013, 5.20712, 21.7),
        ),
        parameters=(
            Parameter("zero", 0.01234, 0.0021, "deg"),
            Parameter("corundum.scale", 1.2345e-5, 2.1e-8),
            Parameter("polarization", 0.5),
        ),
        y_calc=truth,
        y_background=background,
        ticks=ticks,
        recipe={"background": {"type": "chebyshev", "terms": 6}, "limits": [10.0, 110.0]},
        engine="rietx 1.10.0",
        seconds=12.0,
    )
    trials = tuple(
        Trial(i, i % 3, None, {}, "fail", "killed after 60 s")
        if i % 11 == 5
        else Trial(
            i, i % 3, float(8.314 + 20 * rng.random() ** 4 * math.exp(-i / 40)), {}, "complete"
        )
        for i in range(90)
    )
    curve = Pattern(x, truth + 0.3 * sigma * rng.normal(size=x.size), 0.5 * sigma, time)
    return Outcome(
        job=Job(
            "20251121-031500-cpd1e-a1b2", Sample(name, "xrd", 3), {"axis": {"grid": [1, 2.5]}}, 7
        ),
        decisions=decisions("xrd", 150, 5),
        summary={
            "points_measured": 1834,
            "points_full_scan": points,
            "seconds_measured": 2185.0,
            "seconds_full_scan": 5751.0,
            "full_time_s": 1.0,
            "lambda_final": 0.043,
            "threshold": 0.05,
            "stop_reason": "λ 0.043 ≤ 0.05, and every other check holds",
        },
        measured=Pattern(x, intensity, sigma, time),
        found=Refined(fit, trials),
        curve=curve,
    )


def phase(name: str, space_group: str, a: float, c: float, weight: float) -> PhaseFit:
    cell = {
        "a": Parameter("a", a, 0.00021),
        "b": Parameter("b", a, 0.00021),
        "c": Parameter("c", c, 0.0006),
        "alpha": Parameter("alpha", 90.0),
        "beta": Parameter("beta", 90.0),
        "gamma": Parameter("gamma", 120.0),
    }
    return PhaseFit(name, space_group, cell, weight, 0.4)


def absorption_outcome() -> Outcome:
    rng = np.random.default_rng(2)
    energy = np.concatenate(
        [np.arange(7000, 7100, 2.0), np.arange(7100, 7160, 0.25), np.arange(7160, 7600, 2.0)]
    )
    after = np.clip(energy - 7112.0, 0, None)
    step = 0.5 + np.arctan((energy - 7112.4) / 1.6) / np.pi
    flat = step * (1 + 0.35 * np.exp(-(((energy - 7120) / 6) ** 2)))
    flat += 0.06 * np.sin(after**0.5 * 2.1) * np.exp(-after / 140)
    pre, post = 0.42 - 2.5e-4 * (energy - 7112), 1.43 - 3.0e-4 * (energy - 7112)
    mu = pre + flat * (post - pre)
    chosen = np.sort(rng.choice(energy.size, 96, replace=False))
    sigma = np.full(chosen.size, 0.006)
    return Outcome(
        job=Job("20251121-041500-Fe2O3-c3d4", Sample("Fe₂O₃ 試料", "xas", 4), {}, 11),
        decisions=decisions("xas", 72, 14),
        summary={
            "points_measured": 96,
            "points_full_scan": 412,
            "seconds_measured": 190.0,
            "seconds_full_scan": 700.0,
            "threshold": 0.05,
            "lambda_final": 0.043,
            "stop_reason": "λ 0.043 ≤ 0.05",
            "rmse_vs_replay": 0.0081,
        },
        measured=Spectrum(energy[chosen], mu[chosen] + sigma * rng.normal(size=96), sigma),
        found=Absorbed(
            EdgeFit(
                7112.413,
                0.083,
                1.0103,
                0.0042,
                energy,
                flat,
                pre,
                post,
                ("pre-edge range is short",),
            )
        ),
        curve=Spectrum(energy, mu, np.full(energy.size, 0.004)),
    )


# --- in a ledger ----------------------------------------------------------------------------


def kept_in(ledger: Ledger, outcome: Outcome) -> str:
    job = outcome.job
    ledger.add_job(job)
    for decision in outcome.decisions:
        ledger.add_decision(job.job_id, decision)
    ledger.add_outcome(job.job_id, packed(outcome))
    return job.job_id
