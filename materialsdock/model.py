"""The frozen values that every room speaks.

2θ in degrees, energies in eV, times in seconds, lengths in Å; arrays are float64, their shape in
parentheses.  A value knows how to check itself and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.fits import Assessment as Assessment
from materialsdock.fits import Check as Check
from materialsdock.fits import Correlation as Correlation
from materialsdock.fits import Fit as Fit
from materialsdock.fits import HeldOut as HeldOut
from materialsdock.fits import HybridResult as HybridResult
from materialsdock.fits import Parameter as Parameter
from materialsdock.fits import PhaseFit as PhaseFit
from materialsdock.fits import Point as Point
from materialsdock.fits import Solution as Solution
from materialsdock.fits import Trial as Trial
from materialsdock.spectra import AbsorptionFit as AbsorptionFit
from materialsdock.spectra import Combination as Combination
from materialsdock.spectra import Oscillations as Oscillations

FloatArray = NDArray[np.float64]
Technique = Literal["xrd", "xas"]


@dataclass(frozen=True)
class Structure:
    """A candidate phase: the text of a CIF, and a preferred-orientation axis on request.

    particle_um : diameter [µm] of its grains, for micro-absorption; corrected when all have one
    """

    name: str
    cif: str
    preferred_orientation: tuple[int, int, int] | None = None
    particle_um: float | None = None


@dataclass(frozen=True)
class Sample:
    """What lies at one position of the sample changer."""

    name: str
    technique: Technique
    position: int = 0
    structures: tuple[Structure, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One sample to measure and analyse; `settings` is plain JSON and rebuilds the campaign."""

    job_id: str
    sample: Sample
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Axis:
    """The scanned axis: `name` is "two_theta" (deg) or "energy" (eV).

    grid : (m,) strictly increasing candidate positions [unit]
    resolution : intrinsic width [unit] (instrument or core hole); no gap may stay wider than it
    """

    name: Literal["two_theta", "energy"]
    unit: Literal["deg", "eV"]
    grid: FloatArray
    resolution: float

    def __post_init__(self) -> None:
        grid = np.asarray(self.grid, dtype=float)
        if grid.ndim != 1 or grid.size < 2:
            raise InputError(f"axis {self.name} needs at least 2 positions, got {grid.size}")
        if not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
            raise InputError(f"axis {self.name} is not finite and strictly increasing")
        if not self.resolution > 0:
            raise InputError(f"axis {self.name}: resolution {self.resolution} is not positive")
        grid.setflags(write=False)
        object.__setattr__(self, "grid", grid)

    def index(self, x: float | FloatArray) -> NDArray[np.int64]:
        """Indices of the grid positions nearest to `x` (any shape)."""
        x = np.asarray(x, dtype=float)
        right = np.clip(np.searchsorted(self.grid, x), 1, self.grid.size - 1)
        left_is_nearer = x - self.grid[right - 1] <= self.grid[right] - x
        return (right - left_is_nearer).astype(np.int64)


@dataclass(frozen=True)
class Proposal:
    """Where to count next, and for how long: one position, or one evenly stepped segment.

    start, stop : first and last position [unit of the axis]; count_time_s : per position
    score : the acquisition value that won, 0 for a probe of a gap, below 0 for a second look,
        infinite for what a person forced
    sweep : the pass or sorted sweep it belongs to
    """

    start: float
    stop: float
    count_time_s: float
    points: int = 1
    score: float = 0.0
    sweep: int = 0

    @property
    def x(self) -> FloatArray:
        """(points,) positions in the order they are counted."""
        return np.linspace(self.start, self.stop, self.points)


