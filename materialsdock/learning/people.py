"""The requests of people besides, or instead of, what a learner has planned.

Forced positions come before the rest of a sweep; vetoed ones drop out of it, and out of all plans
made later.  What was planned and counted before stays as it was.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from materialsdock.model import Axis, FloatArray

FORCED = math.inf  # the score of what a person asked for
Mask = NDArray[np.bool_]
Plan = tuple[tuple[int, float], ...]  # (grid index, score) in the order they are counted


def within(axis: Axis, low: float, high: float) -> Mask:
    """(m,) grid positions from `low` to `high`; for a single position the nearest one."""
    if low == high:
        mask = np.zeros(axis.grid.size, dtype=bool)
        mask[axis.index(low)] = True
        return mask
    return np.asarray((axis.grid >= low) & (axis.grid <= high))


class Detours:
    """The vetoes and forced positions of a learner that plans in sweeps of single positions.

    forced : grid indices that come next; sweeps : by the number of observations before each, the
    sweeps that were changed after they had been planned
    """

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.forced: list[int] = []
        self.sweeps: dict[int, Plan] = {}
        self._vetoes: list[tuple[int, Mask]] = []

    def barred(self, n: float = math.inf) -> Mask:
        """(m,) what a plan made after `n` observations must leave out; by default all by now."""
        found = np.zeros(self.axis.grid.size, dtype=bool)
        for since, mask in self._vetoes:
            if since <= n:
                found |= mask
        return found

    def allowed(self, n: int, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of grid `indices` that a plan made after `n` observations may hold."""
        return indices[~self.barred(n)[indices]] if self._vetoes else indices

    def first(self, planned: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what is left of the first sweep; even ones of the others where nothing is left."""
        left = self.allowed(0, planned)
        others = np.flatnonzero(~self.barred(0))
        if left.size or not others.size:
            return left
        even = np.linspace(0, others.size - 1, planned.size).round().astype(int)
        return np.unique(others[even])

    def room(self, n: int, x: FloatArray, wanted: int) -> int:
        """Return how many of `wanted` positions a sweep after the `n` at `x` can have."""
        open_ = ~self.barred(n)
        free = open_.copy()
        free[self.axis.index(x)] = False
        return min(wanted, int(free.sum()) or int(open_.sum()))

    def exclude(self, low: float, high: float, n: int, start: int, plan: Plan) -> None:
        """Veto an interval after `n` observations, in the sweep that began after `start`."""
        mask = within(self.axis, low, high)
        self._vetoes.append((n, mask))
        self.forced = [i for i in self.forced if not mask[i]]
        if n > start:  # a sweep that only begins is planned anew
            done, left = plan[: n - start], plan[n - start :]
            self.sweeps[start] = (*done, *(entry for entry in left if not mask[entry[0]]))

    def took(self, n: int, start: int, plan: Plan) -> None:
        """The observation after the `n` before is of the first forced position."""
        index = self.forced.pop(0)
        left = (entry for entry in plan[n - start :] if entry[0] != index)  # it need not come twice
        self.sweeps[start] = (*plan[: n - start], (index, FORCED), *left)

    def excluded(self) -> dict[str, float]:
        """`excluded` [unit of the axis], how much of it is vetoed; nothing where nothing is."""
        if not self._vetoes:
            return {}
        return {"excluded": float(np.gradient(self.axis.grid)[self.barred()].sum())}
