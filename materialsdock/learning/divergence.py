"""How much one observation changed the posterior, and the bound on error that follows from it.

With fixed hyperparameters the divergence between successive GP posteriors is a scalar function of
s = v/σ² and z² = (y−m)²/(v+σ²) (Ueno, Ishibashi, Hino & Ono, npj Comput. Mater. 7, 139, 2021).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from materialsdock.model import FloatArray

SMALL_KL = 1e-4  # below it the Lambert form loses its digits: a series is exact there
Reference = Literal["min", "first", "median"]


def forward(s: FloatArray, z2: FloatArray) -> FloatArray:
    """KL(p_{t+1} ‖ p_t), elementwise."""
    return np.asarray(0.5 * (np.log1p(s) - (1.0 - z2) * s / (1.0 + s)))


def backward(s: FloatArray, z2: FloatArray) -> FloatArray:
    """KL(p_t ‖ p_{t+1}), elementwise."""
    return np.asarray(0.5 * (s * (1.0 + z2) - np.log1p(s)))


def error_bound(kl: FloatArray) -> FloatArray:
    """r(KL) = exp(W₀((KL−1)/e) + 1) − 1 = inf_a (KL + eᵃ − 1 − a)/a, elementwise, for KL ≥ 0."""
    kl = np.maximum(np.asarray(kl, dtype=float), 0.0)
    p = np.sqrt(2.0 * kl)
    series = np.expm1(p - p**2 / 3.0 + 11.0 * p**3 / 72.0 - 43.0 * p**4 / 540.0)
    exact = np.expm1(lambertw((kl - 1.0) / np.e).real + 1.0)
    return np.where(kl < SMALL_KL, series, exact)


def bound_changes(
    s: FloatArray, z2: FloatArray, group: NDArray[np.int64], *, per_observation: bool = False
) -> FloatArray:
    """R of each group (g,): r(forward) + r(backward), divergences summed over the group's chain.

    per_observation : divide the sums by the group's size, for groups of thousands (a pass over a
        pattern), whose sum says more of their number than of what was learned
    """
    if not len(s):
        return np.empty(0)
    count = int(group[-1]) + 1
    size = np.maximum(np.bincount(group, minlength=count), 1) if per_observation else 1.0
    ahead = np.bincount(group, forward(s, z2), minlength=count) / size
    back = np.bincount(group, backward(s, z2), minlength=count) / size
    return error_bound(ahead) + error_bound(back)


def ratio(changes: FloatArray, reference: Reference, warmup: int) -> FloatArray:
    """λ of each group (g,): R over R_ref, and 1 during the first `warmup` groups.

    R_ref is the smallest ("min", as the paper's code) or the median of the first warmup + 1
    groups, or the first one (as the paper's formula).  R_ref of zero gives 0: nothing changed.
    """
    if not changes.size:
        return np.empty(0)
    head = changes[: warmup + 1]
    scale = {"min": head.min(), "first": head[0], "median": float(np.median(head))}[reference]
    history = changes / scale if scale > 0 else np.zeros_like(changes)
    history[:warmup] = 1.0
    return np.asarray(history)
