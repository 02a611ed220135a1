"""One piece of work of truth_powder: a mixture, a measured pattern, or a wrong claim.

A row says what was found against what is true.  Equal refinements of one search are made once, and
doubts are made only where they can change a verdict: answers stay what they would be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import refinement_cases as cases
import refinement_traps as traps
from refinement import CELLS
from refinement_mixtures import CPD, WEIGHED
from support.structures import simulated
from truth_powder_scenes import CU, drawn

from materialsdock.errors import MaterialsDockError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer, Solution
from materialsdock.techniques.xrd.search.search import SearchResult, search
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6

SIZE_ERROR = 0.25  # of a grain size that somebody measured
TRIALS = 2
FIRST = 1000  # seeds below were looked at while the uncertainties were made
CELL_TOLERANCE = 5e-4
DOUBTS = ("fractions", "cell", "sigma", "saturation")  # that leave the structures as they are

Given = tuple[Pattern, tuple[Structure, ...]]
Wrong = tuple[str, Callable[[], Given], float | None]


class Once(cases.Inline):
    """Refines here, equal calls once: the correction of positions is tried by two steps."""

    def __init__(self) -> None:
        self.known: dict[str, object] = {}

    def run(
        self, function, arguments, *, ahead=0, time_limit_s=None
    ) -> Iterator[tuple[int, object]]:
        for number, given in enumerate(arguments):
            pattern, structures, _, recipe = given
            said = [[s.name, s.cif, s.preferred_orientation] for s in structures]
            key = f"{id(pattern)} {json.dumps([said, recipe], sort_keys=True, default=str)}"
            if key not in self.known:
                ((_, self.known[key]),) = super().run(function, [given])
            yield number, self.known[key]


def refined(
    pattern: Pattern,
    claimed: Sequence[Structure],
    diffractometer: Diffractometer = CU,
    trials: int = TRIALS,
    *,
    texture: bool = True,
    doubt: bool = True,
) -> SearchResult:
    """A short search in this process, with all doubts but without held-out blocks."""
    return search(
        pattern,
        claimed,
        diffractometer,
        trials=trials,
        executor=Once(),
        workers=1,
        hold_out=False,
        doubt=doubt,
        texture=texture,
    )


def said(result: SearchResult) -> dict[str, Any]:
    """The verdict, and if it refuses structures that are right."""
    verdict = result.assessment
    failing = [check.name for check in verdict.checks if not check.passed]
    known = {*DOUBTS, *(phase.name for phase in result.fit.phases)}
    refused = verdict.word == "no confident match" or (
        verdict.word == "ambiguous" and not known & set(failing)
    )
    return {
        "verdict": verdict.word,
        "refused": refused,
        "reasons": list(verdict.reasons) if verdict.word != "accept" else [],
        "gof": result.fit.gof,
    }


def pulls(
    result: SearchResult,
    weights: Mapping[str, float],
    cells: Mapping[str, Mapping[str, tuple[float, float]]],
) -> list[dict[str, Any]]:
    """Every number with a known truth: its error, its esds, and the error over the combined one.

    cells : value and esd of the truth; a length that symmetry makes equal to another is left out
    """
    rows = []
    best: Solution = result.solutions[0]
    for phase in result.fit.phases:
        known = {"weight_fraction": (phase.weight_fraction, phase.weight_fraction_esd)}
        known |= {key: (p.value, p.esd) for key, p in phase.cell.items()}
        truth = {key: (value, e) for key, (value, e) in cells.get(phase.name, {}).items()}
        if phase.name in weights and len(result.fit.phases) > 1:
            truth["weight_fraction"] = (weights[phase.name], 0.0)
        for key, (value, esd_of_truth) in truth.items():
            found, esd = known[key]
            name = f"{phase.name}.{key}"
            systematic = best.systematic.get(name, 0.0)
            whole = math.hypot(esd or 0.0, systematic, esd_of_truth)
            rows.append(
                {
                    "name": name,
                    "kind": "weight" if key == "weight_fraction" else "cell",
                    "error": found - value,
                    "statistical": esd,
                    "systematic": systematic,
                    "sources": {d.source: d.spread.get(name, 0.0) for d in best.doubts},
                    "pull": (found - value) / whole if whole > 0 else math.inf,
                }
            )
    return rows


def mixture(seed: int, counting: float) -> dict[str, Any]:
    """One simulated mixture of a seed with a share of the counting."""
    made = drawn(seed, counting=counting)
    claimed = made.claimed
    if seed % 3 == 0:  # somebody looked at the grains
        random = np.random.default_rng((17, seed))
        sizes = {n: g * (1 + SIZE_ERROR * random.normal()) for n, g in made.grains_um.items()}
        claimed = tuple(replace(s, particle_um=max(sizes[s.name], 0.3)) for s in claimed)
    row: dict[str, Any] = {"seed": seed, "counting": counting, "sized": seed % 3 == 0}
    try:
        # evidence of texture takes five times as long as all the rest: one in eight has to do
        result = refined(made.pattern, claimed, texture=seed % 8 == 0)
    except MaterialsDockError as error:
        return {**row, "verdict": "error", "refused": True, "reasons": [str(error)], "pulls": []}
    lengths = {
        name: {key: (value, 0.0) for key, value in free(cell).items()}
        for name, cell in made.cells.items()
    }
    return {**row, **said(result), "pulls": pulls(result, made.weights, lengths)}


def free(cell: Mapping[str, float]) -> dict[str, float]:
    """The lengths of a cell, equal ones once."""
    kept: dict[float, str] = {}
    for key, value in cell.items():
        kept.setdefault(round(value, 8), key)
    return {key: cell[key] for key in kept.values()}


def measured(name: str, trials: int) -> dict[str, Any]:
    """One measured pattern: a weighed mixture, or a cell that somebody certified."""
    if name in WEIGHED:
        pattern, claimed = cases.mixture(name)
        result = refined(pattern, claimed, CPD, trials)
        rows = pulls(result, WEIGHED[name], {})
    else:
        make, cell = CELLS[name]
        pattern, claimed = make()
        result = refined(pattern, claimed, CU, trials)
        rows = pulls(result, {}, {claimed[0].name: cell})
    return {"name": name, **said(result), "pulls": rows}


def wrong_cases() -> list[Wrong]:
    """Name, pattern with claims, and the true cell where a right one may be accepted."""
    listed: list[Wrong] = [
        (case.name, case.make, case.cell)
        for case in traps.simulated_cases(0)
        if case.kind not in ("right", "stripped")
    ]
    for structure, a in ((LAB6, 4.157), (FLUORITE, 5.4631), (CORUNDUM, 4.7592)):
        for zero in (-0.4, 0.4):
            made = _shifted(structure, zero)
            listed.append((f"{structure.name}, zero {zero:+g}°", made, a))
    listed += [(f"mixture {s} without a phase", _without(s), None) for s in range(20)]
    return listed


def _shifted(structure: Structure, zero: float) -> Callable[[], Given]:
    return lambda: traps.shifted((simulated(((structure, 1.0),)), (structure,)), zero)


def _without(seed: int) -> Callable[[], Given]:
    """A mixture of which one phase of 10 wt% or more is not claimed."""

    def make() -> Given:
        made = drawn(FIRST - 100 + seed)
        hidden = next(n for n, w in made.weights.items() if w >= 10)
        return made.pattern, tuple(s for s in made.claimed if s.name != hidden)

    return make


def thinned(pattern: Pattern, share: float) -> Pattern:
    """The pattern after a share of its counting."""
    if share == 1:
        return pattern
    random = np.random.default_rng(int(pattern.intensity.sum()) % 2**32)
    counts = random.binomial(pattern.intensity.astype(int), share).astype(float)
    return replace(pattern, intensity=counts, sigma=np.sqrt(np.maximum(counts, 1)))


def wrong(name: str, counting: float) -> dict[str, Any]:
    """The verdict on one wrong claim; accepting is wrong but for a cell that is right.

    Doubts take nothing back of a verdict, so they are made where there is something to doubt.
    """
    make, cell = next((make, cell) for n, make, cell in wrong_cases() if n == name)
    pattern, claimed = make()
    pattern = thinned(pattern, counting)
    row: dict[str, Any] = {"name": name, "counting": counting}
    try:
        result = refined(pattern, claimed, texture=False, doubt=False)
        if result.assessment.word == "accept":
            result = refined(pattern, claimed, texture=False)
    except MaterialsDockError as error:
        return {**row, "verdict": "error", "accepted": False, "reasons": [str(error)]}
    found = result.fit.phases[0].cell["a"].value
    right = cell is not None and abs(found / cell - 1) <= CELL_TOLERANCE
    told = said(result)
    accepted = told["verdict"] == "accept" and not right
    return {**row, "verdict": told["verdict"], "accepted": accepted, "reasons": told["reasons"]}
