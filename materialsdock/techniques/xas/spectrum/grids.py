"""Energy grids as an expert lays them: coarse before the edge, fine on it, even in k beyond."""

from __future__ import annotations

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.sampling import NEAR_EV, Sampling

EV_PER_INVERSE_ANGSTROM_SQUARED = 3.8099821  # ħ²/2m
EDGE_END_EV = 50.0
CANDIDATE_EV = 0.2
REACH_ANGSTROM = 4.0  # shells beyond it hardly show in what is measured in a hurry
NYQUIST_K = np.pi / (2.0 * REACH_ANGSTROM)  # [1/Å], two points a period
FIRST_SHARE = 0.95
PRE_EDGE_STEP_EV = 30.0


def region_grid(
    lo: float,
    hi: float,
    e0: float,
    *,
    pre_step: float = 10.0,
    edge_step: float = 0.3,
    k_step: float = 0.05,
) -> FloatArray:
    """Three regions about e0 [eV]: pre-edge to −20, edge to +50, then equal steps in k [1/Å].

    Clipped to [lo, hi], both ends included.
    """
    k_first = np.sqrt(EDGE_END_EV / EV_PER_INVERSE_ANGSTROM_SQUARED)
    k_last = np.sqrt(max(hi - e0, EDGE_END_EV) / EV_PER_INVERSE_ANGSTROM_SQUARED)
    k = np.arange(k_first, k_last + k_step, k_step)
    grid = np.concatenate(
        [
            np.arange(min(lo, e0 - 20.0), e0 - 20.0, pre_step),
            np.arange(e0 - 20.0, e0 + EDGE_END_EV, edge_step),
            e0 + EV_PER_INVERSE_ANGSTROM_SQUARED * k**2,
            [lo, hi],
        ]
    )
    return np.unique(np.round(grid[(grid >= lo) & (grid <= hi)], 4))


def expert_grid(lo: float, hi: float, e0: float, sampling: Sampling) -> FloatArray:
    """Lay the grid of an expert in a hurry: the edge as `sampling` says, 0.1 1/Å beyond it."""
    grid = region_grid(lo, hi, e0, edge_step=sampling.near_ev, k_step=0.1)
    return _finer(grid, e0, sampling, sampling.fine_ev)


def _finer(grid: FloatArray, e0: float, sampling: Sampling, step: float) -> FloatArray:
    """`grid` with a step [eV] of its own in the narrow range of `sampling`, where that is finer."""
    if sampling.fine_ev == sampling.near_ev:
        return grid
    low, high = (e0 + end for end in sampling.narrow_ev)
    rest = grid[(grid < low) | (grid > high)]
    fine = np.arange(low, high + step / 2, step)
    inside = fine[(fine >= grid[0]) & (fine <= grid[-1])]
    return np.unique(np.round(np.concatenate([rest, inside]), 4))


def prior_grid(lo: float, hi: float) -> FloatArray:
    """Lay the grid on which a library prior is kept, relative to its edge."""
    return region_grid(lo, hi, 0.0, pre_step=2.0, edge_step=0.5, k_step=0.04)


def candidate_step(resolution: float) -> float:
    """Step [eV] of `candidate_grid` on the edge: two a resolution [eV] at least."""
    return min(CANDIDATE_EV, resolution / 2)


def candidate_grid(lo: float, hi: float, e0: float, resolution: float) -> FloatArray:
    """Lay the grid on which a learner may count: finer than an expert's in every region."""
    step = candidate_step(resolution)
    return region_grid(lo, hi, e0, pre_step=2.0, edge_step=step, k_step=0.03)


def start_grid(lo: float, hi: float, e0: float, sampling: Sampling) -> FloatArray:
    """Positions of `candidate_grid` to begin with.

    Even across the edge region, with gaps that fall to what `sampling` says or just below it when
    they are halved twice; beyond it just dense enough that no oscillation of `widest` is missed.
    """
    finest = candidate_step(sampling.fine_ev)
    step, fine = (
        4 * max(1, int(gap / finest + 1e-9)) * finest
        for gap in (sampling.near_ev, sampling.fine_ev)
    )
    edge = np.arange(e0 - 20.0, e0 + EDGE_END_EV, step)
    before = np.arange(lo, e0 - 20.0 - step / 2, PRE_EDGE_STEP_EV)
    k_first, k_last = (
        np.sqrt(max(energy, 1.0) / EV_PER_INVERSE_ANGSTROM_SQUARED)
        for energy in (EDGE_END_EV - step, hi - e0)
    )
    k = np.arange(k_first, k_last, FIRST_SHARE * NYQUIST_K)[1:]
    grid = np.concatenate([before, edge, e0 + EV_PER_INVERSE_ANGSTROM_SQUARED * k**2, [lo, hi]])
    grid = np.unique(np.round(grid[(grid >= lo) & (grid <= hi)], 4))
    return _finer(grid, e0, sampling, fine)


def widest(
    grid: FloatArray, narrow: tuple[float, float], e0: float, near_ev: float = np.inf
) -> FloatArray:
    """(m,) widest stretch [eV] that may stay unmeasured about each position outside `narrow`.

    Above it EXAFS of shells as far as REACH_ANGSTROM is sampled twice a period, π/2R in k
    (Nyquist); below it nothing is sharp: as far as the edge is away.  Inside it, where
    the resolution is the limit, there is none here: the whole axis.
    near_ev : the widest about the edge, NEAR_EV
    """
    k = np.sqrt(np.maximum(grid - e0, 0.0) / EV_PER_INVERSE_ANGSTROM_SQUARED)
    above = 2.0 * EV_PER_INVERSE_ANGSTROM_SQUARED * k * NYQUIST_K
    below = np.maximum(e0 - grid, 1.0)
    inside = (grid >= narrow[0]) & (grid <= narrow[1])
    found = np.where(inside, grid[-1] - grid[0], np.where(grid > narrow[1], above, below))
    about = ~inside & (grid >= e0 + NEAR_EV[0]) & (grid <= e0 + NEAR_EV[1])
    return np.where(about, np.minimum(found, near_ev), found)
