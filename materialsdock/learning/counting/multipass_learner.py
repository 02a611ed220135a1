"""The diffraction learner: counting time, not positions, is what it allots.

Choosing single 2θ positions misses weak peaks.  Here pass 0 counts the whole range for a short
time; each later pass counts again where a peak of the instrument's width may stand out.

What is best for one purpose is worst for another, so the objective is an explicit choice:
peaks (positions and areas), profile (the whole curve), and, when structures are known, fractions
and parameter (their weights, or one number of theirs: steered_learner).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.counting import allocation
from materialsdock.learning.counting.blocks import BlockPosterior
from materialsdock.learning.counting.passes import Pass
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.learning.people import within
from materialsdock.model import Axis, Evidence, FloatArray, Observation, Proposal

THRESHOLDS = (1.0, 1.5, 2.0, 2.5)  # σ, of the passes after the first; the last one goes on
WORTH_A_PASS = 0.01  # of all positions: fewer are left as they are
DETECTED = 5.0  # expected σ of a peak that is not missed
NEARLY = 0.95  # of all positions
Objective = Literal["peaks", "profile"]


def _place(observation: Observation) -> tuple[int, float]:
    return observation.step, observation.x


class MultiPassLearner:
    """Learns the count rate on an even 2θ axis; satisfies protocols.Learner.

    full_time_s : seconds per position of the full scan it is measured against
    fwhm_deg : the instrument's peak width; first_fraction, pass_fraction : of full_time_s
    capacity_s : most seconds per position (default full_time_s)
    objective : "peaks" counts where peaks are, "profile" everywhere with time ∝ √rate
    windows : (n, 2) ranges [deg] where known phases have peaks, counted in every pass
    """

    def __init__(
        self,
        axis: Axis,
        *,
        full_time_s: float,
        fwhm_deg: float,
        first_fraction: float = 0.12,
        pass_fraction: float = 0.08,
        objective: Objective = "peaks",
        segment_points: int = 64,
        capacity_s: float | None = None,
        velocity_deg_s: float = 5.0,
        settle_s: float = 0.1,
        windows: FloatArray | None = None,
    ) -> None:
        self.axis, self.full_time_s, self.fwhm_deg = axis, full_time_s, fwhm_deg
        self.first_fraction, self.pass_fraction = first_fraction, pass_fraction
        self.objective, self.segment_points = objective, segment_points
        self.capacity_s = capacity_s or full_time_s
        self.velocity_deg_s, self.settle_s = velocity_deg_s, settle_s
        self.step_deg = float(axis.grid[1] - axis.grid[0])
        self.peak = allocation.shape(fwhm_deg, self.step_deg)
        self.known = self._mask(windows)
        self.barred = np.zeros(axis.grid.size, dtype=bool)  # vetoed: never planned any more
        self._forced: list[int] = []  # grid indices whose segments come next
        self._told: list[Observation] = []  # by step, then position: observed in any order
        self._uids: set[str] = set()
        self._forget()

    def _forget(self) -> None:
        """Drop what was derived from the order of the observations."""
        self._passes: list[Pass] = []
        self._posterior = BlockPosterior(self.axis.grid, self.fwhm_deg)
        self._taken = 0
        self._step_ends: list[int] = []
        # of the last complete pass
        self._quality = dict.fromkeys(("peak_area_rel_sd", "detectable_strength"), float("inf"))

    def _mask(self, ranges: FloatArray | None) -> allocation.Mask:
        mask = np.zeros(self.axis.grid.size, dtype=bool)
        for lo, hi in [] if ranges is None else np.atleast_2d(ranges):
            mask |= (self.axis.grid >= lo) & (self.axis.grid <= hi)
        return mask

    # -- data ---------------------------------------------------------------------------------

    def tell(self, observations: Iterable[Observation]) -> None:
        """Take in observations: all, or none and a ModelFault for what no counter can give."""
        fresh = {o.uid: o for o in observations if o.uid not in self._uids}
        for uid, o in fresh.items():
            if not (np.isfinite([o.x, o.y, o.count_time_s]).all() and o.y >= 0 < o.count_time_s):
                raise ModelFault(f"rate {o.y} in {o.count_time_s} s at {o.x}", where=uid)
        last = self._told[self._taken - 1].step if self._taken else -1
        late = any(o.step <= last for o in fresh.values())
        for o in fresh.values():
            insort(self._told, o, key=_place)
        self._uids.update(fresh)
        if late:
            self._forget()
        elif fresh and self._forced:
            number = self._pass_number(self.steps)
            self._passes[number] = self._with_forced(number)
            self._forced.pop(0)
        self._catch_up()

    def _catch_up(self) -> None:
        """Give each new step to the posterior, and plan a pass whenever one is complete."""
        while self._taken < len(self._told):
            step = self._told[self._taken].step
            end = bisect_right(self._told, step, lo=self._taken, key=lambda o: o.step)
            batch = self._told[self._taken : end]
            number = self._pass_number(len(self._step_ends))
            at = self.axis.index(np.array([o.x for o in batch]))
            seconds = np.array([o.count_time_s for o in batch])
            counts = np.rint(np.array([o.y for o in batch]) * seconds)
            self._posterior.update(at, counts, seconds, number)
            self._taken = end
            self._step_ends.append(end)
            if self.steps == self._passes[number].end:
                self._complete(number)

    def _complete(self, number: int) -> None:
        if number == 0:
            self._posterior.learn(self._rates()[0])
        p, (rate, significances) = self._posterior, self._rates()
        margin = round(self.fwhm_deg / self.step_deg)
        area = allocation.area_relative_sd(p.counts, p.seconds, rate, significances, margin)
        least = allocation.detectable_amplitude(p.seconds, rate, self.peak, DETECTED)
        least[p.seconds == 0] = np.inf
        least = least[~self.barred] if not self.barred.all() else least
        strength = float(np.quantile(least, NEARLY, method="higher"))
        self._quality = {"peak_area_rel_sd": area, "detectable_strength": strength}

    @property
    def steps(self) -> int:
        """The number of segments counted so far."""
        return len(self._step_ends)

    @property
    def passes(self) -> int:
        """The number of passes begun so far."""
        return sum(p.first_step < self.steps for p in self._passes)

    def _rates(self) -> tuple[FloatArray, FloatArray]:
        """Background rate and significance (m,) of the merged data."""
        p = self._posterior
        rate = allocation.background(p.counts, p.seconds, self.fwhm_deg, self.step_deg)
        return rate, allocation.significance(p.counts, p.seconds, rate, self.peak)

    # -- passes -------------------------------------------------------------------------------

    def _pass_number(self, step: int) -> int:
        """The pass that `step` belongs to; plans passes up to it from the data before them."""
        while not self._passes or step >= self._passes[-1].end:
            planned = self._plan(len(self._passes))
            if not planned.segments:
                return max(len(self._passes) - 1, 0)
            self._passes.append(planned)
        return next(i for i, p in enumerate(self._passes) if step < p.end)

    def _plan(self, number: int) -> Pass:
        first_step = self._passes[-1].end if self._passes else 0
        if number == 0:
            found = allocation.segments(~self.barred, self.segment_points, 0)
            seconds = self.first_fraction * self.full_time_s
            return Pass(first_step, tuple(found), (seconds,) * len(found), (0.0,) * len(found))
        rate, significances = self._rates()
        seconds = self.pass_fraction * self.full_time_s
        left = self.capacity_s - self._posterior.seconds
        mask = left >= 0.5 * seconds
        if self.objective == "peaks":
            threshold = THRESHOLDS[min(number, len(THRESHOLDS)) - 1]
            margin = round(self.fwhm_deg / self.step_deg)
            wide = allocation.windows(significances, threshold, margin)
            p = self._posterior
            core = allocation.cores(p.counts, p.seconds, rate, self.peak, threshold)
            mask &= (wide & core) | self.known
        mask &= ~self.barred
        if mask.sum() < WORTH_A_PASS * mask.size:
            return Pass(first_step, (), (), ())
        bridge = 0 if self.barred.any() else int(self.settle_s / seconds)
        found = allocation.segments(mask, self.segment_points, bridge)
        if number % 2:  # back the way it came
            found.reverse()
        times = [self._time(a, b, seconds) for a, b in found]
        scores = [float(significances[a : b + 1].mean()) for a, b in found]
        return Pass.of(first_step, zip(found, times, scores, strict=True))

    def _time(self, first: int, last: int, seconds: float) -> float:
        """Seconds per position of a segment: what the pass gives, within what is left."""
        at = slice(first, last + 1)
        if self.objective == "profile":
            rate = self._posterior.counts / np.maximum(self._posterior.seconds, 1e-12)
            root = np.sqrt(np.maximum(rate, 0.0))
            seconds *= float(root[at].mean() / max(root.mean(), 1e-12))
        left = float((self.capacity_s - self._posterior.seconds[at]).min())
        return min(seconds, left) if left > 1e-9 else 0.0

    def ask(self) -> Proposal | None:
        """The next segment, or None when every window has its capacity."""
        number = self._pass_number(self.steps)
        now = self._with_forced(number) if self._forced else self._passes[number]
        return now.proposal(self.steps, self.axis.grid, number)

    def exclude(self, low: float, high: float) -> None:
        """Never propose a position from `low` to `high` any more."""
        number = self._pass_number(self.steps)
        now = self._passes[number]
        self.barred |= within(self.axis, low, high)
        self._forced = [i for i in self._forced if not self.barred[i]]
        self._passes[number:] = [now.without(self.barred, self.steps)]
        if 0 < self.steps == self._passes[number].end < now.end:
            self._complete(number)

    def force(self, x: float) -> None:
        """Propose the segment that holds `x` next, after those forced before."""
        self._forced.append(int(self.axis.index(x)))

    def _with_forced(self, number: int) -> Pass:
        """The present pass with the segment of the first forced position next in it."""
        even = allocation.segments(~self.barred, self.segment_points, 0)
        segment = next((a, b) for a, b in even if a <= self._forced[0] <= b)
        share = self.pass_fraction if number else self.first_fraction
        return self._passes[number].ahead(segment, share * self.full_time_s, self.steps)

    def look_ahead(self) -> None:
        """Do nothing: within a pass all is planned, and the next one needs the last counts."""

    # -- what is known ------------------------------------------------------------------------

    def posterior(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and sd of the count rate [1/s] at `x` (n,), from the nearest steps."""
        mean, sd = self._posterior.rate()
        at = self.axis.index(np.asarray(x, dtype=float))
        return mean[at], sd[at]

    def hyperparameters(self) -> Mapping[str, float]:
        """lengthscale [deg] and variance [1/s] of the Gaussian process in √rate; the pass."""
        kernel = self._posterior.kernel
        return {
            "lengthscale": kernel.lengthscale,
            "variance": kernel.variance,
            "passes": float(self.passes),
        }

    def evidence(self) -> Evidence:
        """Innovations of every observation; a group is a pass.

        quantities: points (observations), positions (grid), seconds, passes, largest_gap [deg],
        resolution [deg], max_sd and noise_sd of √rate, peak_area_rel_sd, and
        detectable_strength: height [1/s] of a peak that would not have been missed in 95 % of
        the range (in the wing of a strong one, more is needed); inf where it was not all counted.
        """
        s, z2, group = self._posterior.innovations()
        complete = bool(group.size) and self.steps == self._passes[int(group[-1])].end
        return Evidence(s, z2, group, complete, self._quantities(complete), self.axis.unit)

    def _quantities(self, complete: bool) -> dict[str, float]:
        p = self._posterior
        seen = (p.seconds > 0) | self.barred  # nothing is looked for in what was vetoed
        empty = np.diff(np.flatnonzero(np.concatenate([[True], seen, [True]])))
        return {
            "points": float(self._taken),
            "positions": float(self.axis.grid.size),
            "seconds": self._seconds(),
            "next_seconds": self._next_seconds(),
            "passes": float(self.passes),
            "largest_gap": float(empty.max() * self.step_deg),
            "resolution": self.axis.resolution,
            "max_sd": p.largest_sd(~self.barred),
            "noise_sd": 0.5 / float(np.sqrt(self.full_time_s)),
            **self._quality,
            **({"excluded": float(self.barred.sum() * self.step_deg)} if self.barred.any() else {}),
        }

    def _seconds(self) -> float:
        """Instrument time so far: counting, the way to each segment, settling."""
        x = np.array([o.x for o in self._told])
        ends = np.array(self._step_ends, dtype=int)
        starts = np.concatenate([[0], ends[:-1]])
        travel = np.abs(x[starts[1:]] - x[ends[:-1] - 1]).sum() / self.velocity_deg_s
        return float(self._posterior.seconds.sum() + travel + self.settle_s * ends.size)

    def _next_seconds(self) -> float:
        """Instrument time that the next segment takes; 0 where there is none."""
        if (proposal := self.ask()) is None:
            return 0.0
        way = abs(proposal.start - self._told[-1].x) if self._told else 0.0
        counting = proposal.points * proposal.count_time_s
        return float(counting + way / self.velocity_deg_s + self.settle_s)

    def pattern(self) -> Pattern:
        """The merged pattern; sigma from the posterior rate, so that no low count is favoured."""
        p = self._posterior
        seen = p.seconds > 0
        seconds = p.seconds[seen]
        rate = np.maximum(p.rate()[0][seen], 0.5 / seconds)
        return Pattern(
            self.axis.grid[seen], p.counts[seen] / seconds, np.sqrt(rate / seconds), seconds
        )
