"""What a spectrum learner says of its present state: numbers by name, for rules and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from materialsdock.learning.curve.arrays import columns, gaps
from materialsdock.learning.curve.expert_grid import Choice
from materialsdock.learning.curve.model_of_sweep import Knowledge
from materialsdock.learning.curve.sweeps import Costs
from materialsdock.learning.gp.posterior import Engine
from materialsdock.learning.stopping.certificate import curve_quantities
from materialsdock.model import Axis, Evidence, FloatArray, Observation


def evidence(
    present: Engine,
    told: Sequence[Observation],
    axis: Axis,
    costs: Costs,
    narrow: tuple[float, float],
    widest: FloatArray | None,
    barred: NDArray[np.bool_],
    more: Mapping[str, float],
) -> Evidence:
    """Innovations under `present`, one group a point, and the quantities with `more` of them.

    barred : (m,) positions that may not be counted: no rule waits for what lies there
    """
    x, y, noise = columns(told)
    variance = present.variance if barred.all() else present.variance[~barred]
    seen = np.append(x, axis.grid[barred])
    quantities = {
        "points": float(x.size),
        "count_seconds": float(sum(o.count_time_s for o in told)),
        "seconds": costs.seconds(x),
        "max_sd": float(np.sqrt(variance.max())),
        "median_sd": float(np.sqrt(np.median(variance))),
        "noise_sd": float(np.sqrt(np.median(noise))) if x.size else np.inf,
        **gaps(seen, axis, narrow, widest),
        **more,
    }
    found = Evidence(
        np.array([i.s for i in present.innovations]),
        np.array([i.z2 for i in present.innovations]),
        np.arange(len(present.innovations)),
        quantities=quantities,
    )
    quantities |= curve_quantities(present, found, axis.index(x), y, noise**0.5)
    return found


def hyperparameters(
    present: Engine, knowledge: Knowledge, choice: Choice | None
) -> Mapping[str, float]:
    """lengthscale [units of the warped axis], variance, prior mean, whether it is warped.

    held : for how many sweeps they could not be learned anew; expert_s, learner_s : time
    predicted for the expert's grid and for sweeps, where there was the choice; library :
    whether the library prior agrees with the counts, where there is one
    """
    kernel = present.kernel
    _, _, held, library = knowledge
    predicted = {"expert_s": choice.expert_s, "learner_s": choice.learner_s} if choice else {}
    return {
        "lengthscale": kernel.lengthscale,
        "variance": kernel.variance,
        "mean": present.prior_mean,
        "warped": float(kernel.warp is not None),
        **({} if library is None else {"library": float(library.ok)}),
        "held": float(held),
        **predicted,
    }
