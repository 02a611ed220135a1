"""The certificate of a stopped measurement: each number with a bound that holds in 95 %.

The posterior's own sd is right only as far as its model is; FACTORS make up for the rest.  They
were found on other shapes of curve than they are tested on: tests/benchmarks/stopping.py
--calibrate finds them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.learning.stopping import misfit
from materialsdock.learning.stopping.divergence import judged
from materialsdock.learning.stopping.gates import LEAST_DOF, SdGate, alarm
from materialsdock.learning.stopping.quantities import Posterior, Quantity, cell_widths, estimates
from materialsdock.learning.stopping.rules import SafeRule
from materialsdock.model import Evidence, FloatArray

COVERAGE = 0.95
SAMPLES = 200
# bound over (posterior sd x surprise x unseen): the largest 95 % quantile of any calibration family
RMSE_FACTOR = 1.15 * 1.41  # 1.15: measured spectra are less regular than the families
QUANTITY_FACTOR = 2.65
TESTED_SD = 0.1  # of the height: as well the curves were known that the bounds were tested on
# of the largest error in a range: over the largest sd there, and over the noise of a point, as
# much of which is smoothed over unseen; found on tests/benchmarks/truth_xas.py, and 1.25 times as
# wide: where lines get one point each, and their top lies between, it held in 90 % without
LOCAL_FACTORS = 1.25 * 5.0, 1.25 * 4.0
LARGEST_PRINTED = 1e6  # in digits
SEEN, UNSEEN = 2.0, 1.6  # gap in resolutions up to which nothing is added; the most that is


def plus_minus(value: float, bound: float) -> str:
    """Value and bound, both to the bound's second digit: "7122.61 ± 0.25", "7160 ± 150"."""
    if not 0 < bound < LARGEST_PRINTED:
        return f"{value:.6g} ± {bound:.2g}"
    digits = 1 - int(np.floor(np.log10(bound)))
    value, bound = round(value, digits), round(bound, digits)
    return f"{value:.{max(digits, 0)}f} ± {bound:.{max(digits, 0)}f}"


@dataclass(frozen=True)
class Statement:
    """|value − truth| ≤ bound [unit] with the certificate's coverage; sd as the posterior has it.

    value NaN and bound inf: not known from these data.
    """

    name: str
    unit: str
    value: float
    sd: float
    bound: float

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if not np.isfinite(self.bound):
            return f"{self.name} is not known"
        return f"{self.name} = {plus_minus(self.value, self.bound)}{unit}"


@dataclass(frozen=True)
class LocalBound:
    """The largest error of the curve from `low` to `high` [unit of the axis], with its coverage."""

    low: float
    high: float
    bound: float


@dataclass(frozen=True)
class Certificate:
    """The knowledge after `points` points, `seconds` of instrument time.

    rmse : expected root-mean-square error of the curve over its axis [units of y]; rmse_bound :
    not exceeded with `coverage`; statements : the quantities the user asked for
    largest_gap, resolution : nothing narrower than the larger of them is promised to be seen
    widened : how much wider than in calm data without gaps; alarm : what the noise model lacks
    missing : what the stops that the bounds were tested on had and this one has not (SafeRule)
    excluded : how much of the axis was vetoed [its unit]; local : of the range that matters most
    """

    points: int
    seconds: float
    rmse: float
    rmse_bound: float
    statements: tuple[Statement, ...]
    largest_gap: float
    resolution: float
    widened: float
    alarm: str | None = None
    missing: str | None = None
    coverage: float = COVERAGE
    excluded: float = 0.0
    local: LocalBound | None = None

    def sentences(self, unit: str = "", called: Mapping[str, str] | None = None) -> list[str]:
        """The certificate for a person: one line a statement, the alarm last.

        unit : of the axis; called : what people call a quantity, where that is not its name
        """
        called = called or {}
        statements = [replace(s, name=called.get(s.name, s.name)) for s in self.statements]
        unit = f" {unit}" if unit else ""
        label = (
            f" ({100 * self.coverage:.0f} % confidence)"
            if self.missing is None
            else " (not calibrated)"
        )
        lines = [
            f"curve: root-mean-square error ≤ {self.rmse_bound:.2g}{label}, "
            f"{self.rmse:.2g} expected, after {self.points} points",
            *self._of_range(unit, label),
            *(f"{said}{label if np.isfinite(said.bound) else ''}" for said in statements),
        ]
        if self.missing is not None:
            lines.append(f"the bounds are not calibrated for a stop at which {self.missing}")
        if self.largest_gap > self.resolution * (1 + 1e-9):
            lines.append(
                f"a feature narrower than {self.largest_gap:.2g}{unit} may have been missed"
            )
        if self.excluded > 0:
            lines.append(f"{self.excluded:.3g}{unit} of the axis were vetoed: no bound holds there")
        return lines if self.alarm is None else [*lines, f"alarm: {self.alarm}"]

    def _of_range(self, unit: str, label: str) -> list[str]:
        if self.local is None:
            return []
        ends = f"{self.local.low:.6g} to {self.local.high:.6g}{unit}"
        return [f"largest error of the curve from {ends} ≤ {self.local.bound:.2g}{label}"]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and the ledger, what is not known as None."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def surprise(evidence: Evidence) -> float:
    """Compute how much larger errors are than the model says: a factor of every bound, at least 1.

    Root of the larger of mean z² of all innovations and, where known, the reduced χ² of the
    residuals about the curve (`residual_chi2` over `residual_dof`): Birge's ratio.
    """
    z2, q = judged(evidence).z2, evidence.quantities
    squares = [1.0, float(z2.mean()) if z2.size else 1.0]
    if q.get("residual_dof", 0.0) >= LEAST_DOF:
        squares.append(q["residual_chi2"] / q["residual_dof"])
    return float(np.sqrt(max(squares)))


