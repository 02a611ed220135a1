"""Absorption analysis on measured spectra and on mixtures and moments of known answer.

    python tests/benchmarks/xas_analysis.py [--quick] [--json]

First shells: FeO and Cu (FEFF paths of xraylarch's examples); distances they are compared with are
2.107 Å for FeO, by xraylarch's own fit of two paths to the same spectrum, and a/√2 with a = 3.603 Å
(10 K) and 3.6149 Å (room temperature) for Cu.  Baselines: default settings, and the trial with the
least R-factor in its own window.  Mixtures: measured Fe standards, summed by their own edge steps,
each found by its own default normalisation or by straight lines; baseline: every spectrum
normalised by itself, non-negative least squares.  Choice: mixtures offered more candidates than
they hold, made of the same scans or of another scan of a candidate; baseline: non-negative least
squares on all of them.
XMCD: made L3,2 spectra with moments of bulk iron, and one measured pair of iron (PF BL-16A), beside
bulk iron (1.98 and 0.085 µ_B) and with how far its moments move with the background.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from xas_choice import choices
from xas_dichroism import TRUE, dichroism
from xas_mixtures import mixtures
from xas_shells import CASES, shells, traps

from materialsdock.formats import read_measured
from materialsdock.techniques.xas.spectrum.edge import find_edge

DATA = Path(__file__).parents[3] / "shared/data/xas"
SERIES = {
    "Fe": ("Fe_Foil_rt_2016Foils", "FeO_rt_01", "Fe3O4_rt_01", "Fe2O3_rt_01"),
    "Mn": ("MnO_rt_01", "MnO2_rt_01"),
}
REPEATS = {
    "MnO": ("MnO_rt_01", "MnO_rt_02", "MnO_rt_03"),
    "MnO2": ("MnO2_rt_01", "MnO2_rt_02", "MnO2_rt_03"),
}


def edges() -> dict[str, Any]:
    """E0 [eV] of the standards by series of rising oxidation, and over repeated scans."""

    def at(element: str, name: str) -> float:
        measured = read_measured(DATA / "xasdatalibrary" / element / f"{name}.xdi")
        return round(find_edge(measured.x, measured.y), 2)

    series = {element: {n: at(element, n) for n in names} for element, names in SERIES.items()}
    repeats = {
        name: float(np.ptp([at("Mn", scan) for scan in scans])) for name, scans in REPEATS.items()
    }
    rising = all(list(found.values()) == sorted(found.values()) for found in series.values())
    return {
        "e0_ev": series,
        "rise with oxidation": rising,
        "range over 3 repeated scans [eV]": {k: round(v, 3) for k, v in repeats.items()},
    }


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """List what is asked of the numbers, and if they answer."""
    shell, mixed, choice, moments = (
        results[name] for name in ("first shell", "mixtures", "choice", "xmcd")
    )
    shell = {name: shell[name] for name in CASES}
    feo, cu, warm = shell.values()
    asked = [
        (
            "E0 of standards rises with oxidation (1: yes)",
            float(results["edges"]["rise with oxidation"]),
            ">=",
            1,
        ),
        (
            "E0 over repeated scans: range [eV]",
            max(results["edges"]["range over 3 repeated scans [eV]"].values()),
            "<=",
            0.1,
        ),
        ("Cu 10 K: |R - 2.5478| [Å]", abs(cu["R"]["from reference"]), "<=", 0.005),
        ("Cu 10 K: |R - 2.5478| in sd", abs(cu["R"]["from reference"]) / cu["R"]["sd"], "<=", 2),
        ("FeO: |R - 2.107| [Å]", abs(feo["R"]["from reference"]), "<=", 0.03),
        ("FeO: |R - 2.107| in sd", abs(feo["R"]["from reference"]) / feo["R"]["sd"], "<=", 2),
        ("Cu 300 K: |R - 2.5561| [Å]", abs(warm["R"]["from reference"]), "<=", 0.005),
        (
            "Cu 300 K: |R - 2.5561| in sd",
            abs(warm["R"]["from reference"]) / warm["R"]["sd"],
            "<=",
            2,
        ),
        *(
            (
                f"{name}: range of R over seeds / sd",
                each["R"]["range over seeds"] / each["R"]["sd"],
                "<=",
                1,
            )
            for name, each in shell.items()
        ),
        *(
            (
                f"{name}: misfit found / at default settings",
                each["misfit"]["best / default"],
                "<=",
                1,
            )
            for name, each in shell.items()
        ),
        (
            "wrong paths accepted, share",
            results["traps"]["accepted"] / results["traps"]["of"],
            "<=",
            0.1,
        ),
        (
            "mixtures: largest error, medians over seeds, noise up to 0.1 % of the step",
            mixed["largest error up to 0.1 % noise"],
            "<=",
            0.01,
        ),
        (
            "mixtures: largest error, medians over seeds, noise 0.3 % of the step",
            mixed["largest error"],
            "<=",
            0.01,
        ),
        (
            "mixtures: largest normalisation spread (sd)",
            mixed["largest normalisation sd"],
            "<=",
            0.01,
        ),
        ("mixtures: share of errors within 2 esd", mixed["within 2 esd"], ">=", 0.9),
        ("mixtures: largest error / baseline's", mixed["largest error / baseline"], "<=", 1),
        (
            "choice, same scans: share of mixtures with an absent standard in",
            choice["same scans"]["absent but in"],
            "<=",
            0.1,
        ),
        (
            "choice, same scans: share of mixtures with a true one left out",
            choice["same scans"]["true but out"],
            "<=",
            0.1,
        ),
        (
            "choice, another scan: share of mixtures with an absent standard above 1 %",
            choice["other scans"]["absent above 1 %"],
            "<=",
            0.1,
        ),
        (
            "choice, another scan: share of mixtures with a true one left out",
            choice["other scans"]["true but out"],
            "<=",
            0.1,
        ),
        (
            "xmcd, made: largest |error| of m_spin, m_orb in sd",
            moments["made"]["largest pull"],
            "<=",
            2,
        ),
        (
            "xmcd, made: relative error of m_spin",
            moments["made"]["m_spin_eff"]["relative error"],
            "<=",
            0.05,
        ),
        *(
            (
                f"xmcd, measured: |{name} - {true}| of bulk iron in sd",
                moments["measured"]["from bulk iron in sd"][name],
                "<=",
                2,
            )
            for name, true in TRUE.items()
        ),
        (
            "xmcd, measured: background named when it moves m_spin > 10 % (1: yes)",
            float(moments["measured"]["honest"]),
            ">=",
            1,
        ),
    ]
    return [
        {
            "name": name,
            "value": round(float(value), 4),
            "target": f"{sign} {limit:g}",
            "ok": bool(value <= limit if sign == "<=" else value >= limit),
        }
        for name, value, sign, limit in asked
    ]


def measure(quick: bool) -> dict[str, Any]:
    """All results."""
    began = time.perf_counter()
    found: dict[str, Any] = {
        "edges": edges(),
        "first shell": shells(DATA, trials=40 if quick else 100, seeds=range(3 if quick else 5)),
        "traps": traps(DATA, trials=10 if quick else 40, seeds=range(2 if quick else 3)),
        "mixtures": mixtures(DATA, seeds=range(3 if quick else 10)),
        "choice": choices(DATA, seeds=range(2 if quick else 6)),
        "xmcd": dichroism(DATA, seeds=range(5 if quick else 20)),
    }
    return {**found, "seconds": round(time.perf_counter() - began, 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer trials and seeds")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    if not DATA.is_dir():
        report = {"results": {}, "targets": [], "skipped": "the measured spectra are not here"}
    else:
        results = measure(options.quick)
        report = {"results": results, "targets": targets(results)}
    print(json.dumps(report) if options.json else json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
