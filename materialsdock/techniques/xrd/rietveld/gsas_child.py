"""Run by another process: one refinement with GSAS-II, from files to files (see gsas_engine).

    python gsas_child.py FOLDER

This file imports nothing of the project, so that it runs in any Python that has GSAS-II (3.10 or
later).  Units of GSAS-II: U, V, W are variances in centideg², X, Y are widths in centideg, the
sample shift is in µm and displacements are U in Å²; ours are widths in deg, mm and B.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

# the folder of this script must not hide modules that GSAS-II imports by their bare names
sys.path[:] = [p for p in sys.path if Path(p).resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402

PROTOCOL = 1
EIGHT_LN2 = 8 * math.log(2)
BISO_PER_U = 8 * math.pi**2
START_BISO = 0.5
CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
TOLD = ("Zero", "U", "V", "W", "X", "Y", "SH/L", "I(L2)/I(L1)")
WIDTHS = {"u": "U", "v": "V", "w": "W", "x": "X", "y": "Y"}
INSTRUMENT = {**WIDTHS, "axial": "SH/L", "kalpha2": "I(L2)/I(L1)"}
NO_AXIAL = 0.0005
START_AXIAL = 0.02
CYCLES = {"search": 5, "final": 20}


class BadInput(Exception):
    """An input to GSAS-II that cannot be refined."""


def load() -> Any:
    """The scripting module of GSAS-II, wherever this version keeps it."""
    try:
        from GSASII import GSASIIscriptable
    except ImportError:
        import GSASIIscriptable
    return GSASIIscriptable


def instrument_file(request: dict[str, Any]) -> str:
    """The text of an .instprm file."""
    d, recipe = request["diffractometer"], request["recipe"]
    lines, weights = d["wavelengths_angstrom"], d["weights"]
    width = 60.0 * recipe["fwhm_deg"]  # centideg
    u, v, w = (1e4 * each / EIGHT_LN2 for each in d.get("widths", ())[:3] or (0, 0, width**2 / 1e4))
    x, y = (100.0 * each for each in d.get("widths", ())[3:] or (0, 0))
    axial = sum(d.get("axial", ())) or (NO_AXIAL if recipe["axial"] == "off" else START_AXIAL)
    head = {"Type": "PXC", "Bank": 1.0}
    if len(lines) == 1:
        head["Lam"] = lines[0]
    else:
        head |= {"Lam1": lines[0], "Lam2": lines[1], "I(L2)/I(L1)": weights[1] / weights[0]}
    values = head | {
        "Zero": d.get("zero_deg", 0.0),
        "Polariz.": d["polarization"],
        "U": u,
        "V": v,
        "W": w,
        "X": x or (width if "x" in recipe["widths"] else 0.0),
        "Y": y,
        "Z": 0.0,
        "SH/L": axial,
        "Azimuth": 0.0,
    }
    rows = "".join(f"{key}:{value}\n" for key, value in values.items())
    return "#GSAS-II instrument parameter file\n" + rows


def project(scripting: Any, folder: Path, request: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """A project with the pattern and the phases, nothing free."""
    table = np.load(folder / "pattern.npz")
    columns = np.column_stack([table["two_theta"], table["intensity"], table["sigma"]])
    np.savetxt(folder / "pattern.xye", columns, fmt="%.9g")
    (folder / "machine.instprm").write_text(instrument_file(request))
    gpx = scripting.G2Project(newgpx=str(folder / "work.gpx"))
    hist = gpx.add_powder_histogram(
        str(folder / "pattern.xye"), str(folder / "machine.instprm"), fmthint="Topas xye"
    )
    if len(hist.getdata("x")) != len(columns):
        raise RuntimeError(f"GSAS-II read {len(hist.getdata('x'))} of {len(columns)} points")
    sample, d = hist.data["Sample Parameters"], request["diffractometer"]
    flat = d["geometry"] == "bragg_brentano"
    sample["Type"] = "Bragg-Brentano" if flat else "Debye-Scherrer"
    sample["Gonio. radius"] = d["radius_mm"]
    sample["Scale"] = [1.0, False]
    terms = request["recipe"]["background_terms"]
    first = float(np.percentile(table["intensity"], 15))
    hist.data["Background"][0] = ["chebyschev-1", False, terms, first, *[0.0] * (terms - 1)]
    broken = (scripting.G2ImportException, scripting.G2ScriptException)
    phases = [_phase(gpx, hist, folder, entry, broken) for entry in request["phases"]]
    return gpx, hist, phases


def _phase(
    gpx: Any, hist: Any, folder: Path, entry: dict[str, Any], broken: tuple[Any, ...]
) -> Any:
    try:
        phase = gpx.add_phase(
            str(folder / entry["cif"]), phasename=entry["name"], histograms=[hist], fmthint="CIF"
        )
    except broken as error:
        raise BadInput(f"GSAS-II cannot read the CIF of {entry['name']}: {error}") from error
    if not list(phase.atoms()):
        raise BadInput(f"GSAS-II finds no atoms in the CIF of {entry['name']}")
    for atom in phase.atoms():
        atom.adp_flag = "I"
        atom.uiso = START_BISO / BISO_PER_U
        atom.refinement_flags = ""
    here = phase.data["Histograms"][hist.name]
    here["Size"][1][0] = 10.0  # µm: no broadening of its own, it is in X
    here["Mustrain"][1][0] = 0.0
    if entry["axis"] is not None:
        here["Pref.Ori."][3] = list(entry["axis"])
    return phase


def free(group: str, gpx: Any, hist: Any, phases: list[Any], request: dict[str, Any]) -> None:
    """Let one group of parameters vary from here on."""
    recipe = request["recipe"]
    instrument, sample = hist.data["Instrument Parameters"][0], hist.data["Sample Parameters"]
    if group == "background":
        hist.data["Background"][0][1] = True
    elif group == "position" and recipe["position"] == "zero":
        instrument["Zero"][2] = True
    elif group == "position":
        sample["Shift"][1] = True
    elif group in INSTRUMENT:
        instrument[INSTRUMENT[group]][2] = True
    else:
        for phase, entry in zip(phases, request["phases"], strict=True):
            _free_in_phase(group, gpx, hist, phase, entry, recipe)


def _free_in_phase(
    group: str, gpx: Any, hist: Any, phase: Any, entry: dict[str, Any], recipe: dict[str, Any]
) -> None:
    here = phase.data["Histograms"][hist.name]
    atoms = list(phase.atoms())
    if group == "scale":
        here["Scale"][1] = True
    elif group == "cell":
        phase.data["General"]["Cell"][0] = True
    elif group == "preferred_orientation":
        here["Pref.Ori."][2] = entry["axis"] is not None
    elif group == "coordinates":
        for atom in atoms:
            atom.refinement_flags = "".join(sorted({*atom.refinement_flags, "X"}, reverse=True))
    elif group == "displacements":
        for atom in atoms:
            atom.refinement_flags = "".join(sorted({*atom.refinement_flags, "U"}))
        if recipe["displacements"] == "per_phase" and len(atoms) > 1:
            names = [f"{phase.data['pId']}::AUiso:{i}" for i in range(len(atoms))]
            gpx.add_EquivConstr(names)
    else:
        raise RuntimeError(f"no group of parameters {group!r}")


def refine(gpx: Any, hist: Any, phases: list[Any], request: dict[str, Any]) -> None:
    """Warm-up range first, stage by stage; then the whole range with everything free."""
    recipe, x = request["recipe"], hist.getdata("x")
    whole = [float(min(x)), float(max(x))]
    low, high = recipe["warmup_deg"]
    hist.data["Limits"][1] = [max(low, whole[0]), min(high, whole[1])]
    gpx.set_Controls("cycles", CYCLES["search"])
    for stage in request["stages"]:
        for group in stage:
            free(group, gpx, hist, phases, request)
        gpx.refine()
    hist.data["Limits"][1] = whole
    gpx.set_Controls("cycles", CYCLES[recipe["effort"]])
    gpx.refine()


def answer(gpx: Any, hist: Any, phases: list[Any]) -> tuple[dict[str, Any], Any]:
    """Return the final state of GSAS-II, in its own words and units, and the covariance matrix."""
    cov = gpx.data["Covariance"]["data"]
    if not cov or not len(cov.get("varyList", ())):
        raise RuntimeError("GSAS-II refined nothing")
    instrument, sample = hist.data["Instrument Parameters"][0], hist.data["Sample Parameters"]
    said = {
        "protocol": PROTOCOL,
        "version": version(),
        "vary": list(cov["varyList"]),
        "sig": [float(s) for s in cov["sig"]],
        "instrument": {k: float(v[1]) for k, v in instrument.items() if k in TOLD},
        "shift": float(sample["Shift"][0]) if "Shift" in sample else None,
        "background": [float(c) for c in hist.data["Background"][0][3:]],
        "histogram": hist.id,
        "phases": [phase_answer(hist, phase) for phase in phases],
        "converged": bool(cov.get("Rvals", {}).get("converged", True)),
    }
    return said, np.asarray(cov["covMatrix"], dtype=float)


def phase_answer(hist: Any, phase: Any) -> dict[str, Any]:
    """Scale, texture, cell and atoms of one phase."""
    here, general = phase.data["Histograms"][hist.name], phase.data["General"]
    cell, errors = phase.get_cell_and_esd()
    return {
        "number": phase.data["pId"],
        "space_group": general["SGData"]["SpGrp"],
        "mass": float(general["Mass"]),
        "scale": float(here["Scale"][0]),
        "march": float(here["Pref.Ori."][1]),
        "cell": [float(cell[key]) for key in CELL],
        "cell_esd": [float(errors.get(key) or 0.0) for key in CELL],
        "atoms": [
            {"label": a.label, "xyz": [float(v) for v in a.coordinates], "uiso": float(a.uiso)}
            for a in phase.atoms()
        ],
    }


def version() -> str:
    """The version of GSAS-II."""
    try:
        from GSASII import GSASIIpath
    except ImportError:
        import GSASIIpath
    return str(GSASIIpath.GetVersionNumber())


def ticks(hist: Any, phases: list[Any], lines: list[float]) -> dict[str, np.ndarray]:
    """2θ [deg] of each phase's reflections in every emission line."""
    found = {}
    for i, phase in enumerate(phases):
        table = np.asarray(hist.reflections()[phase.name]["RefList"], dtype=float)
        d, at = table[:, 4], table[:, 5]
        angle = [2 * np.degrees(np.arcsin(np.clip(w / (2 * d), 0, 1))) for w in lines]
        found[f"ticks_{i}"] = np.concatenate([at + a - angle[0] for a in angle])
    return found


def run(folder: Path) -> dict[str, Any]:
    """The whole refinement; arrays.npz is written here, the answer is returned."""
    request = json.loads((folder / "request.json").read_text())
    if request["protocol"] != PROTOCOL:
        raise RuntimeError(f"asked in protocol {request['protocol']}, this is {PROTOCOL}")
    gpx, hist, phases = project(load(), folder, request)
    refine(gpx, hist, phases, request)
    said, covariance = answer(gpx, hist, phases)
    curves = {"y_calc": hist.getdata("ycalc"), "y_background": hist.getdata("background")}
    arrays: dict[str, Any] = {
        name: np.asarray(np.ma.filled(y, np.nan), dtype=float) for name, y in curves.items()
    }
    lines = request["diffractometer"]["wavelengths_angstrom"]
    arrays |= {"covariance": covariance, **ticks(hist, phases, lines)}
    np.savez(folder / "arrays.npz", **arrays)
    return said


def main() -> None:
    """Write FOLDER/answer.json; what GSAS-II raises ends the process, and its parent says so."""
    folder = Path(sys.argv[1])
    try:
        said = run(folder)
    except BadInput as error:
        said = {"error": {"kind": "input", "message": str(error)}}
    (folder / "answer.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
