"""The conventional scan that a job stands in for: its range, its steps and its counting time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import Measured

FEWEST_STEPS = 50  # a pattern of fewer is not refined


def cut(measured: Measured, start: float, stop: float) -> Measured:
    """The part of a measured scan from `start` to `stop` [unit of x], half a step of slack.

    Raises InputError when nothing of use is left.
    """
    slack = 0.5 * float(np.median(np.diff(measured.x)))
    kept = (measured.x >= start - slack) & (measured.x <= stop + slack)
    if np.count_nonzero(kept) < FEWEST_STEPS:
        raise InputError(
            f"{np.count_nonzero(kept)} of its points lie between {start:g} and {stop:g}, it has "
            f"{measured.x[0]:g} to {measured.x[-1]:g}",
            remedy="choose a range that the file covers",
        )
    sigma = None if measured.sigma is None else measured.sigma[kept]
    return replace(measured, x=measured.x[kept], y=measured.y[kept], sigma=sigma)
