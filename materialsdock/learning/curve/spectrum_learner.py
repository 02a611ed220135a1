"""The spectrum learner: sorted sweeps to where a non-stationary Gaussian process knows least.

A stationary GP's variance does not see the data: choosing its maximum is a uniform scan.  Here the
axis is warped by the curvature found so far, and every sweep lowers the integrated variance.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.curve import sweeps
from materialsdock.learning.curve.arrays import columns, gaps, height, merged, usable
from materialsdock.learning.curve.expert_grid import Choice, choose
from materialsdock.learning.curve.model_of_sweep import (
    LEAST,
    Knowledge,
    Model,
    beginning,
    first_positions,
    learned,
)
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.learning.curve.sweeps import Costs, Interest, Outset
from materialsdock.learning.gp.kalman import warm_up
from materialsdock.learning.gp.posterior import Engine, engine
from materialsdock.learning.people import FORCED, Detours, Plan
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.learning.stopping.certificate import curve_quantities
from materialsdock.learning.stopping.quantities import Quantity, as_evidence, estimates
from materialsdock.model import Axis, Evidence, FloatArray, Observation, Proposal


class SpectrumLearner:
    """Learns y(x) on `axis`; satisfies protocols.Learner.

    count_time_s : per point; initial : (k,) positions of the first sweep, default 12 even ones
    velocity [unit/s], settle_s : what motion costs: the size of sweeps, their order, `seconds`
    narrow : (lo, hi) where features as narrow as the axis' resolution may hide; default all of it
    widest : (m,) how wide a stretch elsewhere may stay unmeasured; default any
    weights : (m,) what the variance at each grid position is worth; default the axis it stands for
    expert : (k,) positions an expert would count, taken after the first sweep if predicted faster
    wanted : quantities of the curve; as NAME and NAME_sd among the evidence, from sweep to sweep
    prior : from a library of standards; the learner goes on without it when the counts disagree
    A sweep's hyperparameters and plan follow from the observations before it but for the last,
    which is only known to be counted: so they are at hand when it has been.  A learner told the
    same observations again goes on exactly as before.
    """

    def __init__(
        self,
        axis: Axis,
        *,
        count_time_s: float,
        initial: FloatArray | None = None,
        model: Model = "warped",
        acquisition: sweeps.Acquisition = "imse",
        velocity: float = 20.0,
        settle_s: float = 0.1,
        narrow: tuple[float, float] | None = None,
        widest: FloatArray | None = None,
        weights: FloatArray | None = None,
        expert: FloatArray | None = None,
        wanted: Sequence[Quantity] = (),
        prior: LibraryPrior | None = None,
        seed: int = 0,
    ) -> None:
        warm_up()
        self.axis, self.model, self.seed = axis, model, seed
        self.costs = Costs(count_time_s, velocity, settle_s)
        narrow = narrow or (float(axis.grid[0]), float(axis.grid[-1]))
        weights = np.gradient(axis.grid) if weights is None else np.asarray(weights)
        self.interest = Interest(weights, narrow, axis.resolution, widest, acquisition)
        self.expert = np.empty(0) if expert is None else np.asarray(expert)
        self.wanted, self.prior = tuple(wanted), prior
        start = first_positions(axis, prior, weights) if initial is None else initial
        self.first = np.unique(axis.index(start))
        self._detours = Detours(axis)
        self._told: list[tuple[int, str, Observation]] = []
        self._uids: set[str] = set()
        self._knowledge = lru_cache(maxsize=2)(self._learn)
        self._planned = lru_cache(maxsize=2)(self._plan_sweep)
        self._choice = lru_cache(maxsize=None)(self._choose)
        self._estimates = lru_cache(maxsize=2)(self._estimate)
        self._posterior: Engine | None = None
        self._learned_at = 0  # the sweep's boundary that the posterior's kernel comes from

    # -- data ---------------------------------------------------------------------------------

    def tell(self, observations: Iterable[Observation]) -> None:
        """Take in observations: all of them, or none and a ModelFault naming one not usable."""
        fresh = {o.uid: o for o in observations if o.uid not in self._uids}
        for uid, o in fresh.items():
            if not usable(o):
                raise ModelFault(f"x = {o.x}, y = {o.y}, sigma = {o.sigma}", where=uid)
        if fresh and self._detours.forced:
            self._detours.took(*self._present_sweep())
        for o in fresh.values():
            late = bool(self._told) and (o.step, o.uid) < self._told[-1][:2]
            insort(self._told, (o.step, o.uid, o))
            self._uids.add(o.uid)
            if late:  # received out of order: what was derived from the order is void
                for cache in (self._knowledge, self._planned, self._choice, self._estimates):
                    cache.cache_clear()
                self._posterior = None
        self._catch_up()

    @property
    def observations(self) -> list[Observation]:
        """All observations in acquisition order."""
        return [o for _, _, o in self._told]

    def _catch_up(self) -> None:
        boundary = self._starts(len(self._told))[-1]
        if self._posterior is None or self._learned_at != boundary:
            self._posterior, self._learned_at = self._given(boundary, boundary), boundary
        for o in self.observations[len(self._posterior) :]:
            self._posterior.update(int(self.axis.index(o.x)), o.y, o.sigma**2)

    def _given(self, boundary: int, n: int) -> Engine:
        """Posterior of the sweep that begins after `boundary`, given the first `n` observations."""
        known = self._knowledge(boundary)
        posterior = engine(self.axis.grid, known.kernel, known.mean)
        x, y, noise = columns(self.observations[:n])
        posterior.replay(self.axis.index(x), y, noise)
        return posterior

    # -- sweeps -------------------------------------------------------------------------------

    def _starts(self, n: int) -> list[int]:
        """Return how many observations there were when each sweep up to now began."""
        starts, count = [0], self._count(0)
        while count and starts[-1] + count <= n:
            starts.append(starts[-1] + count)
            count = self._count(starts[-1])
        return starts

    def _present_sweep(self) -> tuple[int, int, Plan]:
        """Return the number of observations, that when the present sweep began, and its plan."""
        n = len(self._told)
        start = self._starts(n)[-1]
        return n, start, self._plan(start)

    def _index(self, n: int) -> int:
        """Grid index of the n-th observation."""
        return int(self.axis.index(self._told[n - 1][2].x))

    def _count(self, n: int, last: int | None = None) -> int:
        """Size of the sweep after `n` observations, the last of them at grid index `last`."""
        if n in self._detours.sweeps:
            return len(self._detours.sweeps[n])
        if n == 0:
            return int(self._detours.first(self.first).size)
        last = self._index(n) if last is None else last
        choice = self._choice(n, last)
        if choice is not None and choice.expert:
            return len(choice.plan)
        size = sweeps.size(n, float(np.ptp(self.axis.grid)), self.costs)
        if not self._detours.barred(n).any():
            return size
        x = np.append(columns(self.observations[: n - 1])[0], self.axis.grid[last])
        return self._detours.room(n, x, size)

    def _learn(self, n: int) -> Knowledge:
        """Learn kernel and mean from the first `n` observations but for the last one.

        When no kernel can be learned the last good one stays.
        """
        if n <= LEAST:
            return beginning(self.axis, self.prior)
        try:
            data = columns(self.observations[: n - 1])
            return learned(self.axis, data, self.model, self.prior)
        except ModelFault:
            before = self._knowledge(self._starts(n - 1)[-1])
            return before._replace(held=before.held + 1)

    def _pending(self, n: int, last: int) -> Outset:
        """Return what is known while the n-th point, at `last`, is being counted."""
        posterior = self._given(n, n - 1)
        x, _, noise = columns(self.observations[: n - 1])
        noise_variance = float(np.median(noise)) if noise.size else 1.0
        posterior.update(last, float(posterior.mean[last]), noise_variance)
        return Outset(posterior, np.append(x, self.axis.grid[last]), noise_variance)

    def _plan_sweep(self, n: int, last: int) -> Plan:
        """(grid index, score) of the sweep after `n` observations, in travel order."""
        if n == 0:
            return tuple((int(i), 0.0) for i in self._detours.first(self.first))
        choice = self._choice(n, last)
        if choice is not None and choice.expert:
            return choice.plan
        outset, count = self._pending(n, last), self._count(n, last)
        told = columns(self.observations[: n - 1])
        doubted = sweeps.doubt(outset.engine, *told, self.axis.resolution)
        return sweeps.plan(outset, self.interest, count, doubted, self._detours.barred(n))

    def _choose(self, n: int, last: int) -> Choice | None:
        """Choose between learner and expert's grid after the first sweep; None without a grid."""
        if n != self._count(0) or n <= LEAST or not self.expert.size:
            return None
        expert = self._detours.allowed(n, np.unique(self.axis.index(self.expert)))
        return choose(self._pending(n, last), expert, self.interest.weights, self.costs)

    def ask(self) -> Proposal | None:
        """The next position of the present sweep."""
        n, start, plan = self._present_sweep()
        if self._detours.forced:
            plan = (*plan[: n - start], (self._detours.forced[0], FORCED))
        if n - start >= len(plan):
            return None  # every position is vetoed
        index, score = plan[n - start]
        x, sweep = float(self.axis.grid[index]), len(self._starts(n)) - 1
        return Proposal(x, x, self.costs.count_time_s, score=score, sweep=sweep)

    def _plan(self, start: int) -> Plan:
        changed = self._detours.sweeps.get(start)
        return changed or self._planned(start, self._index(start) if start else -1)

    def look_ahead(self) -> None:
        """Plan the next sweep while the last point of this one is counted."""
        n, start, now = self._present_sweep()
        if n + 1 == start + len(now) and not self._detours.forced:
            self._planned(n + 1, now[-1][0])

    def exclude(self, low: float, high: float) -> None:
        """Never propose a position from `low` to `high` any more."""
        self._detours.exclude(low, high, *self._present_sweep())
        self._planned.cache_clear()  # looked ahead without it
        self._choice.cache_clear()
        self._catch_up()

    def force(self, x: float) -> None:
        """Propose the position nearest to `x` next, after those forced before."""
        self._detours.forced.append(int(self.axis.index(x)))

    # -- what is known ------------------------------------------------------------------------

    @property
    def present(self) -> Engine:
        """The posterior given all observations."""
        if self._posterior is None:
            self._posterior = self._given(0, 0)
        return self._posterior

    def posterior(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and sd of the latent curve at `x` (n,)."""
        return self.present.at(np.asarray(x, dtype=float))

    def sample(self, x: FloatArray, size: int, seed: int) -> FloatArray:
        """`size` posterior curves (size, n) at `x` (n,)."""
        return self.present.sample(x, size, np.random.default_rng(seed))

    @property
    def knowledge(self) -> Knowledge:
        """The kernel and the prior mean that the present sweep is planned with."""
        return self._knowledge(self._learned_at)

    @property
    def choice(self) -> Choice | None:
        """The choice between learner's sweeps and expert's grid; None before there is one."""
        start = self._count(0)
        return self._choice(start, self._index(start)) if len(self._told) >= start > 0 else None

    def hyperparameters(self) -> Mapping[str, float]:
        """lengthscale [units of the warped axis], variance, prior mean, whether it is warped.

        held : for how many sweeps they could not be learned anew; expert_s, learner_s : time
        predicted for the expert's grid and for sweeps, where there was the choice; library :
        whether the library prior agrees with the counts, where there is one
        """
        kernel, choice = self.present.kernel, self.choice
        _, _, held, library = self.knowledge
        predicted = {"expert_s": choice.expert_s, "learner_s": choice.learner_s} if choice else {}
        return {
            "lengthscale": kernel.lengthscale,
            "variance": kernel.variance,
            "mean": self.present.prior_mean,
            "warped": float(kernel.warp is not None),
            **({} if library is None else {"library": float(library.ok)}),
            "held": float(held),
            **predicted,
        }

    def evidence(self) -> Evidence:
        """Innovations under the present hyperparameters, one group a point, and the quantities.

        The first sweep is part of it: there each point tells what a point tells when nothing is
        known, which is the yardstick of λ.
        """
        told, present, barred = self.observations, self.present, self._detours.barred()
        x, y, noise = columns(told)
        variance = present.variance if barred.all() else present.variance[~barred]
        seen = np.append(x, self.axis.grid[barred])  # no rule waits for what may not be counted
        quantities = {
            "points": float(x.size),
            "count_seconds": float(sum(o.count_time_s for o in told)),
            "seconds": self.costs.seconds(x),
            "max_sd": float(np.sqrt(variance.max())),
            "median_sd": float(np.sqrt(np.median(variance))),
            "noise_sd": float(np.sqrt(np.median(noise))) if x.size else np.inf,
            "height": height(self.axis.grid, present.mean),
            **self._next(x),
            **gaps(seen, self.axis, self.interest.narrow, self.interest.widest),
            **self._probed(),
            **self._detours.excluded(),
        }
        found = Evidence(
            np.array([i.s for i in present.innovations]),
            np.array([i.z2 for i in present.innovations]),
            np.arange(len(present.innovations)),
            quantities=quantities,
            unit=self.axis.unit,
            units={f"{each.name}_sd": each.unit for each in self.wanted},
        )
        of_curve = curve_quantities(present, found, self.axis.index(x), y, noise**0.5)
        all_of_them = {**quantities, **of_curve, **self._estimates(self._learned_at)}
        return replace(found, quantities=all_of_them)

    def _next(self, x: FloatArray) -> dict[str, float]:
        """Time and counting time [s] of the next point after those at x (n,); {} for none."""
        if (proposal := self.ask()) is None:
            return {}
        seconds = self.costs.seconds(proposal.x, float(x[-1]) if x.size else None)
        return {"next_seconds": seconds, "next_count_seconds": proposal.count_time_s}

    def _probed(self) -> dict[str, float]:
        """probe_z2, squared standardised innovation of a probe of the last two sweeps."""
        for start in self._starts(len(self._told))[:0:-1][:2]:  # whose plans are at hand
            scores = [score for _, score in self._plan(start)]
            told = zip(scores, self.present.innovations[start:], strict=False)
            if found := [innovation.z2 for score, innovation in told if score == 0.0]:
                return {"probe_z2": found[-1]}
        return {}

    def _estimate(self, n: int) -> dict[str, float]:
        """The wanted quantities given the first `n` observations, where a sweep begins."""
        posterior = self._given(n, n)
        return as_evidence(estimates(posterior, self.wanted, seed=[self.seed, n]))

    def spectrum(self) -> Spectrum:
        """Return the measured spectrum, by energy; repeat visits merged by their precision."""
        return merged(self.axis, self.observations)