@dataclass(frozen=True)
class Observation:
    """What the learner is told: one position, once counted.

    y : absorption µ (dimensionless) or count rate [1/s]; sigma : its standard deviation at birth
    uid : "<run uid>/<stream seq_num>", so that telling it twice is telling it once
    step : the step of the campaign that measured it, counted from 0
    """

    uid: str
    step: int
    x: float
    y: float
    sigma: float
    count_time_s: float
    run_uid: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a stopping rule may look at: the innovations replayed under the present model.

    s : (k,) latent variance over noise variance, v/σ², of each observation in acquisition order
    z2 : (k,) squared standardised innovation (y−m)²/(v+σ²)
    group : (k,) which step of the λ sequence it belongs to, from 0: its point, or its pass
    complete : whether the last group is finished; an unfinished one is never judged
    quantities : named numbers: points, seconds, max_sd, noise_sd, largest_gap, resolution, ...
    """

    s: FloatArray
    z2: FloatArray
    group: NDArray[np.int64]
    complete: bool = True
    quantities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """A rule's answer; `statistic` and `threshold` are None where it has none yet."""

    stop: bool
    reason: str
    statistic: float | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Decision:
    """The only per-step record: report, page and replay read nothing else.

    proposal : what was measured in this step; next : what comes now (None: the end)
    lambda_t : None until the rule can form it
    mean, sd : posterior at `next.start`, else at `proposal.start`; s, z2 : means over the step
    steered : what people asked for that has had its effect since the decision before
    seconds_measured : instrument time so far; seconds_deciding : wall clock of this decision
    """

    step: int
    proposal: Proposal
    observations: tuple[str, ...]
    verdict: Verdict
    lambda_t: float | None
    s: float | None
    z2: float | None
    mean: float | None
    sd: float | None
    hyperparameters: Mapping[str, float]
    seconds_measured: float
    seconds_deciding: float
    next: Proposal | None = None
    steered: str = ""


@dataclass(frozen=True)
class Diffractometer:
    """What a refinement must know of the instrument.

    wavelengths_angstrom, weights : emission lines; polarization : K, 0.5 = unpolarised
    fwhm_deg : instrument width at mid-range; radius_mm : goniometer radius
    """

    wavelengths_angstrom: tuple[float, ...] = (1.540593, 1.544427)
    weights: tuple[float, ...] = (1.0, 0.5)
    polarization: float = 0.5
    geometry: Literal["bragg_brentano", "debye_scherrer"] = "bragg_brentano"
    radius_mm: float = 217.5
    fwhm_deg: float = 0.1


@dataclass(frozen=True, eq=False)
class Pattern:
    """A powder pattern: (n,) 2θ [deg], intensity [counts/s], sigma [counts/s], count time [s]."""

    two_theta: FloatArray
    intensity: FloatArray
    sigma: FloatArray
    count_time_s: FloatArray


@dataclass(frozen=True, eq=False)
class Spectrum:
    """An absorption spectrum: (n,) energy [eV], µ, and its standard deviation."""

    energy_ev: FloatArray
    mu: FloatArray
    sigma: FloatArray


@dataclass(frozen=True, eq=False)
class EdgeFit:
    """Normalisation and edge position of a spectrum, with uncertainties from the posterior.

    e0_ev : half height on the main edge; edge_step : jump in µ; energy_ev, flat : (m,) the
    normalised curve; pre_edge, post_edge : (m,) its lines
    """

    e0_ev: float
    e0_sd_ev: float
    edge_step: float
    edge_step_sd: float
    energy_ev: FloatArray
    flat: FloatArray
    pre_edge: FloatArray
    post_edge: FloatArray
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the morning finds; `measured` the merged points, `curve` the posterior on the axis.

    solutions : the fit and its rivals, best first; assessment : the verdict on the fit
    hybrid : fit against energy, where a calculator is configured; absorption : beyond the edge
    """

    job: Job
    decisions: tuple[Decision, ...]
    summary: Mapping[str, Any]
    measured: Pattern | Spectrum
    fit: Fit | None = None
    edge: EdgeFit | None = None
    trials: tuple[Trial, ...] = ()
    curve: Pattern | Spectrum | None = None
    solutions: tuple[Solution, ...] = ()
    assessment: Assessment | None = None
    hybrid: HybridResult | None = None
    absorption: AbsorptionFit | None = None
