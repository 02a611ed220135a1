"""Learning to learn: trials to the target over a series of samples, cold against warm.

    python tests/benchmarks/warm_start.py [--quick] --json

Series of patterns measured on one instrument: a simulated one (gemmi intensities; angle-dependent
pseudo-Voigt lines with axial tails, a displaced sample, humps of its holder), and the single phases
and mixtures of the IUCr round robin where the measured data lie beside the checkout.  Every
sample is searched twice with equal seeds and equal numbers of trials: cold, and warm with what
the warm searches before it in the series left behind.  The target is within 0.5 % of the best
objective that any search of this sample found; a search that never gets there counts one trial
more than it had.  Numbers are medians over seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gemmi
import numpy as np
from support.places import SHARED
from support.structures import _lines

from materialsdock.errors import MaterialsDockError
from materialsdock.formats import read_measured
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.optimisation.processes import in_order
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.search import search
from materialsdock.techniques.xrd.search.warm_start import first_parameters, recalled, remembered
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, ZINCITE

CU = Diffractometer()
WITHIN = 0.005
SIMULATED = (
    ("fluorite", {FLUORITE: 1.0}),
    ("zincite", {ZINCITE: 1.0}),
    ("corundum", {CORUNDUM: 1.0}),
    ("LaB6", {LAB6: 1.0}),
    ("fluorite and zincite", {FLUORITE: 0.7, ZINCITE: 0.3}),
)
ROUND_ROBIN = (
    ("corundum", (CORUNDUM,)),
    ("fluorite", (FLUORITE,)),
    ("zincite", (ZINCITE,)),
    ("cpd-1e", (CORUNDUM, ZINCITE, FLUORITE)),
    ("cpd-1g", (CORUNDUM, ZINCITE, FLUORITE)),
)


def line(two_theta, angle):
    """One reflection of the instrument: displaced, broadened with angle, with an axial tail."""
    theta = np.radians(angle / 2)
    tan = np.tan(theta)
    fwhm = np.sqrt(0.006 * tan**2 - 0.004 * tan + 0.008) + 0.02 / np.cos(theta)
    at = angle - 0.06 * np.cos(theta)
    tail = 1 + 1.5 * np.exp(-angle / 25)
    width = np.where(two_theta < at, fwhm * tail, fwhm)
    z = 2 * (two_theta - at) / width
    eta = np.clip(0.3 + 0.004 * angle, 0, 1)
    return (eta / (1 + z**2) + (1 - eta) * np.exp(-np.log(2) * z**2)) / fwhm


def simulated(mixture, seed):
    """Counts of a mixture {structure: weight} on this instrument."""
    two_theta = np.arange(20.0, 95.0, 0.06)
    y = np.zeros(two_theta.size)
    for structure, weight in mixture.items():
        crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(structure.cif)[0])
        mass = sum(s.element.weight for s in crystal.get_all_unit_cell_sites())
        for angle, area in _lines(crystal, two_theta[-1]):
            y += weight / (mass * crystal.cell.volume) * area * line(two_theta, angle)
    humps = ((24, 2.5, 150), (43, 1.5, 90), (63, 4.0, 70))  # of the holder and its glue
    background = 40 + 1e3 * np.exp(-two_theta / 8)
    for at, width, height in humps:
        background += height * np.exp(-0.5 * ((two_theta - at) / width) ** 2)
    rate = 6e3 * y / y.max() + background
    counts = np.random.default_rng(seed).poisson(rate).astype(float)
    return Pattern(two_theta, counts, np.sqrt(np.maximum(counts, 1)), np.ones(counts.size))


def measured(name):
    """A pattern of the round robin, 20-110°, every third point."""
    found = read_measured(SHARED / "xrd" / "iucr_qpa" / f"{name}.prn", "xrd")
    keep = (found.x > 20) & (found.x < 110)
    x, y = found.x[keep][::3], found.y[keep][::3]
    return Pattern(x, y, np.sqrt(np.maximum(y, 1)), np.ones(x.size))


class Serial:
    """An executor that calls here, one after the other, in the order of a pool of one."""

    workers = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, function, arguments, *, ahead=0, time_limit_s=None):
        def outcome(item):
            try:
                return function(*item)
            except MaterialsDockError as error:
                return error

        depth = self.workers + ahead
        return in_order(arguments, depth, submit=tuple, outcome=outcome, cancel=lambda item: None)


class Remembering:
    """rietx, asked once for each recipe: the final fits of a search are not what is timed here."""

    name = "rietx"

    def __init__(self):
        self.engine, self.fits = RietxEngine(), {}

    def refine(self, pattern, structures, diffractometer, recipe):
        key = json.dumps({**recipe, "effort": "search"}, sort_keys=True)
        if key not in self.fits:
            self.fits[key] = self.engine.refine(pattern, structures, diffractometer, recipe)
        return self.fits[key]


def searched(pattern, structures, seed, trials, first):
    """The trials of one search of one seed."""
    options = {"trials": trials, "seeds": (seed,), "patience": None, "hold_out": False}
    with Serial() as executor:
        return search(
            pattern,
            structures,
            CU,
            **options,
            first=first,
            engine=Remembering(),
            executor=executor,
        ).trials


def course(trials):
    """(n,) the best acceptable objective after each trial."""
    good = [t.objective if t.objective and not t.violations else np.inf for t in trials]
    return np.minimum.accumulate(good)


def series(samples, seeds, trials, recipes):
    """For each sample: the courses of cold and warm searches, (seeds, trials) each."""
    found = [{"sample": name, "cold": [], "warm": []} for name, *_ in samples]
    for seed in seeds:
        past = []
        for row, (_, structures, pattern) in zip(found, samples, strict=True):
            space = SearchSpace.of(pattern, structures, CU)
            learned = first_parameters(map(recalled, past), space, CU, count=recipes, seed=seed)
            warm = searched(pattern, structures, seed, trials, learned)
            cold = searched(pattern, structures, seed, trials, ()) if past else warm
            past.append(json.loads(json.dumps(remembered(pattern, CU, warm))))
            row["cold"].append(course(cold))
            row["warm"].append(course(warm))
    return found


def told(row):
    """Medians over seeds of the trials to the target, and how far the best stays behind."""
    best = min(np.min(row["cold"]), np.min(row["warm"]))
    report = {"sample": row["sample"], "best_objective": float(best)}
    for kind in ("cold", "warm"):
        courses = np.array(row[kind])
        reached = courses <= best * (1 + WITHIN)
        to_target = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, courses.shape[1] + 1)
        behind = 100 * (np.median(courses, axis=0) / best - 1)
        report[f"{kind}_trials_to_target"] = float(np.median(to_target))
        report[f"{kind}_each_seed"] = to_target.tolist()
        report[f"{kind}_percent_behind_after"] = {
            str(n): float(behind[n - 1]) for n in (1, 5, 10, courses.shape[1])
        }
    return report


def summary(rows):
    """The series as a whole: the first sample has no past, the rest has."""
    later = rows[1:]
    cold = [r["cold_trials_to_target"] for r in later]
    warm = [r["warm_trials_to_target"] for r in later]
    after = str(10)
    return {
        "samples": rows,
        "cold_median": float(np.median(cold)),
        "warm_median": float(np.median(warm)),
        "warm_over_cold": float(np.sum(warm) / np.sum(cold)),
        "samples_where_warm_is_slower": int(np.sum(np.array(warm) > cold)),
        "warm_by_place": [r["warm_trials_to_target"] for r in rows],
        "cold_by_place": [r["cold_trials_to_target"] for r in rows],
        "behind_after_10_cold": float(
            np.median([r["cold_percent_behind_after"][after] for r in later])
        ),
        "behind_after_10_warm": float(
            np.median([r["warm_percent_behind_after"][after] for r in later])
        ),
    }


def measure(quick):
    seeds, trials, recipes = range(3), (20 if quick else 40), (8 if quick else 12)
    began = time.perf_counter()
    made = [
        (name, tuple(mixture), simulated(mixture, seed=i))
        for i, (name, mixture) in enumerate(SIMULATED[:3] if quick else SIMULATED)
    ]
    results = {"seeds": len(seeds), "trials": trials, "recipes": recipes}
    results["simulated"] = summary([told(row) for row in series(made, seeds, trials, recipes)])
    if not quick and (SHARED / "xrd" / "iucr_qpa").is_dir():
        real = [(name, structures, measured(name)) for name, structures in ROUND_ROBIN]
        results["round_robin"] = summary(
            [told(row) for row in series(real, seeds, trials, recipes)]
        )
    results["seconds"] = time.perf_counter() - began
    return results


def targets(results):
    listed = []
    for name in ("simulated", "round_robin"):
        if name not in results:
            continue
        found = results[name]
        last = found["warm_by_place"][-1] / found["cold_by_place"][-1]
        for what, value, target in (
            ("trials to target, warm over cold, all with a past", found["warm_over_cold"], 0.7),
            ("trials to target, warm over cold, last of the series", last, 0.7),
            ("samples where warm is slower", found["samples_where_warm_is_slower"], 0),
        ):
            ok = bool(value <= target)
            listed.append({"name": f"{name}: {what}", "value": value, "target": target, "ok": ok})
    return listed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 simulated samples, 20 trials")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    results = measure(given.quick)
    report = {"results": results, "targets": targets(results)}
    print(json.dumps(report, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
