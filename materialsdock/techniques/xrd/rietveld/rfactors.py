"""Agreement factors of a powder pattern, as defined by Toby (2006) Powder Diffr. 21, 67."""

from __future__ import annotations

import numpy as np

from materialsdock.model import FloatArray


def weighted_profile(y: FloatArray, y_calc: FloatArray, sigma: FloatArray) -> float:
    """Rwp = √[Σ((y − y_calc)/σ)² / Σ(y/σ)²] in %, background included; all arrays (n,)."""
    return float(100 * np.sqrt(np.sum(((y - y_calc) / sigma) ** 2) / np.sum((y / sigma) ** 2)))


def profile(y: FloatArray, y_calc: FloatArray) -> float:
    """Rp = Σ|y − y_calc| / Σy in %, background included; both arrays (n,)."""
    return float(100 * np.sum(np.abs(y - y_calc)) / np.sum(y))


def expected(y: FloatArray, sigma: FloatArray, n_free: int) -> float:
    """R_exp = √[(n − p) / Σ(y/σ)²] in %: what Rwp can reach with p free parameters."""
    return float(100 * np.sqrt(max(y.size - n_free, 1) / np.sum((y / sigma) ** 2)))
