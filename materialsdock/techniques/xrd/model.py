"""The results of refinement: fits, trials, rival solutions, and the verdict on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from materialsdock.model import Parameter

BOTH = "zero+displacement"  # a correction of peak positions

Word = Literal["accept", "ambiguous", "no confident match"]


@dataclass(frozen=True)
class PhaseFit:
    """One phase of a fit: cell lengths a, b, c [Å], angles alpha, beta, gamma [deg], weight [%].

    r_bragg : Σ|I_obs − I_calc|/ΣI_obs of its reflections [%], I_obs shared out of the pattern as
    the fit shares I_calc (McCusker et al. 1999, J. Appl. Cryst. 32, 36); None: the engine says none
    """

    name: str
    space_group: str
    cell: Mapping[str, Parameter]
    weight_fraction: float
    weight_fraction_esd: float | None = None
    r_bragg: float | None = None


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
    warnings : sentences about sample and data; remarks : what the engine notes, in its own words
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
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldOut:
    """The prediction of blocks of 2θ that were held out of the refinement, against the data.

    rwp : over all blocks, each calculated by the refinement that had not seen it [%]
    rwp_inside : of the same refinements on what they had seen, averaged as a sum of squares [%]
    chi2, chi2_inside : mean squared residual in units of its sigma, likewise
    blocks : held out `folds` ways; failed : folds whose refinement failed, not counted
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
        """Held-out Rwp over Rwp inside: 1 where nothing was fitted that does not hold elsewhere."""
        return self.rwp / self.rwp_inside if self.rwp_inside > 0 else math.inf


@dataclass(frozen=True)
class Doubt:
    """One source of systematic error: how far it may move cells [Å, deg] and weights [wt%].

    source : its name in a word or two; spread : by name, one standard deviation
    sentence : what there is to know or to do about it, or empty
    covariance : of the phases' weights [wt%²], in their order; empty for one phase
    """

    source: str
    spread: Mapping[str, float]
    sentence: str = ""
    covariance: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Solution:
    """One cluster of near-optimal trials, refined with full effort from its best recipe.

    objective : of `fit`; trials, seeds : how many trials of which seeds ended here
    differences : against the best solution, one sentence each; material : would change what is
    said about the sample
    systematic : of cells and weights, by name, all sources together (of the best solution only);
    esds know nothing of it; doubts : the sources
    """

    fit: Fit
    objective: float
    trials: int
    seeds: tuple[int, ...]
    held_out: HeldOut | None = None
    differences: tuple[str, ...] = ()
    material: bool = False
    systematic: Mapping[str, float] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()


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
    advice : what to try where there is no confident match
    """

    word: Word
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    rivals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Radiation:
    """The radiation of one scan, as its file and its user say it; () where they do not.

    weights : of the lines, where they are said; alone : one line, and there is no other
    source : who says so, in words; instrument : fields of the Diffractometer that an instrument
    parameter file gives
    """

    wavelengths_angstrom: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    alone: bool = False
    source: str = ""
    instrument: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Diffractometer:
    """The facts about the instrument that a refinement must know.

    wavelengths_angstrom, weights : emission lines; polarization : K, 0.5 = unpolarised
    fwhm_deg : instrument width at mid-range; radius_mm : goniometer radius
    widths : calibrated u, v, w [deg²], x, y [deg] of the profile of Thompson, Cox & Hastings (1987)
    J. Appl. Cryst. 20, 79, in full widths at half maximum; () where nobody calibrated them
    axial : half lengths of detector and sample over the radius; zero_deg : added to calculated 2θ
    calibrated : the zero of 2θ was set with a standard, so only the sample's height moves peaks, as
    it was where widths are calibrated
    """

    wavelengths_angstrom: tuple[float, ...] = (1.540593, 1.544427)
    weights: tuple[float, ...] = (1.0, 0.5)
    polarization: float = 0.5
    geometry: Literal["bragg_brentano", "debye_scherrer"] = "bragg_brentano"
    radius_mm: float = 217.5
    fwhm_deg: float = 0.1
    widths: tuple[float, ...] = ()
    axial: tuple[float, ...] = ()
    zero_deg: float = 0.0
    calibrated: bool = False

    @property
    def corrections(self) -> tuple[str, ...]:
        """The corrections of peak positions that a recipe may make, by its words."""
        if self.calibrated or self.widths:
            return ("displacement",) if self.geometry == "bragg_brentano" else ("none",)
        return ("displacement", "zero", BOTH)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Diffractometer:
        """The diffractometer of a job, whose lists come back from the ledger as tuples."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in settings.items()
        }
        return cls(**plain)
