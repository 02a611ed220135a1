"""Factors that are nowhere negative: NMF, how far its answer is free, and the most distinct one.

Where w·h fits, so does w·t⁻¹ · t·h for many t: the rotational ambiguity of mixtures (Tauler 2001
J. Chemometrics 15, 627).  Only what must be ≥ 0 bounds it.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import nnls

from materialsdock.model import FloatArray

MOST_ITERATIONS = 4000
POLISH = 5
CHANNELS = 5
STRONG_SHARE = 0.2
LEAST_ROOM = 0.002
TOLD_ROOM = 0.05
DISTINCT_ROUNDS = 60
NOISE = 1.0  # between a bias of pure ends (0: 4.2 %, 2: 1.0 %) and of none (3.0 %, 5.1 %)


def factors(y: FloatArray, count: int) -> tuple[FloatArray, FloatArray, bool]:
    """w (n, k) and loadings (k, p) ≥ 0 with y ≈ w·loadings, and whether NMF converged.

    NMF needs data ≥ 0, and noise cut off at zero adds a little of everything everywhere; so
    least squares on the data as they are have the last word.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    cut = np.maximum(y, 0.0)
    pure = cut[purest(cut, count)]
    start = np.array([nnls(pure.T, row)[0] for row in cut])
    model = NMF(count, init="custom", tol=1e-5, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        # an exact zero would never move again
        w = model.fit_transform(cut, W=np.maximum(start, 1e-6), H=np.maximum(pure, 1e-6))
    for _ in range(POLISH):
        loadings = np.array([nnls(w, column)[0] for column in y.T]).T
        w = np.array([nnls(loadings.T, row)[0] for row in y])
    return w, loadings, not said


def purest(y: FloatArray, count: int) -> list[int]:
    """Rows of y (n, p) that span it best, by successive projection (Araújo et al. 2001).

    Where every component is pure in one row, these rows are the components (Gillis & Vavasis
    2014).  Rows are compared at equal length, so that brightness does not decide.
    """
    left = y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), np.finfo(float).tiny)
    first = int(np.argmax(np.linalg.norm(left - left.mean(axis=0), axis=1)))
    chosen = [first]
    while len(chosen) < count:
        axis = left[chosen[-1]] / np.linalg.norm(left[chosen[-1]])
        left = left - np.outer(left @ axis, axis)
        chosen.append(int(np.argmax(np.linalg.norm(left, axis=1))))
    return chosen


def room_between(loadings: FloatArray, sd: FloatArray | float = 0.0) -> FloatArray:
    """(k, k) how much of loading b can be taken from a before a falls below zero; 0 for a = b.

    Sums over CHANNELS neighbours where b is strong, so that noise decides little; sd : (k,) noise
    of one channel of each loading, of which NOISE are not taken for signal.
    """
    k, p = loadings.shape
    whole = p // CHANNELS * CHANNELS
    sums = loadings[:, :whole].reshape(k, -1, CHANNELS).sum(axis=2)
    sure = sums - NOISE * np.sqrt(CHANNELS) * np.broadcast_to(sd, k)[:, None]
    strong = sums > STRONG_SHARE * sums.max(axis=1, keepdims=True)
    room = np.zeros((k, k))
    for a in range(k):
        for b in range(k):
            if a != b:
                room[a, b] = max(0.0, float((sure[a][strong[b]] / sums[b][strong[b]]).min()))
    return room


def most_distinct(loadings: FloatArray, sd: FloatArray) -> FloatArray:
    """Loadings from which as much of the others is taken as leaves them ≥ 0; sd : (k,), noise."""
    for _ in range(DISTINCT_ROUNDS):
        room = room_between(loadings, sd)
        if room.max() < LEAST_ROOM:
            break
        a, b = np.unravel_index(np.argmax(room), room.shape)
        loadings = loadings.copy()
        loadings[a] = np.maximum(loadings[a] - room[a, b] * loadings[b], 0.0)
    return loadings


def ambiguous(loadings: FloatArray) -> list[str]:
    """One sentence for each loading (k, p) that could be unmixed more; all of equal mean."""
    room = room_between(loadings)
    return [
        f"loading {a + 1} may hold up to {100 * room[a, b]:.0f} % of component {b + 1} and would "
        "fit as well without: shares hold as they are only if some curve of the series is nearly "
        f"pure component {a + 1}"
        for a, b in enumerate(np.argmax(room, axis=1))
        if room[a, b] > TOLD_ROOM
    ]
