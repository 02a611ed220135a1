"""The frozen values that all packages exchange.

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

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Structure:
    """A candidate phase: the text of a CIF, and a preferred-orientation axis on request.

    particle_um : diameter [µm] of its grains, for micro-absorption; corrected when all have one
    notes : what the reader of the CIF had to decide
    """

    name: str
    cif: str
    preferred_orientation: tuple[int, int, int] | None = None
    particle_um: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """A sample at one position of the sample changer."""

    name: str
    technique: str
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
    """The scanned axis, e.g. "two_theta" in "deg" or "energy" in "eV".

    grid : (m,) strictly increasing candidate positions [unit]
    resolution : intrinsic width [unit] (instrument or core hole); no gap may stay wider than it
    """

    name: str
    unit: str
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

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Axis:
        """The axis of a job: `grid` as a list, or evenly spaced `start`, `step`, `points`."""
        s = dict(settings)
        grid = s.get("grid")
        if grid is None:
            grid = s["start"] + s["step"] * np.arange(s["points"])
        return cls(s["name"], s["unit"], np.asarray(grid, dtype=float), s["resolution"])

    def index(self, x: float | FloatArray) -> NDArray[np.int64]:
        """Indices of the grid positions nearest to `x` (any shape)."""
        x = np.asarray(x, dtype=float)
        right = np.clip(np.searchsorted(self.grid, x), 1, self.grid.size - 1)
        left_is_nearer = x - self.grid[right - 1] <= self.grid[right] - x
        return (right - left_is_nearer).astype(np.int64)


@dataclass(frozen=True)
class FileReading:
    """The words of a reader about what it took from a file; "" where there was nothing to take.

    scan : which of how many, e.g. "2 of 3"; columns : of the file, as what each was taken
    unit : of the axis in the file, and how it was converted, e.g. "keV × 1000"
    signal : how y was made, e.g. "transmission ln(i0/it)"; sigma_from, wavelengths_from : sources
    edge : absorption edge, e.g. "Fe K"; dropped : how many rows were left out, and why
    rows : that were taken, where points of one position were merged afterwards; else 0
    """

    scan: str = ""
    columns: tuple[str, ...] = ()
    unit: str = ""
    signal: str = ""
    sigma_from: str = ""
    wavelengths_from: str = ""
    edge: str = ""
    dropped: tuple[str, ...] = ()
    rows: int = 0


@dataclass(frozen=True, eq=False)
class Measured:
    """A scan: x (n,) is 2θ [deg] or energy [eV], y (n,) counts or µ, sigma (n,) if there is one.

    count_time_s : seconds per step, when the file says so; kind : the format it was read as
    notes : what the reader had to decide; reading : what it took as what
    about : what the technique knows of it besides, for its Scan
    """

    technique: str
    x: FloatArray
    y: FloatArray
    sigma: FloatArray | None = None
    count_time_s: float | None = None
    wavelengths_angstrom: tuple[float, ...] | None = None
    kind: str = ""
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    reading: FileReading = field(default_factory=FileReading)
    about: Any = None


@dataclass(frozen=True, eq=False)
class Scan:
    """A full scan, as it would be measured; a job never leaves its range.

    x : (n,) positions [unit of the axis]
    count_time_s : per position, None: as the profile says
    about : what the technique knows of it besides, e.g. the edge, or the radiation
    """

    technique: str
    x: FloatArray
    count_time_s: float | None = None
    about: Any = None


@dataclass(frozen=True)
class Proposal:
    """The place to count next, and for how long: one position, or one evenly stepped segment.

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
    """One measured value, as the learner receives it: one position, once counted.

    y : absorption µ (dimensionless) or count rate [1/s]; sigma : its standard deviation at birth
    uid : "<run uid>/<stream seq_num>", so that giving it twice is giving it once
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
    unit : of the positions, "eV" or "deg", for the words of a reason
    quantities : named numbers: points, seconds, max_sd, noise_sd, largest_gap, resolution, ...
    units : of those quantities that have one which their name does not say
    """

    s: FloatArray
    z2: FloatArray
    group: NDArray[np.int64]
    complete: bool = True
    quantities: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    units: Mapping[str, str] = field(default_factory=dict)


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
class Parameter:
    """A refined number with its estimated standard deviation (None: not refined)."""

    name: str
    value: float
    esd: float | None = None
    unit: str = ""


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


@dataclass(frozen=True, eq=False)
class Outcome:
    """The answer of one job: what was measured, and what its technique found in it.

    summary : the measurement and its analysis in plain numbers and words
    measured : the merged points; curve : the posterior on the axis; both as the technique's own
    found : the technique's own answer, a frozen dataclass
    fused : what other theories or measurements add to it, as plain values by name
    """

    job: Job
    decisions: tuple[Decision, ...]
    summary: Mapping[str, Any]
    measured: Any
    found: Any
    curve: Any = None
    fused: Mapping[str, Any] = field(default_factory=dict)
