"""What a measurement is good for when it stops: each number with a bound that holds in 95 %.

The posterior's own sd is right only as far as its model is; FACTORS make up for the rest.  They
were found on other shapes of curve than they are tested on: tests/benchmarks/stopping.py
--calibrate finds them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.divergence import judged
from materialsdock.learning.gates import alarm
from materialsdock.learning.quantities import Posterior, Quantity, cell_widths, estimates
from materialsdock.model import Evidence, FloatArray

COVERAGE = 0.95
SAMPLES = 200
# bound over (posterior sd x surprise): the largest 95 % quantile of any calibration family
RMSE_FACTOR = 1.4
QUANTITY_FACTOR = 2.65
LATELY = 15


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
        return f"{self.name} = {self.value:.6g} ± {self.bound:.2g}{unit}"


@dataclass(frozen=True)
class Certificate:
    """What is known after `points` points, `seconds` of instrument time.

    rmse : expected root-mean-square error of the curve over its axis [units of y]; rmse_bound :
    not exceeded with `coverage`; statements : the quantities the user asked for
    largest_gap, resolution : nothing narrower than the larger of them is promised to be seen
    surprise : root mean z² of the last innovations, at least 1; alarm : what the noise model lacks
    """

    points: int
    seconds: float
    rmse: float
    rmse_bound: float
    statements: tuple[Statement, ...]
    largest_gap: float
    resolution: float
    surprise: float
    alarm: str | None = None
    coverage: float = COVERAGE

    def sentences(self) -> list[str]:
        """The certificate for a person: one line a statement, the alarm last."""
        percent = f"{100 * self.coverage:.0f} %"
        lines = [
            f"curve: rmse ≤ {self.rmse_bound:.2g} ({percent}), {self.rmse:.2g} expected, "
            f"after {self.points} points",
            *(f"{statement} ({percent})" for statement in self.statements),
        ]
        if self.largest_gap > self.resolution * (1 + 1e-9):
            lines.append(f"a feature narrower than {self.largest_gap:.2g} may have been missed")
        return lines if self.alarm is None else [*lines, f"alarm: {self.alarm}"]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and the ledger."""
        return asdict(self)


def surprise(evidence: Evidence) -> float:
    """Root mean z² of the last third of the innovations, at least 15 of them and at least 1.

    Predictions that were off by more than they claimed make every bound wider by as much.
    """
    z2 = judged(evidence).z2
    if not z2.size:
        return 1.0
    lately = z2[-max(LATELY, z2.size // 3) :]
    return max(1.0, float(np.sqrt(lately.mean())))


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
    """rmse, rmse_bound and max_residual as entries of Evidence.quantities, for every step: O(m+n).

    at, y, sigma : (n,) grid index, value and sd of each observation
    """
    rmse = expected_rmse(posterior)
    off = np.abs(y - posterior.mean[at]) / sigma
    return {
        "rmse": rmse,
        "rmse_bound": RMSE_FACTOR * surprise(evidence) * rmse,
        "max_residual": float(off.max()) if off.size else 0.0,
    }


def certify(
    posterior: Posterior,
    evidence: Evidence,
    wanted: Iterable[Quantity] = (),
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Certificate:
    """The certificate of a posterior: equal posterior, evidence and seed, equal certificate."""
    wanted, off, q = tuple(wanted), surprise(evidence), evidence.quantities
    found = estimates(posterior, wanted, samples, seed)
    rmse = expected_rmse(posterior)
    statements = tuple(
        Statement(w.name, w.unit, value, sd, QUANTITY_FACTOR * off * sd)
        for w, (value, sd) in zip(wanted, found.values(), strict=True)
    )
    return Certificate(
        int(q["points"]),
        float(q["seconds"]),
        rmse,
        RMSE_FACTOR * off * rmse,
        statements,
        float(q["largest_gap"]),
        float(q["resolution"]),
        off,
        alarm(evidence),
    )
