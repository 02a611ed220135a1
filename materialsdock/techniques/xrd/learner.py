"""From the settings of a job to the learner of its 2θ scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.model import Axis, Job
from materialsdock.protocols import Learner
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.section import STEERED


def learner(job: Job) -> Learner:
    """The learner that the job's settings describe: steered by refinement, or by passes alone.

    Raises InputError for uneven steps, which no pass counts, and for steering without a structure.
    """
    options, along = dict(job.settings["learner"]), Axis.of(job.settings["axis"])
    if "grid" in job.settings["axis"]:
        steps = np.diff(along.grid)
        raise InputError(
            f"2θ steps of the file are uneven, {steps.min():g} to {steps.max():g}°",
            where=job.job_id,
            remedy="replay a scan with constant step; `refine` takes the points as they are",
        )
    if options.get("windows") is not None:
        options["windows"] = np.asarray(options["windows"], dtype=float)
    if options.get("objective") in STEERED:
        return _steered(job, along, options)
    return MultiPassLearner(along, **options)


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
        RietxEngine(),
        job.sample.structures,
        Diffractometer.of(job.settings["diffractometer"]),
        names,
    )
    return SteeredLearner(along, sensitivity=sense, quantity=sense.quantity, **options)
