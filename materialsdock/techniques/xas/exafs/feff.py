"""A scattering path calculated by FEFF, and the EXAFS equation.

Rehr and Albers, Rev. Mod. Phys. 72, 621 (2000); columns as in the FEFF 6 manual, feffNNNN.dat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import gemmi
import numpy as np
from scipy.interpolate import CubicSpline

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.spectrum.simulate import EV_PER_INVERSE_ANGSTROM_SQUARED

COLUMNS = 7
ABSORBER = re.compile(r"^\s*Abs\s+Z=\s*(\d+).*?\s(K|L1|L2|L3)\s+shell")
LARGEST_BYTES = 5_000_000
FEWEST_ROWS = 10


@dataclass(frozen=True, eq=False)
class ScatteringPath:
    """One path: R_eff [Å], degeneracy, and tables (n,) over k [1/Å].

    amplitude : |f_eff| times the reduction factor [Å]; phase : 2δ_c + arg f_eff [rad]
    mean_free_path : λ [Å]; real_p : Re p [1/Å]; edge : of the absorbing atom, e.g. "Fe K", if given
    """

    name: str
    reff: float
    degeneracy: float
    k: FloatArray
    amplitude: FloatArray
    phase: FloatArray
    mean_free_path: FloatArray
    real_p: FloatArray
    edge: str | None = None

    def chi(
        self,
        k: FloatArray,
        *,
        amplitude: float,
        distance: float,
        sigma2: float,
        e0_shift_ev: float = 0.0,
        third: float = 0.0,
    ) -> FloatArray:
        """χ (m,) at k (m,) [1/Å] of `amplitude` = S0² N atoms at `distance` [Å].

        sigma2 [Å²] and third [Å³] : second and third cumulant of the distances
        e0_shift_ev : [eV] how much higher the true zero of k² lies
        """
        squared = k**2 - e0_shift_ev / EV_PER_INVERSE_ANGSTROM_SQUARED
        q = np.where(squared < 0, -1.0, 1.0) * np.sqrt(np.maximum(np.abs(squared), 1e-8))
        size, phase, free, real = self._splines(q).T
        p_squared = (real + 1j / free) ** 2
        p = np.sqrt(p_squared)
        change = distance - self.reff
        spread = change - 2 * sigma2 / self.reff - 2 * p_squared * third / 3
        exponent = -2 * self.reff * p.imag - 2 * p_squared * sigma2
        wave = np.exp(exponent + 1j * (2 * q * self.reff + phase + 2 * p * spread))
        chi = amplitude * size * wave.imag / (q * distance**2)
        if k[0] == 0.0:
            chi[0] = 2 * chi[1] - chi[2]
        return np.asarray(chi)

    @cached_property
    def _splines(self) -> CubicSpline:
        table = (self.amplitude, self.phase, self.mean_free_path, self.real_p)
        return CubicSpline(self.k, np.column_stack(table))


def read_path(path: Path) -> ScatteringPath:
    """Read a feffNNNN.dat file; InputError says which part of it is missing."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"larger than {LARGEST_BYTES // 10**6} MB", where=str(path))
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", where=str(path), remedy="name a feffNNNN.dat file"
        ) from error
    return parse_path(lines, str(path))


def parse_path(lines: Iterable[str], where: str) -> ScatteringPath:
    """The path in the lines of a feffNNNN.dat file; InputError when it is none."""
    lines = list(lines)
    header = next((line for line in lines if "reff" in line and "nleg" in line), None)
    start = next((i for i, line in enumerate(lines) if "real[2*phc]" in line), None)
    if header is None or start is None:
        raise InputError(
            "no line 'nleg, deg, reff' or no table 'k real[2*phc] ...'",
            where=where,
            remedy="name a feffNNNN.dat file as FEFF writes it",
        )
    numbers = _floats(header, 3, where)
    rows = [_floats(line, COLUMNS, where) for line in lines[start + 1 :] if line.strip()]
    table = np.array(rows)
    if len(rows) < FEWEST_ROWS or not np.isfinite(table).all() or (np.diff(table[:, 0]) <= 0).any():
        raise InputError(
            f"table of {len(rows)} rows is too short, not finite, or not increasing in k",
            where=where,
            remedy="let FEFF write the file again",
        )
    degeneracy, reff = numbers[1], numbers[2]
    if not (reff > 0 and degeneracy > 0):
        raise InputError(f"reff {reff:g} Å, degeneracy {degeneracy:g}", where=where)
    k, phc, size, phase, reduction, free, real = table.T
    name, amplitude = Path(where).name, size * reduction
    return ScatteringPath(
        name, reff, degeneracy, k, amplitude, phc + phase, free, real, _edge(lines)
    )


def _edge(lines: Iterable[str]) -> str | None:
    found = next((match for line in lines if (match := ABSORBER.match(line))), None)
    return f"{gemmi.Element(int(found[1])).name} {found[2]}" if found else None


def _floats(line: str, count: int, where: str) -> list[float]:
    try:
        found = [float(word) for word in line.split()[:count]]
    except ValueError:
        found = []
    if len(found) < count:
        raise InputError(
            f"{line.strip()[:60]!r} does not begin with {count} numbers",
            where=where,
            remedy="let FEFF write the file again",
        )
    return found
