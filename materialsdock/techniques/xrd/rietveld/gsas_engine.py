"""GSAS-II behind our words, when the user has it; it runs in a process of its own.

Nothing here imports GSAS-II: a child script (gsas_child.py) does, in whatever interpreter has it,
and talks through files in a folder that is thrown away.

    request.json, pattern.npz, phase_0.cif, ...   ->   answer.json, arrays.npz
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.rietveld import gsas_answer
from materialsdock.techniques.xrd.rietveld.contacts import too_short
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.rietveld.limits import check_pattern, check_structures, envelope
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace, completed, stages

CHILD = Path(__file__).with_name("gsas_child.py")
PROTOCOL = 1
MODULES = ("GSASII", "GSASIIscriptable")  # the package, and the loose modules of old versions
PROBE = (
    "import importlib.util as u, sys; "
    f"sys.exit(0 if any(u.find_spec(name) for name in {MODULES!r}) else 3)"
)
PROBE_LIMIT_S = 20.0
LAST_WORDS = 400


class GsasEngine:
    """Satisfies engine.RefinementEngine.

    python : interpreter that can import GSAS-II; None: the present one
    time_limit_s : wall clock of one refinement, then the child and its children are killed
    child : the script at the other end of the file protocol
    """

    name: str = "gsas2"

    def __init__(
        self, *, python: Path | None = None, time_limit_s: float = 300.0, child: Path = CHILD
    ) -> None:
        self.python = python
        self.time_limit_s = time_limit_s
        self.child = child

    def missing(self) -> str:
        """Say why GSAS-II cannot be used here, "" when it can."""
        if self.python is None:
            if any(importlib.util.find_spec(name) for name in MODULES):
                return ""
            return "GSAS-II is not installed for this Python"
        try:
            found = subprocess.run(
                [self.python, "-c", PROBE], capture_output=True, timeout=PROBE_LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{self.python} cannot be run: {error}"
        return "" if found.returncode == 0 else f"GSAS-II is not installed for {self.python}"

    def refine(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
    ) -> Fit:
        """Refine once; R factors are recomputed here on all points of `pattern`.

        What the recipe leaves out is taken from `default_recipe`.  Raises InputError for data,
        structures or recipes that cannot be refined, ModelFault when GSAS-II fails, answers
        nonsense or takes too long.
        """
        began = time.perf_counter()
        check_structures(structures)
        _check_origins(structures)
        check_pattern(pattern, diffractometer.fwhm_deg)
        default = SearchSpace.of(pattern, structures, diffractometer).default()
        full = completed(recipe, default)
        if len(diffractometer.wavelengths_angstrom) > 2:
            raise InputError(
                f"{len(diffractometer.wavelengths_angstrom)} emission lines, GSAS-II takes two",
                where="diffractometer",
                remedy="name Kα1 and Kα2 only",
            )
        fixed = _fixed_background(pattern, full)
        with tempfile.TemporaryDirectory(prefix="gsas2-") as name:
            folder = Path(name)
            net = replace(pattern, intensity=pattern.intensity - fixed)
            _ask(folder, net, structures, diffractometer, full)
            self._run(folder)
            said, arrays = _answer(folder, pattern.intensity.size)
        arrays |= {name: arrays[name] + fixed for name in ("y_calc", "y_background")}
        fit = gsas_answer.answered(pattern, structures, said, arrays, full)
        close = too_short(structures, fit.phases, fit.parameters)
        seconds = time.perf_counter() - began
        return replace(fit, violations=(*fit.violations, *close), seconds=seconds)

    def _run(self, folder: Path) -> None:
        """Run the child in `folder`; raise what it says, or ModelFault."""
        program = [str(self.python or sys.executable), str(self.child), str(folder)]
        # GSAS-II writes settings into the home folder, and asks for a display when it sees one
        surroundings = {**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1"}
        surroundings.pop("DISPLAY", None)
        with (folder / "printed.txt").open("wb") as printed:
            try:
                process = subprocess.Popen(
                    program,
                    cwd=folder,
                    env=surroundings,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ModelFault(f"{program[0]} cannot be run: {error}", where="gsas2") from error
            try:
                code = process.wait(self.time_limit_s)
            except subprocess.TimeoutExpired:
                raise ModelFault(
                    f"took longer than {self.time_limit_s:g} s and was stopped", where="gsas2"
                ) from None
            finally:
                _end(process)
        if code != 0:
            printed_text = (folder / "printed.txt").read_text(errors="replace")
            last = " ".join(printed_text.split())[-LAST_WORDS:]
            raise ModelFault(f"GSAS-II ended with exit code {code}: {last}", where="gsas2")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole session, whatever is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check_origins(structures: Sequence[Structure]) -> None:
    """Refuse the first origin of groups with two: GSAS-II would read it as the second."""
    for structure in structures:
        setting = crystal_of(structure).spacegroup
        if setting.ext == "1":
            raise InputError(
                f"has origin choice 1 of {setting.hm}, GSAS-II knows choice 2 only",
                where=f"CIF of {structure.name}",
                remedy="give it with origin choice 2, or refine with --engine rietx",
            )


def _fixed_background(pattern: Pattern, recipe: Mapping[str, Any]) -> FloatArray:
    """(n,) what is subtracted before GSAS-II sees the pattern, and added to its answer."""
    if recipe["background"] == "chebyshev":
        return np.zeros(pattern.intensity.size)
    return envelope(pattern, recipe["fwhm_deg"])


def _ask(
    folder: Path,
    pattern: Pattern,
    structures: Sequence[Structure],
    diffractometer: Diffractometer,
    recipe: Mapping[str, Any],
) -> None:
    phases = []
    for number, structure in enumerate(structures):
        file = f"phase_{number}.cif"
        (folder / file).write_text(structure.cif)
        axis = structure.preferred_orientation
        phases.append({"name": structure.name, "cif": file, "axis": axis})
    request = {
        "protocol": PROTOCOL,
        "phases": phases,
        "diffractometer": asdict(diffractometer),
        "recipe": dict(recipe),
        "stages": stages(recipe),
    }
    (folder / "request.json").write_text(json.dumps(request))
    np.savez(
        folder / "pattern.npz",
        two_theta=pattern.two_theta,
        intensity=pattern.intensity,
        sigma=pattern.sigma,
    )


def _answer(folder: Path, points: int) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Read what the child said, checked; InputError and ModelFault are its own words."""
    try:
        said = json.loads((folder / "answer.json").read_text())
        if error := said.get("error"):
            raise {"input": InputError}.get(error["kind"], ModelFault)(
                error["message"], where="gsas2"
            )
        if said["protocol"] != PROTOCOL:
            raise ModelFault(f"the child speaks protocol {said['protocol']}", where="gsas2")
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name], dtype=float) for name in stored.files}
        curves = [arrays["y_calc"], arrays["y_background"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelFault(f"GSAS-II left no readable answer: {error!r}", where="gsas2") from error
    for curve in curves:
        if curve.shape != (points,) or not np.isfinite(curve).all():
            raise ModelFault(
                f"GSAS-II answered {curve.size} of {points} points, "
                f"{np.count_nonzero(~np.isfinite(curve))} of them not finite",
                where="gsas2",
            )
    return said, arrays
