"""Energy grids as an expert lays them: coarse before the edge, fine on it, even in k beyond."""

from __future__ import annotations

import numpy as np

from materialsdock.model import FloatArray

EV_PER_INVERSE_ANGSTROM_SQUARED = 3.8099821  # ħ²/2m
EDGE_END_EV = 50.0
CANDIDATE_EV = 0.2


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


def expert_grid(lo: float, hi: float, e0: float, resolution: float) -> FloatArray:
    """What an expert in a hurry would scan: the edge at `resolution` [eV], 0.1 1/Å beyond it."""
    return region_grid(lo, hi, e0, edge_step=resolution, k_step=0.1)


def candidate_grid(lo: float, hi: float, e0: float) -> FloatArray:
    """Where a learner may count: finer than an expert's grid in every region."""
    return region_grid(lo, hi, e0, pre_step=2.0, edge_step=CANDIDATE_EV, k_step=0.03)


def start_grid(lo: float, hi: float, e0: float, count: int, resolution: float) -> FloatArray:
    """About `count` positions of `candidate_grid` to begin with.

    Even across the edge region, with gaps that fall to `resolution` [eV] or just below it when
    they are halved twice; sparse outside.
    """
    step = 4 * max(1, int(resolution / CANDIDATE_EV + 1e-9)) * CANDIDATE_EV
    edge = np.arange(e0 - 20.0, e0 + EDGE_END_EV, step)
    edge = edge[(edge >= lo) & (edge <= hi)]
    far = region_grid(lo, hi, e0, pre_step=30.0, edge_step=step, k_step=0.5)
    outside = far[(far < e0 - 20.0 - step / 2) | (far > e0 + EDGE_END_EV + step / 2)]
    room = max(count - edge.size, 4)
    if outside.size > room:
        keep = np.unique(np.rint(np.linspace(0, outside.size - 1, room)).astype(int))
        outside = outside[keep]
    return np.unique(np.round(np.concatenate([edge, outside, [lo, hi]]), 4))
