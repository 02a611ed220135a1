"""A prior for the next spectrum of an absorption edge, from measured standards, as plain arrays.

A library prior is a Gaussian process: a mean spectrum, covariance columns that span how the
standards differ, and a rest whose amplitude and lengthscale change along the axis.  Offset, slope,
edge step and edge position of a raw spectrum are unknown; they enter as further columns, so the
whole stays one exact Gaussian process (Rasmussen & Williams 2006, §2.7).  The idea of a prior with
a covariance from standards: Ito, Takeichi, Hino & Ono, Mach. Learn.: Sci. Technol. 6, 025037
(2025).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.gp.kernels import Warp, correlation
from materialsdock.model import FloatArray

VERSION = 1
ABOUT = {"edge": str, "sources": list, "learned": dict}
REMEDY = "learn it with: materialsdock prior learn FILES... --edge NAME"
ARRAYS = ("energy_ev", "mean", "factors", "sd", "u", "edges_ev")
# sd of what a raw spectrum adds, in edge steps; slopes per 100 eV, two to three times those of
# measured transmission spectra
OFFSET, SLOPE, SLOPE_CHANGE, STEP = 10.0, 0.3, 0.1, 0.3
OUTER_EV = 20.0
SHIFTS = np.linspace(-2.5, 2.5, 15)  # of the edge, in its sd


@dataclass(frozen=True, eq=False)
class PriorStandard:
    """A normalised, flattened standard: `flat` (n,) at `energy_ev` (n,) relative to its e0 [eV]."""

    name: str
    e0_ev: float
    energy_ev: FloatArray
    flat: FloatArray


@dataclass(frozen=True, eq=False)
class LibraryPrior:
    """The knowledge of an edge before anything is counted; everything in units of the edge step.

    energy_ev : (m,) relative to e0, increasing; mean : (m,)
    factors : (k, m) covariance columns, ∑ factorsᵀ factors
    sd : (m,) amplitude of the rest; u : (m,) its axis, in lengthscales
    edges_ev : (k,) edge energies of the standards; sources : names of all spectra learned from
    learned : the hyperparameters, for the record
    """

    edge: str
    energy_ev: FloatArray
    mean: FloatArray
    factors: FloatArray
    sd: FloatArray
    u: FloatArray
    edges_ev: FloatArray
    sources: tuple[str, ...]
    learned: Mapping[str, float] = field(default_factory=dict)
    version: int = VERSION

    def kernel(
        self,
        e0_ev: float,
        *,
        e0_sd_ev: float = 0.5,
        edge_step: float = 1.0,
        scale: float = 1.0,
    ) -> LibraryKernel:
        """The covariance (and mean) of raw µ whose edge is at `e0_ev` ± `e0_sd_ev`.

        edge_step : of the raw spectrum; scale : of the rest, against that of the standards
        """
        return LibraryKernel(self, e0_ev, e0_sd_ev, edge_step, scale)

    def save(self, path: Path) -> None:
        """Write a NumPy archive, without pickle."""
        about = {
            "version": self.version,
            "edge": self.edge,
            "sources": self.sources,
            "learned": dict(self.learned),
        }
        arrays = {name: getattr(self, name) for name in ARRAYS}
        with path.open("wb") as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)


def load(path: Path) -> LibraryPrior:
    """Read what `save` wrote.

    Raises InputError for a file that is none, is of another version, or holds broken arrays.
    """
    about, arrays = _read(path)
    if about.get("version") != VERSION:
        raise InputError(
            f"version {about.get('version')}, but {VERSION} is read here",
            where=str(path),
            remedy=REMEDY,
        )
    _check(about, arrays, path)
    about["sources"] = tuple(about["sources"])
    return LibraryPrior(**arrays, **{key: about[key] for key in ABOUT})


def digest(path: Path) -> str:
    """SHA-256 of the file, by which a job knows its prior again; InputError when it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as fault:
        raise InputError(
            f"not a library prior: {fault.strerror}", where=str(path), remedy=REMEDY
        ) from (fault)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `save` wrote: about the prior, and its arrays; InputError for any other file."""
    try:
        # opened here, so that what is no archive is one error and not a bare array
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            arrays = {name: archive[name] for name in ARRAYS if name in archive}
    except OSError as fault:
        raise InputError(
            f"not a library prior: {fault.strerror or fault}", where=str(path), remedy=REMEDY
        ) from None
    except (ValueError, KeyError, BadZipFile, EOFError, zlib.error) as fault:
        raise InputError(f"not a library prior: {fault}", where=str(path), remedy=REMEDY) from None
    if not isinstance(about, dict):
        raise InputError("not a library prior: no table", where=str(path), remedy=REMEDY)
    return about, arrays


def _check(about: Mapping[str, Any], arrays: Mapping[str, FloatArray], path: Path) -> None:
    faults = [f"no {key}" for key, kind in ABOUT.items() if not isinstance(about.get(key), kind)]
    faults += [f"no {name}" for name in ARRAYS if name not in arrays]
    odd = [name for name, a in arrays.items() if a.dtype.kind not in "fiu"]
    faults += [f"{name} is not numbers" for name in odd]
    numbers = {name: a for name, a in arrays.items() if name not in odd}
    faults += [f"{name} is not finite" for name, a in numbers.items() if not np.isfinite(a).all()]
    if not faults:
        m = arrays["energy_ev"].size
        for name in ("mean", "sd", "u"):
            if arrays[name].shape != (m,):
                faults.append(f"{name} has shape {arrays[name].shape}, not ({m},)")
        if arrays["factors"].ndim != 2 or arrays["factors"].shape[1] != m:
            faults.append(f"factors has shape {arrays['factors'].shape}, not (k, {m})")
        if not (np.diff(arrays["energy_ev"]) > 0).all():
            faults.append("energy_ev does not increase")
        if m < 2 or not arrays["edges_ev"].size:
            faults.append(f"{m} energies, {arrays['edges_ev'].size} edges")
    if faults:
        raise InputError("; ".join(faults), where=str(path), remedy=REMEDY)


@dataclass(frozen=True, eq=False)
class LibraryKernel:
    """A library prior set on a raw spectrum: covariances, and the mean, at energies in eV.

    Takes the place of kernels.Kernel in a GridPosterior, with `mean` as its prior mean.  An edge
    known to ± `e0_sd_ev` is a mixture of shifted mean spectra; its first two moments are kept.
    """

    prior: LibraryPrior
    e0_ev: float
    e0_sd_ev: float
    edge_step: float
    scale: float

    @property
    def lengthscale(self) -> float:
        """The lengthscale, which is the unit of the warped axis."""
        return 1.0

    @property
    def variance(self) -> float:
        """Largest variance of the rest [(units of µ)²]: what no column explains."""
        return float((self.scale * self.edge_step * self.prior.sd.max()) ** 2)

    @property
    def warp(self) -> Warp:
        """The axis of the rest."""
        return Warp(self.e0_ev + self.prior.energy_ev, self.prior.u)

    @cached_property
    def _table(self) -> FloatArray:
        """(rows, m): mean, factors, shift columns, sd, u on the prior's axis."""
        p = self.prior
        weight = np.exp(-0.5 * SHIFTS**2)
        weight /= weight.sum()
        shifted = np.array(
            [np.interp(p.energy_ev - s * self.e0_sd_ev, p.energy_ev, p.mean) for s in SHIFTS]
        )
        mean = weight @ shifted
        return np.vstack([mean, p.factors, np.sqrt(weight)[:, None] * (shifted - mean), p.sd, p.u])

    def _rows(self, x: FloatArray) -> FloatArray:
        """`_table` at energies x (n,), linear between its places and constant beyond.

        Only the axis of the rest goes on beyond its ends: there positions tell less of each other.
        """
        axis, relative = self.prior.energy_ev, np.asarray(x, dtype=float) - self.e0_ev
        i = np.clip(np.searchsorted(axis, relative) - 1, 0, axis.size - 2)
        t = np.clip((relative - axis[i]) / (axis[i + 1] - axis[i]), 0.0, 1.0)
        rows = np.asarray(self._table[:, i] * (1.0 - t) + self._table[:, i + 1] * t)
        rows[-1] += (relative - np.clip(relative, axis[0], axis[-1])) * self._outer_slope
        return rows

    @cached_property
    def _outer_slope(self) -> float:
        """Lengthscales per eV beyond the library, as over its last 20 eV."""
        axis, u = self.prior.energy_ev, self.prior.u
        first = int(np.searchsorted(axis, axis[-1] - OUTER_EV))
        return float((u[-1] - u[first]) / (axis[-1] - axis[first]))

    def _features(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Columns (c, n), sd (n,) and axis (n,) of the rest, at energies x (n,)."""
        rows, hundreds = self._rows(x), (np.asarray(x, dtype=float) - self.e0_ev) / 100.0
        columns = np.vstack(
            [
                rows[1:-2],
                STEP * rows[:1],
                np.full((1, hundreds.size), OFFSET),
                SLOPE * hundreds[None, :],
                SLOPE_CHANGE * np.maximum(hundreds, 0.0)[None, :],
            ]
        )
        return self.edge_step * columns, self.scale * self.edge_step * rows[-2], rows[-1]

    def mean(self, x: FloatArray) -> FloatArray:
        """Prior mean (n,) at energies x (n,)."""
        return np.asarray(self.edge_step * self._rows(x)[0])

    def diagonal(self, x: FloatArray) -> FloatArray:
        """Prior variance (n,) at energies x (n,)."""
        columns, sd, _ = self._features(x)
        return np.asarray((columns**2).sum(axis=0) + sd**2)

    def rows(self, grid: FloatArray) -> Callable[[int], FloatArray]:
        """A function of an index: covariances (m,) of that position of `grid` (m,) with all."""
        columns, sd, u = self._features(grid)

        def row(index: int) -> FloatArray:
            rest = sd[index] * sd * correlation(np.abs(u[index] - u), "matern52")
            return np.asarray(columns[:, index] @ columns + rest)

        return row

    def __call__(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Covariances (n, m) between energies `a` (n,) and `b` (m,)."""
        (columns_a, sd_a, u_a), (columns_b, sd_b, u_b) = self._features(a), self._features(b)
        rest = correlation(np.abs(u_a[:, None] - u_b[None, :]), "matern52")
        return np.asarray(columns_a.T @ columns_b + sd_a[:, None] * sd_b[None, :] * rest)
