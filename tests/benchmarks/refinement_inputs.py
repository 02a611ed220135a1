"""Bad input of the refinement benchmark: each ends in one clear error or verdict.

Through the functions, and through the command `materialsdock refine` in a process of its own, which
has to end with exit code 2 and one error on stderr, or with a verdict that accepts nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import refinement_cases as cases
from support.structures import simulated

from materialsdock.errors import MaterialsDockError
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import FLUORITE


def bad_inputs() -> Iterator[tuple[str, Any, tuple[Structure, ...], Diffractometer]]:
    good = simulated(((FLUORITE, 1.0),))
    blank = replace(
        good, intensity=np.random.default_rng(0).poisson(50.0, good.two_theta.size) * 1.0
    )
    nan = good.intensity.copy()
    nan[7] = np.nan
    one = np.where(np.abs(good.two_theta - 28.3) < 2, good.intensity, 60.0)
    yield "NaN", replace(good, intensity=nan), (FLUORITE,), cases.CU
    yield "negative counts", replace(good, intensity=-good.intensity), (FLUORITE,), cases.CU
    yield (
        "empty",
        replace(
            good, **{k: np.array([]) for k in ("two_theta", "intensity", "sigma", "count_time_s")}
        ),
        (FLUORITE,),
        cases.CU,
    )
    yield "no peaks", blank, (FLUORITE,), cases.CU
    yield "one peak", replace(good, intensity=one), (FLUORITE,), cases.CU
    yield "wrong wavelength", good, (FLUORITE,), Diffractometer((0.7093,), (1.0,))
    yield "CIF without atoms", good, (Structure("empty", "data_x\n_cell_length_a 5\n"),), cases.CU
    yield "no CIF", good, (), cases.CU
    yield "hostile CIF", good, (Structure("x", "data_\x00" * 99),), cases.CU


def refused() -> dict[str, Any]:
    """Try each bad input: the error or the verdict that it ends in, and if it is either."""
    said = {}
    for name, pattern, structures, diffractometer in bad_inputs():
        try:
            result = search(
                pattern,
                structures,
                diffractometer,
                trials=2,
                hold_out=False,
                executor=cases.Inline(),
                workers=1,
            )
        except MaterialsDockError as error:
            said[name] = {"ends_in": type(error).__name__, "words": str(error), "ok": True}
        else:
            word = result.assessment.word
            said[name] = {
                "ends_in": word,
                "words": result.assessment.reasons[0],
                "ok": word != "accept",
            }
    return said


COPPER, MOLYBDENUM = 1.5406, 0.7093
NO_ATOMS = "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n"
TIME_LIMIT_S = 300
FEW = ("empty", "NaN", "wrong wavelength", "CIF without atoms", "one peak")
COMMAND = (
    "refine",
    "pattern.xy",
    "--cif",
    "phase.cif",
    "--out",
    "out",
    "--trials",
    "1",
    "--seeds",
    "1",
    "--workers",
    "1",
    "--json",
)


def _table(x: Sequence[float], y: Sequence[float]) -> str:
    return "".join(f"{a:.4f} {b:.2f}\n" for a, b in zip(x, y, strict=True))


def bad_files() -> dict[str, tuple[str, str]]:
    """Map what is wrong to the text of the pattern's file and the text of the CIF."""
    good = simulated(((FLUORITE, 1.0),))
    x, y = good.two_theta, good.intensity
    shorter = np.degrees(2 * np.arcsin(np.sin(np.radians(x / 2)) * MOLYBDENUM / COPPER))
    other = np.arange(shorter[0], shorter[-1], 0.02)
    noise = np.random.default_rng(0).poisson(50.0, x.size)
    one = np.where(np.abs(x - 28.3) < 2, y, 60.0)
    some = np.where(np.arange(x.size) % 50 == 7, np.nan, y)
    fluorite, table = FLUORITE.cif, _table(x, y)
    return {
        "empty": ("", fluorite),
        "NaN": (_table(x, some), fluorite),
        "negative counts": (_table(x, -y), fluorite),
        "wrong wavelength": (_table(other, np.interp(other, shorter, y)), fluorite),
        "CIF without atoms": (table, NO_ATOMS),
        "no peaks": (_table(x, noise), fluorite),
        "one peak": (_table(x, one), fluorite),
        "20 points": (_table(x[:20], y[:20]), fluorite),
        "words": ("lorem ipsum\n" * 99, fluorite),
        "binary": ("\x00\x01\x02" * 999, fluorite),
        "angles in no order": (_table(np.roll(x, 700)[::-1], y), fluorite),
        "empty CIF": (table, ""),
        "CIF of zeros": (table, "data_\x00" * 99),
    }


def _refine_there(pattern: str, cif: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pattern.xy").write_text(pattern)
        (folder / "phase.cif").write_text(cif)
        command = [sys.executable, "-m", "materialsdock", *COMMAND]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
        )


def ended(pattern: str, cif: str) -> dict[str, Any]:
    """Run the command on two files, and say how it ends: {ends_in, words, ok}."""
    done = _refine_there(pattern, cif)
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("materialsdock: ")]
    noisy = [line for line in lines if "Traceback" in line or "Warning" in line]
    if done.returncode == 0:
        words = json.loads(done.stdout)["verdict"]
        fine = words != "accept"
    else:
        words, fine = " ".join(errors), done.returncode == 2 and len(errors) == 1
    return {"ends_in": done.returncode, "words": words, "ok": fine and not noisy}


def commanded(workers: int, *, quick: bool) -> dict[str, Any]:
    """Run the command on each bad pair of files, `workers` processes at once."""
    files = {name: pair for name, pair in bad_files().items() if not quick or name in FEW}
    with ThreadPoolExecutor(workers) as pool:
        said = pool.map(lambda pair: ended(*pair), files.values())
        return {f"refine: {name}": row for name, row in zip(files, said, strict=True)}
