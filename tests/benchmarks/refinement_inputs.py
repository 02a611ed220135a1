"""Bad input of the refinement benchmark: each ends in one clear error or verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import refinement_cases as cases
from structures import FLUORITE, simulated

from materialsdock.errors import MaterialsDockError
from materialsdock.model import Diffractometer, Structure
from materialsdock.refinement.search import search


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
    yield "empty", replace(good, **{k: np.array([]) for k in
                                    ("two_theta", "intensity", "sigma", "count_time_s")}), (
        FLUORITE,), cases.CU  # fmt: skip
    yield "no peaks", blank, (FLUORITE,), cases.CU
    yield "one peak", replace(good, intensity=one), (FLUORITE,), cases.CU
    yield "wrong wavelength", good, (FLUORITE,), Diffractometer((0.7093,), (1.0,))
    yield "CIF without atoms", good, (Structure("empty", "data_x\n_cell_length_a 5\n"),), cases.CU
    yield "no CIF", good, (), cases.CU
    yield "hostile CIF", good, (Structure("x", "data_\x00" * 99),), cases.CU


def refused() -> dict[str, Any]:
    """What each bad input ends in: the error or the verdict, and whether it is either."""
    said = {}
    for name, pattern, structures, diffractometer in bad_inputs():
        try:
            result = search(pattern, structures, diffractometer, trials=2, hold_out=False,
                            executor=cases.Inline(), workers=1)  # fmt: skip
        except MaterialsDockError as error:
            said[name] = {"ends_in": type(error).__name__, "words": str(error), "ok": True}
        else:
            word = result.assessment.word
            said[name] = {"ends_in": word, "words": result.assessment.reasons[0],
                          "ok": word != "accept"}  # fmt: skip
    return said
