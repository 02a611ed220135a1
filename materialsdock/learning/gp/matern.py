"""A Matérn process as a Markov chain of three numbers, compiled by numba.

The state is (f, f'/λ, f''/λ²) with λ = √(2ν)/lengthscale, so that all its entries are of the size
of f itself; Matérn-3/2 leaves the third at zero.  Positions are in units of 1/λ.  Symmetric 3×3
matrices are kept as (00, 01, 02, 11, 12, 22), transitions row by row.

Arrays are filled element by element: a slice assigned takes numba a second to compile, each time.

Source: Hartikainen & Särkkä 2010.  numba does not see when a callee in another file has changed:
after editing this file, touch kalman.py, or its cached code stays the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from materialsdock.model import FloatArray

Row = tuple[float, ...]
NO_VECTOR: Row = (0.0, 0.0, 0.0)
NO_MATRIX: Row = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
NO_ROOT: Row = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
Compiled = TypeVar("Compiled", bound=Callable[..., Any])


def compiled(function: Compiled) -> Compiled:
    """`function` by numba, kept on disk wherever any folder for that can be written."""
    try:
        return cast(Compiled, numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # numba found no such folder
        return cast(Compiled, numba.njit(error_model="numpy")(function))


# -- 3×3 algebra --------------------------------------------------------------------------------


@compiled
def three(rows: FloatArray, i: int) -> Row:
    return rows[i, 0], rows[i, 1], rows[i, 2]


@compiled
def six(rows: FloatArray, i: int) -> Row:
    return rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4], rows[i, 5]


@compiled
def put_six(rows: FloatArray, i: int, p: Row) -> None:
    rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4], rows[i, 5] = p


@compiled
def forth(rows: FloatArray, i: int) -> Row:
    """Transition i."""
    a, b, c = rows[i, 0], rows[i, 1], rows[i, 2]
    d, e, f = rows[i, 3], rows[i, 4], rows[i, 5]
    return a, b, c, d, e, f, rows[i, 6], rows[i, 7], rows[i, 8]


@compiled
def back(rows: FloatArray, i: int) -> Row:
    """Transition i, transposed."""
    a, b, c, d, e, f, g, h, k = forth(rows, i)
    return a, d, g, b, e, h, c, f, k


@compiled
def dot(x: Row, y: Row) -> float:
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2]


@compiled
def times(a: Row, x: Row) -> Row:
    """A x of a full matrix."""
    return dot(a[0:3], x), dot(a[3:6], x), dot(a[6:9], x)


@compiled
def symmetric_times(p: Row, x: Row) -> Row:
    """P x of a symmetric matrix."""
    return dot(p[0:3], x), dot((p[1], p[3], p[4]), x), dot((p[2], p[4], p[5]), x)


@compiled
def congruent(a: Row, p: Row) -> Row:
    """A P Aᵀ."""
    x, y, z = a[0:3], a[3:6], a[6:9]
    px, py, pz = symmetric_times(p, x), symmetric_times(p, y), symmetric_times(p, z)
    return dot(x, px), dot(x, py), dot(x, pz), dot(y, py), dot(y, pz), dot(z, pz)


@compiled
def plus(p: Row, q: Row, factor: float) -> Row:
    a, b, c = p[0] + factor * q[0], p[1] + factor * q[1], p[2] + factor * q[2]
    return a, b, c, p[3] + factor * q[3], p[4] + factor * q[4], p[5] + factor * q[5]


@compiled
def square(x: Row) -> Row:
    """x xᵀ."""
    return x[0] * x[0], x[0] * x[1], x[0] * x[2], x[1] * x[1], x[1] * x[2], x[2] * x[2]


# -- the process --------------------------------------------------------------------------------


@compiled
def stationary(twice_nu: int) -> Row:
    """Covariance of the state before anything is observed, unit variance."""
    if twice_nu == 3:
        return 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    return 1.0, 0.0, -1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0


@compiled
def transition_of(t: float, twice_nu: int) -> Row:
    """exp(F t), row by row."""
    e = np.exp(-t)
    if twice_nu == 3:
        return e * (1.0 + t), e * t, 0.0, -e * t, e * (1.0 - t), 0.0, 0.0, 0.0, 0.0
    s = 0.5 * t * t
    first = e * (1.0 + t + s), e * (t + 2.0 * s), e * s
    second = -e * s, e * (1.0 + t - 2.0 * s), e * (t - s)
    return first + second + (e * (s - t), e * (2.0 * s - 3.0 * t), e * (1.0 - 2.0 * t + s))


@compiled
def process_of(t: float, twice_nu: int) -> Row:
    """∫₀ᵗ exp(F s) L q Lᵀ exp(F s)ᵀ ds from g_k = ∫₀ᵗ sᵏ e^{−2s} ds, unit variance.

    g₄ by its series of positive terms and the others by the downward recurrence: no cancellation
    however small the step, which P∞ − A P∞ Aᵀ would have.
    """
    e, g4 = np.exp(-2.0 * t), 0.75
    if t < 25.0:
        term = total = 0.2
        k = 5
        while term > 1e-17 * total:
            k += 1
            term *= 2.0 * t / k
            total += term
        g4 = e * t**5 * total
    g3 = (2.0 * g4 + t**4 * e) / 4.0
    g2 = (2.0 * g3 + t**3 * e) / 3.0
    g1 = (2.0 * g2 + t**2 * e) / 2.0
    g0 = 2.0 * g1 + t * e
    if twice_nu == 3:
        return 4.0 * g2, 4.0 * (g1 - g2), 0.0, 4.0 * (g0 - 2.0 * g1 + g2), 0.0, 0.0
    q, g = 16.0 / 3.0, 0.25 * g4
    first = q * g, q * (0.5 * g3 - g), q * (0.5 * g2 - g3 + g)
    middle = q * (g2 - g3 + g), q * (g1 - 2.5 * g2 + 1.5 * g3 - g)
    return first + middle + (q * (g0 - 4.0 * g1 + 5.0 * g2 - 2.0 * g3 + g),)


# -- one observation -----------------------------------------------------------------------------


@compiled
def triangular(a: Row, b: Row, c: Row) -> Row:
    """R (row by row) with RᵀR = MᵀM, for the columns (4,) of M; modified Gram-Schmidt."""
    aa = np.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2] + a[3] * a[3])
    f = 1.0 / aa if aa > 0.0 else 0.0
    a = a[0] * f, a[1] * f, a[2] * f, a[3] * f
    ab = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    ac = a[0] * c[0] + a[1] * c[1] + a[2] * c[2] + a[3] * c[3]
    b = b[0] - ab * a[0], b[1] - ab * a[1], b[2] - ab * a[2], b[3] - ab * a[3]
    c = c[0] - ac * a[0], c[1] - ac * a[1], c[2] - ac * a[2], c[3] - ac * a[3]
    bb = np.sqrt(b[0] * b[0] + b[1] * b[1] + b[2] * b[2] + b[3] * b[3])
    f = 1.0 / bb if bb > 0.0 else 0.0
    bc = f * (b[0] * c[0] + b[1] * c[1] + b[2] * c[2] + b[3] * c[3])
    f *= bc
    c = c[0] - f * b[0], c[1] - f * b[1], c[2] - f * b[2], c[3] - f * b[3]
    cc = np.sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2] + c[3] * c[3])
    return aa, ab, ac, 0.0, bb, bc, 0.0, 0.0, cc


@compiled
def absorbed(p: Row, noise: float, error: float, g: Row, root: Row) -> tuple[Any, ...]:
    """One observation into the adjoint g (3,) and the root U (9,) of its information UᵀU.

    Also its entry of K⁻¹y and of the diagonal of K⁻¹, with K the covariance of all observations.
    """
    total = p[0] + noise
    k, left = (p[0] / total, p[1] / total, p[2] / total), noise / total
    alpha, uk = error / total - dot(k, g), times(root, k)
    x = root[0] * left - root[1] * k[1] - root[2] * k[2]
    y = root[3] * left - root[4] * k[1] - root[5] * k[2]
    z = root[6] * left - root[7] * k[1] - root[8] * k[2]
    rest = (root[1], root[4], root[7], 0.0), (root[2], root[5], root[8], 0.0)
    root = triangular((x, y, z, 1.0 / np.sqrt(total)), rest[0], rest[1])
    return (g[0] + alpha, g[1], g[2]), root, alpha, 1.0 / total + dot(uk, uk)


@compiled
def carried(a: Row, root: Row) -> Row:
    """U A, from A transposed."""
    return times(a, root[0:3]) + times(a, root[3:6]) + times(a, root[6:9])


@compiled
def transposed_times(root: Row, x: Row) -> Row:
    """Uᵀ x."""
    a = root[0] * x[0] + root[3] * x[1] + root[6] * x[2]
    b = root[1] * x[0] + root[4] * x[1] + root[7] * x[2]
    return a, b, root[2] * x[0] + root[5] * x[1] + root[8] * x[2]


@compiled
def gram(root: Row) -> Row:
    """UᵀU."""
    x, y = plus(square(root[0:3]), square(root[3:6]), 1.0), square(root[6:9])
    return plus(x, y, 1.0)


@compiled
def without(x: Row, k: Row) -> Row:
    """(I − k hᵀ) X (I − k hᵀ)ᵀ."""
    a, b, c = k
    first = (1.0 - a) ** 2 * x[0], (1.0 - a) * (x[1] - b * x[0]), (1.0 - a) * (x[2] - c * x[0])
    middle = x[3] - 2.0 * b * x[1] + b * b * x[0], x[4] - c * x[1] - b * x[2] + b * c * x[0]
    return first + middle + (x[5] - 2.0 * c * x[2] + c * c * x[0],)


@compiled
def without_adjoint(x: Row, k: Row) -> Row:
    """(I − k hᵀ)ᵀ X (I − k hᵀ)."""
    q = symmetric_times(x, k)
    return x[0] - 2.0 * q[0] + dot(k, q), x[1] - q[1], x[2] - q[2], x[3], x[4], x[5]


@compiled
def jumped(x: Row, p: Row, normals: Row) -> Row:
    """x and a draw of covariance P, by its Cholesky factor; P may be singular."""
    a = np.sqrt(p[0])
    b, c = (p[1] / a, p[2] / a) if a > 0.0 else (0.0, 0.0)
    d = np.sqrt(max(p[3] - b * b, 0.0))
    e = (p[4] - b * c) / d if d > 0.0 else 0.0
    f = np.sqrt(max(p[5] - c * c - e * e, 0.0))
    u, v, w = normals
    return x[0] + a * u, x[1] + b * u + d * v, x[2] + c * u + e * v + f * w


# -- derivatives --------------------------------------------------------------------------------


@compiled
def drift(x: Row, twice_nu: int) -> Row:
    """F x, the rate of change of a state."""
    if twice_nu == 3:
        return x[1], -x[0] - 2.0 * x[1], 0.0
    return x[1], x[2], -x[0] - 3.0 * x[1] - 3.0 * x[2]


@compiled
def rate(m: Row, p: Row, g: Row, root: Row, twice_nu: int, variance: float) -> float:
    """d log likelihood / dt of the step that led to mean m and covariance P.

    dm/dt = F m and dP/dt = F P + P Fᵀ + q L Lᵀ; d log likelihood / dm = g, / dP = (g gᵀ − UᵀU)/2.
    """
    slope = plus(square(g), gram(root), -1.0)
    x = drift((p[0], p[1], p[2]), twice_nu)
    y = drift((p[1], p[3], p[4]), twice_nu)
    z = drift((p[2], p[4], p[5]), twice_nu)
    found = dot(g, drift(m, twice_nu)) + dot(slope[0:3], (x[0], y[0], z[0]))
    found += dot((slope[1], slope[3], slope[4]), (x[1], y[1], z[1]))
    found += dot((slope[2], slope[4], slope[5]), (x[2], y[2], z[2]))
    return found + 0.5 * variance * (4.0 * slope[3] if twice_nu == 3 else 16.0 / 3.0 * slope[5])
