"""From what a format holds to a pattern: 2θ [deg], counts and σ, with a word about each step."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns, check_finite
from materialsdock.formats.lines import Lines
from materialsdock.model import FileReading, FloatArray
from materialsdock.techniques.xrd.files import axis, intensities
from materialsdock.techniques.xrd.files.found import FoundScan
from materialsdock.techniques.xrd.files.radiation import radiation_of
from materialsdock.techniques.xrd.files.scans import only_one

NEIGHBOURS = 8  # of a last point that may have been cut off
FEWEST_STUCK, DEAD, FAINT = 10, 0.02, 20.0  # points, share of them, counts
MOST_OF = 0.75  # of the range
FEWEST_FLAT = 3  # points of one largest count
FAR = 3.0  # below the one before, in steps from one to the next


def judged(found: FoundScan, lines: Lines) -> FileColumns:
    """The pattern of a scan, in the units of this program.

    Raises InputError, with its line where there is one, for what is no powder pattern.
    """
    if not found.x.size:
        raise InputError("holds no points", where=lines.name, remedy="name a measured pattern")
    if not found.scan:
        only_one(lines)
    check_finite(found.x, found.y, found.line, lines)
    found = _without_cut(found, lines)
    radiation, notes = radiation_of(found.stated, lines)
    found = axis.asked(found, lines)
    first = radiation.wavelengths_angstrom[0] if radiation.wavelengths_angstrom else None
    angles, unit = axis.two_theta(found, first, f"of {radiation.source}", lines)
    notes = (*notes, *axis.doubt(found, angles), *axis.remarks(angles))
    if found.axis == "theta":
        notes = (*notes, "the heading names θ, 2θ is twice that; if not so: --columns two_theta=N")
    found, turned = axis.increasing(_merged(replace(found, x=angles)), lines)
    counts = intensities.judged(found)
    kept, sigma = counts.kept, counts.sigma
    of_file = counts.sigma_from == found.sigma_from
    columns = tuple(each for each in found.columns if of_file or not each.endswith(" as σ"))
    return FileColumns(
        found.x[kept],
        counts.y[kept],
        np.asarray(found.line)[kept].tolist(),
        found.kind,
        None if sigma is None else sigma[kept],
        counts.seconds,
        radiation.wavelengths_angstrom or None,
        (*found.notes, *turned, *counts.notes, *_stuck(found), *notes),
        reading=FileReading(
            scan=found.scan,
            columns=columns,
            unit=unit,
            signal=counts.signal,
            sigma_from=counts.sigma_from,
            wavelengths_from=radiation.source if radiation.wavelengths_angstrom else "",
            dropped=found.dropped,
        ),
        about=radiation,
    )


def _without_cut(found: FoundScan, lines: Lines) -> FoundScan:
    """The scan without its last point, where the file ends within that number: 57 became 5."""
    ended = lines.raw.rstrip(b"\x1a\0 \t").endswith((b"\n", b"\r")) or not lines.raw
    if lines.binary or ended or found.y.size < NEIGHBOURS:
        return found
    before, last = found.y[-NEIGHBOURS:-1], float(found.y[-1])
    scatter = float(np.median(np.abs(np.diff(before))))
    cut_sigma = found.sigma is not None and found.sigma[-1] < found.sigma[-2] / FAR
    if not cut_sigma and (not last < before[-1] / 4 or before[-1] - last < FAR * scatter):
        return found
    if cut_sigma and found.sigma is not None:
        last = float(found.sigma[-1])
    note = f"the file ends within a line: its last value, {last:g}, was cut off"
    return replace(axis.taken(found, slice(-1)), dropped=(*found.dropped, note))


def _stuck(found: FoundScan) -> tuple[str, ...]:
    """Notes on a detector that counted nothing for a while, or no more than so many."""
    notes = []
    start, n = _longest(found.y == 0)
    if n > max(FEWEST_STUCK, DEAD * found.y.size) and np.median(found.y[found.y > 0]) > FAINT:
        notes.append(f"{n} points from 2θ = {found.x[start]:g}° on count nothing")
    start, n = _longest(found.y == found.y.max())
    if n >= FEWEST_FLAT and found.y.max() > FAINT:
        notes.append(
            f"{n} points from 2θ = {found.x[start]:g}° on are the largest, {found.y.max():g}: "
            "was the detector saturated?"
        )
    return tuple(notes)


def _longest(which: NDArray[np.bool_]) -> tuple[int, int]:
    """Begin and length of the longest run of points (n,)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], which, [False])).astype(int)))
    if not edges.size:
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    best = int(np.argmax(lengths))
    return int(edges[2 * best]), int(lengths[best])


def _whole_runs(x: FloatArray) -> int:
    """Number of runs of positions (n,) that go up over most of their range."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(x) < 0) + 1, [x.size]))
    spans = [x[end - 1] - x[start] for start, end in pairwise(starts)]
    return int(np.count_nonzero(np.array(spans) > MOST_OF * np.ptp(x)))


def _merged(found: FoundScan) -> FoundScan:
    """Counts of several visits of one 2θ as one, where all their counting times are known.

    Exposures are put in order: they stand as they were made.
    """
    times = found.seconds
    if not isinstance(times, np.ndarray) or found.intensity == "cps":
        return found
    if not found.exposures and _whole_runs(found.x) > 1:  # scans are not joined
        return found
    if found.exposures and (np.diff(found.x) < 0).any() and (np.diff(found.x) > 0).any():
        note = f"{found.x.size} exposures, {times.sum():g} s together, were put in order"
        order = np.argsort(found.x, kind="stable")
        found = replace(axis.taken(found, order), notes=(*found.notes, note))
    if found.factor is not None or found.sigma is not None:
        return found
    x, first, place = np.unique(np.round(found.x, 7), return_index=True, return_inverse=True)
    if x.size == found.x.size:
        return found

    def summed(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(place, values, x.size), dtype=float)

    visits = found.x.size - x.size
    return replace(
        found,
        x=found.x[first],
        y=summed(found.y),
        seconds=summed(np.asarray(found.seconds)),
        line=np.asarray(found.line)[first].tolist(),
        notes=(*found.notes, f"{visits} repeated visits were added to the counts of their places"),
    )
