"""Predict after the first sweep whether an expert's grid is faster than the learner's sweeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.curve.sweeps import Costs, Outset, nearest, size
from materialsdock.learning.gp.acquisition import travel_order
from materialsdock.model import FloatArray

MARGIN = 0.65  # a first sweep's kernel makes the learner look slower than it turns out


@dataclass(frozen=True)
class Choice:
    """Predicted time [s] until the whole axis is known as well as by the expert's grid.

    plan : (grid index, expected gain) of the expert's positions left, in one pass
    """

    expert_s: float
    learner_s: float
    plan: tuple[tuple[int, float], ...]

    @property
    def expert(self) -> bool:
        """True if some of the expert's grid is left, predicted to be clearly faster."""
        return bool(self.plan) and self.expert_s < MARGIN * self.learner_s

    def sentence(self) -> str:
        """Say what was chosen, and why."""
        if not self.plan:
            return "adaptive sweeps: the first sweep contains all positions of the expert's grid"
        which = "the expert's grid" if self.expert else "adaptive sweeps"
        return (
            f"{which} after the first sweep: predicted {self.learner_s:.0f} s for adaptive sweeps, "
            f"{self.expert_s:.0f} s for the expert's grid; the grid is used where it needs less "
            f"than {100 * MARGIN:.0f} % of the sweeps' time"
        )


def choose(outset: Outset, expert: NDArray[np.int64], weights: FloatArray, costs: Costs) -> Choice:
    """The expert's remaining positions (k,) [grid indices] in one pass, against sweeps.

    A posterior variance does not depend on what will be read, so both can be played ahead under
    the present kernel.  The posterior is used up: the expert's points are taken in as pseudo-data.
    """
    engine, measured, noise_variance = outset.engine, outset.measured, outset.noise_variance
    grid, here, taken = engine.grid, float(measured[-1]), nearest(engine.grid, measured)
    left = np.setdiff1d(expert, np.flatnonzero(taken))
    left = left[travel_order(grid[left], here)] if left.size else left
    gains = engine.imse(noise_variance, weights)[left]
    found = engine.sweep(noise_variance, weights, left.size, taken)
    rest = float(weights @ engine.variance) - np.cumsum([score for _, score in found])
    for index in left:
        engine.update(int(index), float(engine.mean[index]), noise_variance)
    enough = np.flatnonzero(rest <= float(weights @ engine.variance))
    needed = grid[[index for index, _ in found[: enough[0] + 1]]] if enough.size else None
    learner_s = np.inf if needed is None else _sweeping(needed, measured.size, here, costs, grid)
    plan = tuple(zip(left.tolist(), gains.tolist(), strict=True))
    return Choice(costs.seconds(grid[left], here), float(learner_s), plan)


def _sweeping(x: FloatArray, n: int, here: float, costs: Costs, grid: FloatArray) -> float:
    """Time [s] to count at `x` (k,), best first, in sweeps as they would be after `n` points."""
    total = 0.0
    while x.size:
        count = size(n, float(np.ptp(grid)), costs)
        sweep = x[:count][travel_order(x[:count], here)]
        total += costs.seconds(sweep, here)
        here, n, x = float(sweep[-1]), n + count, x[count:]
    return total
