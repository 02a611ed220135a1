"""The intensities of a report: their unit, and where their standard deviation σ comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from materialsdock.model import FloatArray, Outcome

COUNTED = "counts s⁻¹"
UNSTATED = {"": "as in the file", "intensities": "arbitrary units"}
UNEVEN = 1e-6  # of a counting time
POISSON = "√counts"


@dataclass(frozen=True)
class Scale:
    """The way to show the intensities of an outcome.

    unit : of the axis, in words; factor : what turns counts per second of a Pattern into it
    sigma : where σ comes from, in words
    timed : if the counting time of every point is known; full_time_s : that of a full scan
    """

    unit: str
    factor: float
    sigma: str
    timed: bool = False
    full_time_s: float | None = None

    @property
    def label(self) -> str:
        """The words beside the axis."""
        return f"Intensity ({self.unit})"

    def shown(self, intensity: FloatArray) -> FloatArray:
        """Intensities (n,) of a Pattern in this unit."""
        return self.factor * intensity


def scale_of(outcome: Outcome) -> Scale:
    """The scale of what was counted for this job, or of what a file said that was refined."""
    if outcome.decisions or outcome.summary.get("seconds_measured") is not None:
        return _counted(outcome)
    return _of_file(outcome)


def _counted(outcome: Outcome) -> Scale:
    seconds = outcome.measured.count_time_s
    uneven = bool(np.ptp(seconds) > UNEVEN * seconds.max())
    sigma = "of counting, whose time varies along the pattern" if uneven else "of counting"
    return Scale(COUNTED, 1.0, sigma, True, outcome.summary.get("full_time_s"))


def _of_file(outcome: Outcome) -> Scale:
    """The words of the file's reader; a Pattern holds counts per second, of a second or what the
    profile says where the file names no time.
    """
    said = outcome.job.settings.get("reading", {})
    signal, source = said.get("signal", ""), said.get("sigma_from", "")
    if signal.startswith("counts per second ×"):
        unit, factor = COUNTED, 1.0
    else:
        unit = COUNTED if signal == "counts per second" else UNSTATED.get(signal, signal)
        factor = float(outcome.measured.count_time_s[0])
    return Scale(unit, factor, _source(source))


def _source(said: str) -> str:
    if not said or said == POISSON:
        return POISSON
    if said.startswith(("not known", "√")):
        return said
    return f"from the file: {said}"