def unseen(quantities: Mapping[str, float]) -> float:
    """Compute the factor, 1 to 1.6, by which a wide gap widens every bound.

    Between points further apart than twice the resolution lies more than the model expects: the
    95 % quantile of errors grows with the gap, hardly any further from three resolutions on.
    """
    gap = quantities["largest_gap"] / (SEEN * quantities["resolution"])
    return float(np.clip(gap, 1.0, UNSEEN))


def expected_rmse(posterior: Posterior) -> float:
    """Root of the mean posterior variance over the axis [units of y]."""
    width = cell_widths(posterior.grid)
    return float(np.sqrt(width @ posterior.variance / width.sum()))


def curve_quantities(
    posterior: Posterior,
    evidence: Evidence,
    at: NDArray[np.int64],
    y: FloatArray,
    sigma: FloatArray,
) -> dict[str, float]:
    """Entries of Evidence.quantities that concern the whole curve, for every step: O(m + n).

    at, y, sigma : (n,) grid index, value and sd of each observation
    rmse, rmse_bound : as in Certificate; max_residual, max_residual_at : misfit.strongest_run;
    residual_chi2, residual_dof : misfit.chi_square.  Without observations only the first two
    """
    rmse = expected_rmse(posterior)
    found = {"rmse": rmse}
    if y.size:
        off, width = (y - posterior.mean[at]) / sigma, evidence.quantities["resolution"]
        strongest = misfit.strongest_run(posterior.grid[at], off, width)
        about = misfit.chi_square(posterior, at, off, sigma)
        found |= dict(zip(("max_residual", "max_residual_at"), strongest, strict=True))
        found |= dict(zip(("residual_chi2", "residual_dof"), about, strict=True))
    known = replace(evidence, quantities={**evidence.quantities, **found})
    return found | {"rmse_bound": RMSE_FACTOR * _widened(known) * rmse}


def local_bound(
    posterior: Posterior, evidence: Evidence, within: tuple[float, float]
) -> LocalBound:
    """Bound the largest error of the curve inside `within` [unit of the axis].

    The axis' own ends cut the range.  Raises InputError where nothing of the axis lies in it.
    """
    inside = (posterior.grid >= within[0]) & (posterior.grid <= within[1])
    if not inside.any():
        raise InputError(
            f"{within[0]:g} to {within[1]:g} is outside the axis",
            where="certificate",
            remedy="name a range that is measured",
        )
    ends = posterior.grid[inside][[0, -1]]
    sds = np.sqrt(posterior.variance[inside].max()), evidence.quantities["noise_sd"]
    size = float(np.hypot(*(f * sd for f, sd in zip(LOCAL_FACTORS, sds, strict=True))))
    return LocalBound(float(ends[0]), float(ends[1]), _widened(evidence) * size)


def _widened(evidence: Evidence) -> float:
    """Factor of every bound that the data ask for."""
    return surprise(evidence) * unseen(evidence.quantities)


def _missing(evidence: Evidence) -> str | None:
    """Say what the stops that the bounds were tested on had and this one has not."""
    safe = SafeRule().judge(evidence)
    if not safe.stop:
        return safe.reason
    known = "height" in evidence.quantities
    return SdGate(np.inf, TESTED_SD).closed(evidence) if known else None


def certify(
    posterior: Posterior,
    evidence: Evidence,
    wanted: Iterable[Quantity] = (),
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    within: tuple[float, float] | None = None,
) -> Certificate:
    """The certificate of a posterior: equal posterior, evidence and seed, equal certificate.

    within : the range [unit of the axis] whose largest error is bounded, if any
    """
    wanted, q, wide = tuple(wanted), evidence.quantities, _widened(evidence)
    found = estimates(posterior, wanted, samples, seed)
    rmse, missing = expected_rmse(posterior), _missing(evidence)
    statements = tuple(
        Statement(w.name, w.unit, value, sd, QUANTITY_FACTOR * wide * sd)
        for w, (value, sd) in zip(wanted, found.values(), strict=True)
    )
    return Certificate(
        int(q["points"]),
        float(q["seconds"]),
        rmse,
        RMSE_FACTOR * wide * rmse,
        statements,
        float(q["largest_gap"]),
        float(q["resolution"]),
        wide,
        alarm(evidence),
        missing,
        excluded=float(q.get("excluded", 0.0)),
        local=None if within is None else local_bound(posterior, evidence, within),
    )
