"""From the settings of a job to the learner of its spectrum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.prior import library
from materialsdock.model import Axis, FloatArray, Job
from materialsdock.protocols import Learner
from materialsdock.techniques.xas.spectrum import grids, wanted_quantities
from materialsdock.techniques.xas.spectrum.edge_table import TABULATED_WITHIN_EV, Edge
from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

ARRAYS = ("initial", "expert")


def learner(job: Job) -> Learner:
    """The learner that the job's settings describe."""
    options, along = dict(job.settings["learner"]), Axis.of(job.settings["axis"])
    for key in ARRAYS:
        if options.get(key) is not None:
            options[key] = np.asarray(options[key], dtype=float)
    names, file = options.pop("quantities", ()), options.pop("prior", None)
    prior = _prior(Path(file), options.pop("prior_sha256", None)) if file else None
    options["weights"] = weights(along.grid, options.pop("regions", ()))
    chosen = SpectrumSettings.of(job.settings.get("spectrum", {}))
    standards = options.pop("standards", None)
    found = wanted_quantities.quantities(names, along.grid, standards, chosen)
    near = options.pop("near_ev", np.inf)
    if (edge := options.pop("edge_ev", None)) is not None:
        options["widest"] = grids.widest(along.grid, tuple(options["narrow"]), edge, near)
    return SpectrumLearner(along, wanted=found, prior=prior, **options)


def prior_settings(path: Path | None, edge: Edge) -> dict[str, Any]:
    """The library prior of a job, by path and content; InputError when it is of another edge."""
    if path is None:
        return {"prior": None}
    known = library.load(path)
    centre = float(known.edges_ev.mean())
    if abs(centre - edge.energy_ev) > TABULATED_WITHIN_EV:
        raise InputError(
            f"a prior of {known.edge} at {centre:.1f} eV, but the edge of this scan is "
            f"{edge.name} at {edge.energy_ev:.1f} eV",
            where=str(path),
            remedy="name a prior of that edge, or measure without",
        )
    return {"prior": str(path.resolve()), "prior_sha256": library.digest(path)}


def weights(grid: FloatArray, regions: Iterable[Sequence[float]]) -> FloatArray:
    """(m,) what the variance at each position of `grid` is worth: the axis it stands for.

    regions : (lo, hi, weight) [unit of the grid] in which it is worth `weight` times as much
    """
    found = np.gradient(grid)
    for lo, hi, weight in regions:
        found[(grid >= lo) & (grid <= hi)] *= weight
    return np.asarray(found)


def _prior(file: Path, sha256: str | None) -> library.LibraryPrior:
    """The library prior that the job began with; another would come to other decisions."""
    if sha256 is not None and library.digest(file) != sha256:
        raise InputError(
            "the library prior is not the one that the job began with",
            where=str(file),
            remedy="put the old file back, or begin a new measurement",
        )
    return library.load(file)
