"""From a job's settings, which are plain numbers and words, to the learner and the rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.prior import library
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import Axis, FloatArray, Job
from materialsdock.protocols import Learner, StoppingRule
from materialsdock.techniques.xas import grids, wanted_quantities
from materialsdock.techniques.xas.edge import TABULATED_WITHIN_EV, Edge
from materialsdock.techniques.xrd.model import Diffractometer

ARRAYS = ("initial", "windows", "expert")
STEERED = ("fractions", "parameter")


def diffractometer(settings: Mapping[str, Any]) -> Diffractometer:
    """The diffractometer of a job, whose lists come back from the ledger as tuples."""
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return Diffractometer(**plain)


def learner(job: Job) -> Learner:
    """The learner that the job's settings describe."""
    options = dict(job.settings["learner"])
    for key in ARRAYS:
        if options.get(key) is not None:
            options[key] = np.asarray(options[key], dtype=float)
    along = Axis.of(job.settings["axis"])
    if job.sample.technique == "xas":
        return _spectrum(along, options)
    if options.get("objective") in STEERED:
        return _steered(job, along, options)
    return MultiPassLearner(along, **options)


def _spectrum(along: Axis, options: dict[str, Any]) -> SpectrumLearner:
    names, file = options.pop("quantities", ()), options.pop("prior", None)
    prior = _prior(Path(file), options.pop("prior_sha256", None)) if file else None
    options["weights"] = weights(along.grid, options.pop("regions", ()))
    found = wanted_quantities.quantities(names, along.grid, options.pop("standards", None))
    if (edge := options.pop("edge_ev", None)) is not None:
        options["widest"] = grids.widest(along.grid, tuple(options["narrow"]), edge)
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


def _prior(file: Path, sha256: str | None) -> library.LibraryPrior:
    """The library prior that the job began with; another would come to other decisions."""
    if sha256 is not None and library.digest(file) != sha256:
        raise InputError(
            "the library prior is not the one that the job began with",
            where=str(file),
            remedy="put the old file back, or measure anew",
        )
    return library.load(file)


def weights(grid: FloatArray, regions: Iterable[Sequence[float]]) -> FloatArray:
    """(m,) what the variance at each position of `grid` is worth: the axis it stands for.

    regions : (lo, hi, weight) [unit of the grid] in which it is worth `weight` times as much
    """
    found = np.gradient(grid)
    for lo, hi, weight in regions:
        found[(grid >= lo) & (grid <= hi)] *= weight
    return np.asarray(found)


def _steered(job: Job, along: Axis, options: dict[str, Any]) -> SteeredLearner:
    """Refinement chooses where to count; rietx is slow to import, so only here."""
    from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
    from materialsdock.techniques.xrd.rietveld.sensitivity import steering

    objective, names = options.pop("objective"), options.pop("wanted", None)
    if not job.sample.structures:
        raise InputError(
            f"objective {objective!r} without a structure", where=job.job_id, remedy="name --cif"
        )
    sense = steering(
        RietxEngine(), job.sample.structures, diffractometer(job.settings["diffractometer"]), names
    )
    return SteeredLearner(along, sensitivity=sense, quantity=sense.quantity, **options)


def rule(job: Job) -> StoppingRule:
    """The stopping rule that the job's settings describe."""
    return rule_from_settings(job.settings["stop"])


def check(job: Job) -> None:
    """Build everything once, so that a bad job is refused before any hardware moves."""
    try:
        learner(job)
        rule(job)
    except (KeyError, TypeError) as error:
        raise InputError(f"job settings: {error!r}", where=job.job_id) from error
