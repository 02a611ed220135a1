"""One measurement up to its stop, with the truth at hand: for tests/benchmarks/stopping.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from stopping_spectra import Family

from materialsdock import wanted
from materialsdock.learning import certificate
from materialsdock.learning.certificate import Certificate, certify
from materialsdock.learning.learner import SpectrumLearner
from materialsdock.learning.quantities import Linear, Quantity, Sampled, area, cell_widths
from materialsdock.learning.stopping import rule_from_settings
from materialsdock.model import Evidence, FloatArray, Observation
from materialsdock.protocols import StoppingRule

MOST_POINTS = 200
ROBUST = rule_from_settings({"maximum_points": MOST_POINTS})
SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Run:
    """One measurement up to its stop: what was promised, and what is true."""

    certificate: Certificate
    reason: str
    rmse: FloatArray  # (points,) true, after each point
    gaps: FloatArray  # (points,) largest, after each point
    learner: SpectrumLearner
    truth: FloatArray
    quantities: tuple[Quantity, ...]

    @property
    def points(self) -> int:
        """At the stop."""
        return self.rmse.size

    @property
    def in_budget(self) -> bool:
        """Whether the rule itself stopped it."""
        return "budget" not in self.reason and "given up" not in self.reason

    def oracle(self, *, gap: bool) -> int:
        """The smallest n after which the truth is what the certificate says it is.

        gap : the oracle too must have looked everywhere that the rule did
        """
        bad = self.rmse > self.certificate.rmse_bound
        if gap:
            bad = bad | (self.gaps > self.certificate.resolution * (1 + 1e-9))
        return int(np.flatnonzero(bad)[-1]) + 2 if bad.any() else 1

    def errors(self) -> dict[str, tuple[float, float, float]]:
        """|error|, bound and posterior sd x surprise of each statement, the curve's rmse first."""
        c = self.certificate
        found = {"rmse": (float(self.rmse[-1]), c.rmse_bound, c.rmse * c.surprise)}
        for statement, quantity in zip(c.statements, self.quantities, strict=True):
            if not np.isfinite(statement.bound):  # it says that it does not know
                continue
            error = abs(statement.value - true_value(quantity, self))
            found[quantity.name] = (error, statement.bound, statement.sd * c.surprise)
        return found


def true_value(quantity: Quantity, run: Run) -> float:
    """What a quantity is for the true curve."""
    if isinstance(quantity, Sampled):
        return quantity.of(run.learner.axis.grid, run.truth)
    assert isinstance(quantity, Linear)
    return quantity.of(run.truth)


def quantities(family: Family) -> tuple[Quantity, ...]:
    """What is certified of a family: four numbers of the edge and the area around it."""
    lo, hi = family.narrow_ev
    around = area(family.grid, lo, hi)
    return (*(wanted.quantities(wanted.NAMED, family.grid) if family.analysed else ()), around)


def measure(
    family: Family,
    seed: int,
    noise: float,
    rule: StoppingRule = ROBUST,
    *,
    stated: float = 1.0,
    truth: FloatArray | None = None,
) -> Run:
    """Measure one spectrum until the rule stops; `stated`: noise sd as told over the true one."""
    rng = np.random.default_rng([20, seed])
    truth = family.draw(family.grid, rng) if truth is None else truth
    axis, width = family.axis, cell_widths(family.grid)
    learner = SpectrumLearner(
        axis, count_time_s=1.0, narrow=family.narrow_ev, initial=family.initial
    )
    rmse, gaps, step = [], [], 0
    while True:
        x = learner.ask().start
        y = truth[int(axis.index(x))] + noise * rng.standard_normal()
        learner.tell([Observation(f"b/{step}", step, x, y, stated * noise, 1.0, "b")])
        step += 1
        evidence = evidence_of(learner)
        off = learner.present.mean - truth
        rmse.append(float(np.sqrt(width @ off**2 / width.sum())))
        gaps.append(evidence.quantities["largest_gap"])
        verdict = rule.judge(evidence)
        if verdict.stop:
            break
    what = quantities(family)
    found = certify(learner.present, evidence, what, samples=SAMPLES, seed=seed)
    return Run(found, verdict.reason, np.array(rmse), np.array(gaps), learner, truth, what)


def evidence_of(learner: SpectrumLearner) -> Evidence:
    """The learner's evidence, with what targets on the curve and the gate on residuals need."""
    evidence, told = learner.evidence(), learner.observations
    x, y, sigma = (np.array([getattr(o, key) for o in told]) for key in ("x", "y", "sigma"))
    at = learner.axis.index(x)
    known = certificate.curve_quantities(learner.present, evidence, at, y, sigma)
    return replace(evidence, quantities={**evidence.quantities, **known})
