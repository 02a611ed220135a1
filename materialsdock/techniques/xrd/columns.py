"""Powder patterns as columns that refinement programs read, and that can be measured again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from materialsdock.errors import Refused
from materialsdock.ledger.finished import Source
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Pattern


def xye(source: Source) -> bytes:
    """2θ [deg], counts and their standard deviation; Refused for a spectrum.

    Positions are counted for different times, so counts are those of the full scan's time per
    point: rate times that time.
    """
    pattern, seconds = _pattern(source)
    columns = (pattern.intensity * seconds, pattern.sigma * seconds)
    return _rows(source, seconds, "sigma", pattern.two_theta, columns)


def xy(source: Source) -> bytes:
    """2θ [deg] and counts, as `xye` without the standard deviation; Refused for a spectrum."""
    pattern, seconds = _pattern(source)
    return _rows(source, seconds, "", pattern.two_theta, (pattern.intensity * seconds,))


def _pattern(source: Source) -> tuple[Pattern, float]:
    outcome = source.outcome
    if not isinstance(outcome.measured, Pattern):
        raise Refused(
            "a spectrum is no powder pattern",
            where=outcome.job.job_id,
            remedy="export it as xdi or nexus",
        )
    return outcome.measured, float(outcome.job.settings["full_scan"]["full_time_s"])


def _rows(
    source: Source, seconds: float, last: str, x: FloatArray, columns: Sequence[FloatArray]
) -> bytes:
    said = source.provenance
    versions = ", ".join(f"{name} {version}" for name, version in said.software.items())
    sample = source.outcome.job.sample.name.encode("ascii", "backslashreplace").decode()
    head = [
        f"# sample {sample.splitlines()[0] if sample else ''}",
        f"# job {said.job_id}, seed {said.seed}, begun {said.begun}",
        f"# ledger sha256 {said.ledger_sha256}",
        f"# settings sha256 {said.settings_sha256}",
        f"# {versions}",
        f"# two_theta_deg counts_in_{seconds:g}_s {last}".rstrip(),
    ]
    rows = np.column_stack((x, *columns))
    body = [" ".join((f"{row[0]:.6f}", *(f"{value:.9g}" for value in row[1:]))) for row in rows]
    return ("\n".join([*head, *body]) + "\n").encode("ascii")
