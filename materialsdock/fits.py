"""What refinement says: fits, trials, rival solutions, and the verdict on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Word = Literal["accept", "ambiguous", "no confident match"]


@dataclass(frozen=True)
class Parameter:
    """A refined number with its estimated standard deviation (None: not refined)."""

    name: str
    value: float
    esd: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class PhaseFit:
    """One phase of a fit: cell lengths a, b, c [Å], angles alpha, beta, gamma [deg], weight [%]."""

    name: str
    space_group: str
    cell: Mapping[str, Parameter]
    weight_fraction: float
    weight_fraction_esd: float | None = None


@dataclass(frozen=True)
class Correlation:
    """Two refined parameters and the coefficient between them."""

    first: str
    second: str
    coefficient: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A Rietveld refinement; R factors are recomputed by us on the whole fixed range.

    rwp, r_exp [%]; y_calc, y_background : (n,); ticks : phase -> (k,) reflections [deg]
    violations : physical constraints broken (any entry: not acceptable)
    rwp_free_intensities : Rwp [%] of the same cells and profile with every reflection's intensity
    free (Le Bail et al. 1988), of final fits only: what no structure in these cells can pass by far
    correlations : the strongest pairs; esd_inflation : factor by which correlated residuals
    widened the esds (Bérar & Lelann 1991), None: the engine does not say
    weight_covariance : of the phases' weight fractions [wt%²], in their order
    """

    rwp: float
    r_exp: float
    gof: float
    n_points: int
    n_free: int
    phases: tuple[PhaseFit, ...]
    parameters: tuple[Parameter, ...]
    y_calc: NDArray[np.float64]
    y_background: NDArray[np.float64]
    ticks: Mapping[str, NDArray[np.float64]]
    recipe: Mapping[str, Any]
    engine: str
    seconds: float
    warnings: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
    rwp_free_intensities: float | None = None
    correlations: tuple[Correlation, ...] = ()
    esd_inflation: float | None = None
    weight_covariance: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True)
class Trial:
    """One Optuna trial: its number, the seed of its study, Rwp [%], and how it ended.

    objective : what the search makes small; violations : physical constraints broken
    values : name -> (value, esd) of what solutions are compared by: cells, weights, coordinates...
    """

    number: int
    seed: int
    rwp: float | None
    recipe: Mapping[str, Any]
    state: Literal["complete", "fail"]
    reason: str = ""
    seconds: float = 0.0
    objective: float | None = None
    violations: tuple[str, ...] = ()
    values: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class HeldOut:
    """How well blocks of 2θ are foretold that were left out of the refinement.

    rwp : over all blocks, each calculated by the refinement that had not seen it [%]
    rwp_inside : of the same refinements on what they had seen, averaged as a sum of squares [%]
    chi2, chi2_inside : mean squared residual in units of its sigma, likewise
    blocks : left out `folds` ways; failed : folds whose refinement failed, not counted
    """

    rwp: float
    rwp_inside: float
    chi2: float
    chi2_inside: float
    blocks: int
    folds: int
    failed: int = 0

    @property
    def ratio(self) -> float:
        """Rwp left out over Rwp inside: 1 where nothing was fitted that does not hold elsewhere."""
        return self.rwp / self.rwp_inside if self.rwp_inside > 0 else math.inf


@dataclass(frozen=True, eq=False)
class Solution:
    """One cluster of near-optimal trials, refined with full effort from its best recipe.

    objective : of `fit`; trials, seeds : how many trials of which seeds ended here
    differences : against the best solution, one sentence each; material : would change what is
    said about the sample
    systematic : of cells and weights, by name: half the range over all solutions and over other
    corrections of peak positions (of the best solution only); esds know nothing of it
    """

    fit: Fit
    objective: float
    trials: int
    seeds: tuple[int, ...]
    held_out: HeldOut | None = None
    differences: tuple[str, ...] = ()
    material: bool = False
    systematic: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One thing the verdict looked at: a number, its limit, and what it means in words."""

    name: str
    value: float | None
    limit: float | None
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Assessment:
    """The verdict on a refinement; `reasons` are sentences, `checks` all that was looked at.

    rivals : solutions or hypotheses as good as the chosen one, in words; notes : does not decide
    """

    word: Word
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    rivals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Point:
    """One trial of a hybrid search: rwp [%] and energy_ev [eV per atom] of a refined structure.

    structure : name of the candidate; settings : what the trial chose; cif : as refined
    reason : why it counts for nothing ("" when it does)
    """

    number: int
    seed: int
    structure: str
    settings: Mapping[str, Any]
    rwp: float = math.nan
    energy_ev: float = math.nan
    reason: str = ""
    fit: Fit | None = None
    cif: str = ""

    @property
    def counts(self) -> bool:
        """Refined to something physical, with an energy."""
        return not self.reason


@dataclass(frozen=True, eq=False)
class HybridResult:
    """All trials in order, and the Pareto set by rising Rwp, refined with full effort.

    calculator, arguments : by which the energies are
    sentences : what the set says, and what it does not
    """

    points: tuple[Point, ...]
    front: tuple[Point, ...]
    calculator: str
    arguments: Mapping[str, Any]
    sentences: tuple[str, ...] = ()
