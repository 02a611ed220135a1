"""The change of the posterior by one observation, and the bound on error that follows from it.

With fixed hyperparameters the divergence between successive GP posteriors is a scalar function of
s = v/σ² and z² = (y−m)²/(v+σ²) (Ueno, Ishibashi, Hino & Ono, npj Comput. Mater. 7, 139, 2021).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from materialsdock.model import Evidence, FloatArray

SMALL_KL = 1e-4  # below it the Lambert form loses its digits: a series is exact there
PROGRESS = 0.05  # share by which λ has to fall to count as falling
Reference = Literal["min", "first", "median", "prior"]


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


def judged(evidence: Evidence) -> Evidence:
    """The evidence without what λ does not look at: the first sweep, and an unfinished group.

    `initial` among the quantities says how many groups the first sweep has (default 0).
    """
    first = int(evidence.quantities.get("initial", 0))
    keep = evidence.group >= first
    if not evidence.complete and evidence.group.size:
        keep &= evidence.group < evidence.group[-1]
    return replace(
        evidence, s=evidence.s[keep], z2=evidence.z2[keep], group=evidence.group[keep] - first
    )


def lambda_history(
    evidence: Evidence,
    reference: Reference = "min",
    warmup: int = 10,
    floor_z2: float = 0.0,
    per_observation: bool = False,
) -> FloatArray:
    """λ of every complete group (g,); z² below `floor_z2` is raised to it, against lucky hits.

    reference : as `ratio`, or "prior": what an observation tells when nothing is known, the
        first one with z² = 1, whatever order the first sweep went in
    """
    seen = judged(evidence)
    z2 = np.maximum(seen.z2, floor_z2)
    changes = bound_changes(seen.s, z2, seen.group, per_observation=per_observation)
    if reference != "prior" or not changes.size:
        return ratio(changes, reference, warmup)
    alone = bound_changes(seen.s[:1], np.ones(1), seen.group[:1])
    return ratio(np.concatenate([alone, changes]), "first", warmup + 1)[1:]


def low_for(history: FloatArray, threshold: float) -> int:
    """Count the groups up to now in which λ (g,) has been at or below `threshold`."""
    high = np.flatnonzero(history > threshold)
    return int(history.size - (high[-1] + 1 if high.size else 0))


def stalled(history: FloatArray, warmup: int, window: int, patience: int) -> int | None:
    """Return how many groups ago λ (g,) last made progress, when that is too long ago; else None.

    The largest of `window` successive λ is compared: over the latest `patience` groups, or half of
    all when that is more, it has to fall at least once by `PROGRESS` below what it was before.
    An n-fold measurement lowers λ as 1/sqrt(n), so whoever still learns is well clear of this.
    """
    span = max(patience, history.size // 2)
    if patience < 1 or history.size < warmup + window + span:
        return None
    worst = np.lib.stride_tricks.sliding_window_view(history[warmup:], window).max(axis=1)
    before, lately = worst[:-span], worst[-span:]
    return span if lately.min() > (1.0 - PROGRESS) * before.min() else None
