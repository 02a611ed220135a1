"""What absorption says against what is true: numbers, fractions, peaks, certificate, edges.

    python tests/benchmarks/truth_xas.py [--quick] [--json] [--calibrate]

Numbers: simulated scans (truth_spectra) of thirteen edges, six lengths and four noises, analysed as
`materialsdock xas` does: error over combined standard deviation of E0, step, white line.
Fractions: mixtures of three simulated standards of one edge, all with noise of their own.
Peaks: pre-edge peaks of measurements that the learner steered and stopped, against the curve
without noise.  Certificate: the whole-range and the near-edge bound of the curve, on the same and
on measured spectra (../shared) replayed as jobs.  Edges: E0 of oxides of rising valence, simulated
and measured.  --calibrate prints what FACTORS of spectrum.normalisation_doubt are multiplied by,
from the other make of spectra and other seeds.  `results` and `targets` are what truth.py joins.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from stopping_measured import LIBRARY, on_measured
from truth_spectra import EDGES, Planted, lengths, planted

from materialsdock.campaign import build, prepare
from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.learning.stopping.certificate import local_bound
from materialsdock.learning.stopping.quantities import cell_widths
from materialsdock.model import Measured, Observation, Sample
from materialsdock.profile import config, siteroot
from materialsdock.techniques.xas.commands.analyse_spectrum import edge_of
from materialsdock.techniques.xas.mixture.combination import XasCurve, combine
from materialsdock.techniques.xas.spectrum.edge import find_edge
from materialsdock.techniques.xas.spectrum.sampling import NEAR_EV
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN

NOISES = (0.0, 3e-4, 1e-3, 3e-3, 1e-2)  # of the step
NUMBERS = ("e0", "edge_step", "white_line_height", "white_line_position")
KEPT = 0.03  # of the height of a pre-edge peak
SEEN = 3.0  # standard deviations of one point: less is the noise's own, clear of it is more
RATES_HZ = (1e5, 1e6, 1e7)  # of I0, a second a point
LARGEST = 700  # points, should the rule not stop
SERIES = {
    "Fe": ("FeO_rt_01", "Fe3O4_rt_01", "Fe2O3_rt_01"),
    "Mn": ("MnO_rt_01", "MnO2_rt_01"),
}
STEERED = ("Ti K", "Fe K", "Zn K", "Mo K")


# -- numbers of a scan --------------------------------------------------------------------------


def scan(
    of: Planted, ends: tuple[float, float], noise: float, rng: np.random.Generator
) -> XasCurve:
    """A scan of a planted spectrum through Si 111; noise : of one point, in steps."""
    energy = of.grid(*ends)
    mu = of.seen(energy) + noise * of.step * rng.standard_normal(energy.size)
    return XasCurve("scan", energy, mu)


def pulls(make: str, seeds: range) -> Iterator[dict[str, Any]]:
    """Error over combined sd of each number, with length and noise of the scan."""
    for seed in seeds:
        rng = np.random.default_rng([31, seed])
        of, ends, noise = planted(make, rng), lengths(rng), NOISES[seed % len(NOISES)]
        true = of.numbers()
        try:
            found, _ = edge_of(scan(of, ends, noise, rng), of.edge.name, NOTHING_CHOSEN)
        except InputError as fault:
            yield {"refused": str(fault)}
            continue
        errors = {n: (found.numbers[n].value - true[n], found.numbers[n]) for n in NUMBERS}
        yield {
            "length": ends[1],
            "noise": noise,
            **{n: error / known.esd for n, (error, known) in errors.items()},
            "systematic": {n: error / known.systematic for n, (error, known) in errors.items()},
            "relative step sd": found.numbers["edge_step"].esd / found.edge_step,
            "e0 sd": found.e0_sd_ev,
        }


def numbers(makes: Sequence[str], seeds: range) -> dict[str, Any]:
    """rms of the pulls and their share beyond 3, of all and by length."""
    rows = [row for make in makes for row in pulls(make, seeds)]
    good = [row for row in rows if "refused" not in row]

    def by(key: str, value: float) -> dict[str, float]:
        return {n: _rms([row[n] for row in good if row[key] == value]) for n in NUMBERS}

    return {
        "spectra": len(rows),
        "refused": [row["refused"] for row in rows if "refused" in row],
        "rms": {n: _rms([r[n] for r in good]) for n in NUMBERS},
        "beyond 3": {n: _share([abs(r[n]) > 3 for r in good]) for n in NUMBERS},
        "rms by length": {
            f"to +{length:g} eV": by("length", length)
            for length in sorted({row["length"] for row in good})
        },
        "rms by noise": {f"{100 * noise:g} %": by("noise", noise) for noise in NOISES},
        "median sd": {
            "E0 [eV]": round(float(np.median([r["e0 sd"] for r in good])), 3),
            "step [step]": round(float(np.median([r["relative step sd"] for r in good])), 4),
        },
    }


# -- fractions ----------------------------------------------------------------------------------


def fractions(makes: Sequence[str], seeds: range) -> dict[str, Any]:
    """Error over esd of the fractions of mixtures of three standards of one edge."""
    found = []
    for make in makes:
        for seed in seeds:
            rng = np.random.default_rng([32, seed])
            name, noise = str(rng.choice(EDGES)), NOISES[seed % len(NOISES)]
            pure = [planted(make, rng, name, valence) for valence in (4.0, 7.5, 11.0)]
            ends = (150.0, float(rng.choice((200.0, 400.0, 800.0))))
            parts = rng.dirichlet([1.0, 1.0, 1.0])
            energy = pure[0].grid(*ends)
            mu = sum(f * each.seen(energy) / each.step for f, each in zip(parts, pure, strict=True))
            mu = mu + noise * rng.standard_normal(energy.size)
            sample = XasCurve("mixture", energy, mu)
            standards = [
                replace(scan(each, ends, noise / 3, rng), name=f"standard {i}")
                for i, each in enumerate(pure)
            ]
            try:
                answer = combine(sample, standards, edge=name)
            except InputError:
                continue
            shares = [answer.fractions[each.name] for each in standards]
            found += [
                (share.value - part) / float(share.esd or np.inf)
                for share, part in zip(shares, parts, strict=True)
            ]
    return {"fractions": len(found), "rms": _rms(found), "beyond 3": _share(np.abs(found) > 3)}


# -- measurements that are steered --------------------------------------------------------------


def steered(makes: Sequence[str], seeds: range) -> dict[str, Any]:
    """Pre-edge peaks and bounds of measurements of the profile sim, up to their stop."""
    profile, rows = config.load("sim", siteroot.find()), []
    for make in makes:
        for name in STEERED:
            for seed in seeds:
                rng = np.random.default_rng([33, seed])
                of = planted(make, rng, name, 9.0, with_peak=True)
                energy = of.edge.energy_ev + np.arange(-60.0, 200.0, 0.5)
                job = prepare.job_for(
                    Measured("xas", energy, of.mu(energy)), Sample(name, "xas"), profile
                )
                rows.append(_measured(job, of, RATES_HZ[seed % len(RATES_HZ)], rng))
    peaks = [row["peak"] for row in rows]
    clear = [error for error, noise in peaks if noise <= KEPT]
    near = [row["near"] for row in rows]
    return {
        "measurements": len(rows),
        "points": float(np.median([row["points"] for row in rows])),
        "peaks": len(peaks),
        "peaks kept": _share([abs(error) <= max(KEPT, noise) for error, noise in peaks]),
        "peaks clear of the noise": len(clear),
        "clear peaks kept": _share(np.abs(clear) <= KEPT),
        "clear peaks, rms relative error": _rms(clear),
        "rmse within its bound": _share([row["rmse"] <= 1 for row in rows]),
        "near the edge within its bound": _share(np.array(near) <= 1),
        "near the edge, median error / bound": round(float(np.median(near)), 3),
    }


def _measured(job: Any, of: Planted, i0_hz: float, rng: np.random.Generator) -> dict[str, Any]:
    learner, rule = build.learner(job), build.rule(job)
    seconds = float(job.settings["learner"]["count_time_s"])
    evidence, lowest = learner.evidence(), float(of.mu(learner.axis.grid).min())
    for step in range(LARGEST):
        x = learner.ask().start
        mu = float(of.mu(np.array([x]))[0]) - lowest
        i0 = rng.poisson(i0_hz * seconds)
        it = max(rng.poisson(i0_hz * seconds * np.exp(-mu)), 1)
        y, sigma = float(np.log(i0 / it)), float(np.sqrt(1.0 / i0 + 1.0 / it))
        learner.tell([Observation(f"b/{step}", step, x, y, sigma, seconds, "b")])
        evidence = learner.evidence()
        if rule.judge(evidence).stop:
            break
    grid = learner.axis.grid
    mean, true = learner.posterior(grid)[0], of.mu(grid) - lowest
    off, width = np.abs(mean - true), cell_widths(grid)
    e0 = of.numbers()["e0"]
    local = local_bound(learner.present, evidence, (e0 + NEAR_EV[0], e0 + NEAR_EV[1]))
    near = (grid >= local.low) & (grid <= local.high)
    at_peak, error = (float(np.interp(of.peak_ev, grid, each)) for each in (true, mean - true))
    sigma = np.sqrt((1 + np.exp(at_peak)) / (i0_hz * seconds))
    height, q = of.peak * of.step, evidence.quantities
    return {
        "points": q["points"],
        "rmse": float(np.sqrt(width @ off**2 / width.sum())) / q["rmse_bound"],
        "near": float(off[near].max()) / local.bound,
        "peak": (error / height, float(SEEN * sigma / height)),
    }


# -- edges --------------------------------------------------------------------------------------


def edges(seeds: range) -> dict[str, Any]:
    """Share of series of rising valence whose E0 rises too, simulated and measured."""
    rising = []
    for seed in seeds:
        name = EDGES[seed % len(EDGES)]
        found = []
        for valence in (3.0, 5.0, 7.0, 9.0):
            rng = np.random.default_rng([34, seed])  # the same shape, only moved
            of = planted("oxide", rng, name, valence)
            curve = scan(of, (150.0, 400.0), 1e-3, rng)
            found.append(find_edge(curve.energy_ev, curve.mu))
        rising.append(found == sorted(found))
    measured = {}
    for element, names in SERIES.items():
        files = [LIBRARY / element / f"{name}.xdi" for name in names]
        if all(file.is_file() for file in files):
            spectra = [read_measured(file, "xas") for file in files]
            measured[element] = [round(find_edge(s.x, s.y), 2) for s in spectra]
    return {
        "series": len(rising),
        "rise": _share(rising),
        "measured E0 [eV]": measured,
        "measured rise": _share([e == sorted(e) for e in measured.values()]) if measured else None,
    }


# -- the report ---------------------------------------------------------------------------------


def results(quick: bool) -> dict[str, Any]:
    """All numbers."""
    began = time.perf_counter()
    makes = ("metal",) if quick else ("metal", "oxide")
    found: dict[str, Any] = {
        "numbers": numbers(makes, range(240 if quick else 400)),
        "fractions": fractions(makes, range(60 if quick else 200)),
        "steered": steered(makes, range(9 if quick else 15)),
        "edges": edges(range(13 if quick else 52)),
        "replayed": replayed(range(1 if quick else 3), quick),
    }
    return {**found, "seconds": round(time.perf_counter() - began, 1)}


def replayed(seeds: range, quick: bool) -> dict[str, Any] | None:
    """The certificate on measured spectra; None without them."""
    found = on_measured(seeds, every=2 if quick else 1)
    if not found:
        return None
    rmse, near = (
        [over for each in found.values() for over in each[key]]
        for key in ("rmse_over_bound", "near_over_bound")
    )
    return {
        "measurements": len(rmse),
        "rmse within its bound": _share([o <= 1 for o in rmse]),
        "near the edge within its bound": _share([o <= 1 for o in near]),
        "by spectrum": found,
    }


def targets(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what is asked of the numbers, and if they answer."""
    named = {
        "e0": "E0",
        "edge_step": "edge step",
        "white_line_height": "white line",
        "white_line_position": "place of the white line",
    }
    of, shares, kept = found["numbers"], found["fractions"], found["steered"]
    asked: list[tuple[str, float | None, float, float]] = []
    for name, words in named.items():
        asked.append((f"{words}: rms(error / combined sd)", of["rms"][name], 0.8, 1.2))
        asked.append((f"{words}: share beyond 3 sd", of["beyond 3"][name], 0.0, 0.01))
    asked += [
        ("fractions: rms(error / esd)", shares["rms"], 0.8, 1.2),
        ("fractions: share beyond 3 esd", shares["beyond 3"], 0.0, 0.01),
        ("share of pre-edge peaks kept within 3 % or the noise", kept["peaks kept"], 0.95, 1.0),
        ("share of those clear of the noise within 3 %", kept["clear peaks kept"], 0.95, 1.0),
        ("simulated: share of rmse within its bound", kept["rmse within its bound"], 0.95, 1.0),
        (
            "simulated: share of largest near-edge errors within their bound",
            kept["near the edge within its bound"],
            0.95,
            1.0,
        ),
        ("share of series whose E0 rises with valence", found["edges"]["rise"], 1.0, 1.0),
        ("measured series whose E0 rises with valence", found["edges"]["measured rise"], 1.0, 1.0),
    ]
    if found["replayed"] is not None:
        over = found["replayed"]
        whole, near = over["rmse within its bound"], over["near the edge within its bound"]
        asked += [
            ("measured, replayed: share of rmse within its bound", whole, 0.95, 1.0),
            ("measured, replayed: share of near-edge errors within their bound", near, 0.95, 1.0),
        ]
    return [
        {
            "name": name,
            "value": value,
            "target": f"{low:g} to {high:g}",
            "ok": bool(low <= value <= high),
        }
        for name, value, low, high in asked
        if value is not None
    ]


def calibrate(seeds: range) -> dict[str, Any]:
    """rms of error over systematic sd at the least noise, by which FACTORS are multiplied."""
    rows = [r for r in pulls("oxide", seeds) if "refused" not in r and r["noise"] == NOISES[0]]
    found = {n: _rms([row["systematic"][n] for row in rows]) for n in NUMBERS}
    return {**found, "spectra": len(rows)}


def _rms(values: Sequence[float]) -> float:
    return round(float(np.sqrt(np.mean(np.square(values)))), 3)


def _share(hits: Any) -> float:
    return round(float(np.mean(np.asarray(hits, dtype=float))), 4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer spectra, in two minutes")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--calibrate", action="store_true", help="print the factor and end")
    options = parser.parse_args()
    if options.calibrate:
        print(json.dumps(calibrate(range(10_000, 10_800)), indent=2))
        return
    found = results(options.quick)
    report = {"results": found, "targets": targets(found)}
    print(json.dumps(report) if options.json else json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
