"""One measurement up to its stop, with the truth at hand: for tests/benchmarks/stopping.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stopping_spectra import Family

from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.certificate import Certificate, certify
from materialsdock.learning.stopping.quantities import Linear, Quantity, Sampled, area, cell_widths
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import FloatArray, Observation
from materialsdock.protocols import StoppingRule
from materialsdock.techniques.xas.spectrum import wanted_quantities

MOST_POINTS = 200
BUDGET = {"maximum_points": MOST_POINTS}
ROBUST = rule_from_settings(BUDGET)
NOISES = (0.003, 0.01, 0.03)
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
    stops: Mapping[Any, int]  # points at which watched rules would have stopped

    @property
    def points(self) -> int:
        """At the stop."""
        return self.rmse.size

    @property
    def in_budget(self) -> bool:
        """True if the rule itself stopped it."""
        return "budget" not in self.reason and "given up" not in self.reason

    def oracle(self, *, gap: bool) -> int:
        """The smallest n after which the truth stays what the certificate says it is.

        That is: from n on the true rmse is within the certified bound.  gap : and no stretch is
        unmeasured where a feature of the resolution's width could hide, which no error shows
        """
        bad = self.rmse > self.certificate.rmse_bound
        if gap:
            bad = bad | (self.gaps > self.certificate.resolution * (1 + 1e-9))
        return after(bad)

    def oracle_of(self, rmse: float) -> int:
        """The smallest n after which the true rmse stays within a target."""
        return after(self.rmse > rmse)

    def errors(self) -> dict[str, tuple[float, float, float]]:
        """|error|, bound and widened posterior sd of each statement, the curve's rmse first."""
        c = self.certificate
        found = {"rmse": (float(self.rmse[-1]), c.rmse_bound, c.rmse * c.widened)}
        for statement, quantity in zip(c.statements, self.quantities, strict=True):
            if not np.isfinite(statement.bound):  # it says that it does not know
                continue
            error = abs(statement.value - true_value(quantity, self))
            found[quantity.name] = (error, statement.bound, statement.sd * c.widened)
        if c.local is not None:
            grid = self.learner.axis.grid
            inside = (grid >= c.local.low) & (grid <= c.local.high)
            off = np.abs(self.learner.posterior(grid)[0] - self.truth)[inside].max()
            found["local"] = (float(off), c.local.bound, c.local.bound)
        return found


def after(bad: NDArray[np.bool_]) -> int:
    """The number of the first point after the last bad one."""
    return int(np.flatnonzero(bad)[-1]) + 2 if bad.any() else 1


def true_value(quantity: Quantity, run: Run) -> float:
    """Return the value of a quantity for the true curve."""
    if isinstance(quantity, Sampled):
        return quantity.of(run.learner.axis.grid, run.truth)
    assert isinstance(quantity, Linear)
    return quantity.of(run.truth)


def quantities(family: Family) -> tuple[Quantity, ...]:
    """List what is certified of a family: four numbers of the edge and the area around it."""
    lo, hi = family.narrow_ev
    around = area(family.grid, lo, hi)
    return (
        *(
            wanted_quantities.quantities(wanted_quantities.NAMED, family.grid)
            if family.analysed
            else ()
        ),
        around,
    )


def measure(
    family: Family,
    seed: int,
    noise: float,
    rule: StoppingRule = ROBUST,
    *,
    stated: float = 1.0,
    watched: Mapping[Any, StoppingRule] = MappingProxyType({}),
) -> Run:
    """Measure one spectrum until the rule stops; `stated`: noise sd as given over the true one.

    watched : rules that stop nothing, but Run.stops says when they would have
    """
    rng = np.random.default_rng([20, seed])
    truth = family.draw(family.grid, rng)
    axis, width = family.axis, cell_widths(family.grid)
    learner = SpectrumLearner(
        axis,
        count_time_s=1.0,
        narrow=family.narrow_ev,
        widest=family.widest,
        initial=family.initial,
    )
    rmse, gaps, step = [], [], 0
    stops: dict[Any, int] = {}
    while True:
        x = learner.ask().start
        y = truth[int(axis.index(x))] + noise * rng.standard_normal()
        learner.tell([Observation(f"b/{step}", step, x, y, stated * noise, 1.0, "b")])
        step += 1
        evidence = learner.evidence()
        off = learner.present.mean - truth
        rmse.append(float(np.sqrt(width @ off**2 / width.sum())))
        gaps.append(evidence.quantities["largest_gap"])
        for name, other in watched.items():
            if name not in stops and other.judge(evidence).stop:
                stops[name] = step
        verdict = rule.judge(evidence)
        if verdict.stop:
            break
    what = quantities(family)
    found = certify(
        learner.present, evidence, what, samples=SAMPLES, seed=seed, within=family.narrow_ev
    )
    history = np.array(rmse), np.array(gaps)
    return Run(found, verdict.reason, *history, learner, truth, what, stops)


def flat(found: Mapping[str, list[Run]]) -> list[Run]:
    """All runs."""
    return [r for many in found.values() for r in many]


def share(hits: Iterable[bool]) -> float:
    """Of all."""
    return round(float(np.mean(list(hits))), 4)
