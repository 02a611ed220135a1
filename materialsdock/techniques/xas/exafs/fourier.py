"""From χ(k) to χ(R): windows and the transform, in the conventions of xraylarch's xftf.

χ̃(R_m) = δk/√π Σ_n χ(k_n) k_n^w W(k_n) exp(−2i k_n R_m), k_n = n δk, R_m = m π/(N δk), with
δk = 0.05 1/Å and N = 2048 (Newville, Rev. Mineral. Geochem. 78, 33, 2014).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import i0

from materialsdock.errors import InputError
from materialsdock.model import FloatArray

K_STEP = 0.05
N_FFT = 2048
R_STEP = np.pi / (K_STEP * N_FFT)
Window = Literal["kaiser", "hanning"]
ComplexArray = np.ndarray[tuple[int], np.dtype[np.complex128]]


def k_grid(k_max: float) -> FloatArray:
    """(m,) wavenumbers [1/Å] from 0 in steps of 0.05 up to k_max."""
    return np.asarray(K_STEP * np.arange(int(1.01 + k_max / K_STEP), dtype=float))


def r_grid(r_max: float = 10.0) -> FloatArray:
    """(j,) distances [Å] of the transform up to r_max."""
    return np.asarray(R_STEP * np.arange(int(min(N_FFT / 2, 1.01 + r_max / R_STEP))))


def window(
    k: FloatArray, k_min: float, k_max: float, dk: float, kind: Window = "kaiser"
) -> FloatArray:
    """(m,) window on the even grid k [1/Å] from k_min to k_max with sills of width dk [1/Å].

    Hanning: cos² sills centred on the ends.  Kaiser-Bessel: (I0(dk √(1−u²)) − 1)/(I0(dk) − 1).
    Raises InputError for a range that is empty or an unknown kind.
    """
    step = k[1] - k[0]
    small = 1e-4 * step
    ends = (
        max(float(k[0]), k_min - dk / 2),
        k_min + dk / 2 + small,
        k_max - dk / 2 - small,
        min(float(k[-1]), k_max + dk / 2),
    )
    i1, i2, i3, i4 = (min(max(int((end + small) / step), 0), k.size - 1) for end in ends)
    if not k_max > k_min or i3 <= i2:
        raise InputError(
            f"k from {k_min:g} to {k_max:g} 1/Å with tapers of {dk:g} leaves nothing",
            where="window",
            remedy="widen the k range, or measure further beyond the edge",
        )
    if kind == "kaiser":
        middle, half = (k[i4] + k[i1]) / 2, (k[i4] - k[i1]) / 2
        inside = np.maximum(1 - ((k - middle) / half) ** 2, 0.0)
        return np.asarray((i0(dk * np.sqrt(inside)) - 1) / max(float(i0(dk)) - 1, 1e-10))
    if kind != "hanning":
        raise InputError(f"no window {kind!r}", where="window", remedy="say kaiser or hanning")
    shape = np.zeros(k.size)
    shape[i2:i3] = 1.0
    i1, i4 = min(i1, max(i2 - 1, 0)), max(i4, i3 + 1) if i3 + 1 < k.size else i4
    shape[i1 : i2 + 1] = (
        np.sin(np.pi / 2 * (k[i1 : i2 + 1] - k[i1]) / max(k[i2] - k[i1], small)) ** 2
    )
    shape[i3 : i4 + 1] = (
        np.cos(np.pi / 2 * (k[i3 : i4 + 1] - k[i3]) / max(k[i4] - k[i3], small)) ** 2
    )
    return shape


def transform(weighted: FloatArray) -> ComplexArray:
    """(1024,) χ̃(R) [Å^-(w+1)] on R_STEP·m of χ(k) k^w W (m,) on `k_grid`."""
    return np.asarray(K_STEP / np.sqrt(np.pi) * np.fft.fft(weighted, N_FFT)[: N_FFT // 2])


@lru_cache(maxsize=64)
def partial_transform(points: int, r_min: float, r_max: float) -> ComplexArray:
    """(j, points) matrix that takes χ k^w W to χ̃ at the R of the grid within [r_min, r_max] [Å]."""
    m = np.arange(N_FFT // 2)
    m = m[(m * R_STEP >= r_min) & (m * R_STEP <= r_max)]
    phase = np.outer(m * R_STEP, K_STEP * np.arange(points))
    return np.asarray(K_STEP / np.sqrt(np.pi) * np.exp(-2j * phase))


def independent_points(k_range: tuple[float, float], r_range: tuple[float, float]) -> float:
    """2 Δk ΔR/π + 1: how much a range in k [1/Å] and R [Å] can determine."""
    return 2 * (k_range[1] - k_range[0]) * (r_range[1] - r_range[0]) / np.pi + 1
