"""Intensities of a file into counts of one counting time, and their standard deviation σ.

A column is σ only where it says so or behaves so; counts have √counts.  What is no number of counts
has a σ that nobody knows, and it is called so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files.found import FoundScan

POISSON = "√counts"
UNKNOWN = "not known: intensities are not counts"
WHOLE = 1e-3  # of a count: how far counts may be from a whole number
FACTOR = 3.0  # between a column and √counts, where the column may be σ
ZEROS = 0.1  # share of points without σ that may be left out
ALIKE = (0.5, 2.0)  # intensity of one count, where intensities are counts
NORMALISED = (100.0, 1000.0, 10_000.0, 100_000.0)  # largest intensity
WHOLE_RATES_S = 1.5  # rates of longer counting are no whole numbers
ODD, FEWEST_TO_SCATTER = 5.0, 50  # of the scatter of counts; points to tell it from
SAME = 1e-6  # of a counting time
CHI2_MEDIAN = 0.4549  # of one degree of freedom


@dataclass(frozen=True, eq=False)
class Intensities:
    """Counts y (n,) in `seconds`, and σ (n,), None where it is √counts.

    signal, sigma_from : how they were made, in words; kept : (n,) points that have a weight at all
    """

    y: FloatArray
    sigma: FloatArray | None
    signal: str
    sigma_from: str
    seconds: float | None
    kept: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def whole(values: FloatArray) -> bool:
    """True where (n,) values are whole numbers, as counts are."""
    return bool(np.isfinite(values).all() and (np.abs(values - np.rint(values)) < WHOLE).all())


def behaves_as_sigma(sigma: FloatArray, counts: FloatArray) -> bool:
    """True where a column (n,) without a name can only be σ of counts (n,).

    It is within a factor 3 of √counts, where counts are whole numbers, and not everywhere the same.
    """
    if not (whole(counts) and (counts >= 0).all() and counts.max() >= 1) or _no_sigma(
        sigma, counts
    ):
        return False
    ratio = sigma / np.sqrt(np.maximum(counts, 1.0))
    return bool((ratio >= 1 / FACTOR).all() and (ratio <= FACTOR).all())


def scales_as_sigma(sigma: FloatArray, y: FloatArray) -> bool:
    """True where a column (n,) rises with the intensities (n,) as σ does: σ² over y stays alike.

    All points that are not nearly empty lie within a factor 3 of each other; a background or a
    calculated curve does not, except where the pattern is flat.  True as well for one that cannot
    be σ at all: whoever judges the scan says why.
    """
    if _no_sigma(sigma, y):
        return True
    filled = y > 0.1 * np.median(y)
    ratio = sigma[filled] / np.sqrt(y[filled])
    return bool(ratio.size and ratio.min() > 0 and ratio.max() <= FACTOR * ratio.min())


def judged(found: FoundScan) -> Intensities:
    """Counts and σ of a scan, as far as its file says what its intensities are."""
    seconds, notes = _seconds(found)
    one = None if seconds is None else float(np.median(seconds))
    gain = np.ones(found.y.size)  # of the intensities, to be counts of one time
    spread = np.ones(found.y.size)  # of counts, in the intensities that come of them
    signal = "counts" if found.intensity != "cps" else "counts per second"
    if seconds is not None and one is not None:
        spread = one / seconds
        if found.intensity == "cps":
            gain, signal = gain * one, f"counts per second × {one:g} s"
        elif np.ptp(seconds) > SAME * one:
            gain, signal = spread, f"counts per counting time × {one:g} s"
    if found.factor is not None:
        gain = gain if found.corrected else gain * found.factor
        spread = spread * found.factor
        signal += ", corrected by the file" if found.corrected else " × attenuator factors"
    counts = Intensities(
        found.y * gain, None, signal, POISSON, one, np.ones(gain.size, dtype=bool), notes
    )
    counts = _weighted(counts, spread, found)
    if found.sigma is None:
        return counts
    return _with_column(counts, found.sigma * gain, found.sigma_from)


def _seconds(found: FoundScan) -> tuple[FloatArray | None, tuple[str, ...]]:
    """Counting times (n,) [s] of the points, where all of them are known."""
    if found.seconds is None:
        return None, ()
    seconds = np.broadcast_to(np.asarray(found.seconds, dtype=float), found.y.shape)
    if (np.isfinite(seconds) & (seconds > 0)).all():
        return seconds, ()
    return None, ("the counting times of the file are not all positive, they were not used",)


def _weighted(counts: Intensities, spread: FloatArray, found: FoundScan) -> Intensities:
    """The intensities with σ of counting, or, where they are no counts, of their scatter."""
    if found.intensity == "relative" or (found.intensity == "" and _is_normalised(counts.y)):
        why = "the heading calls them relative" if found.intensity else "normalised"
        return _scattered(replace(counts, signal="relative intensities"), why)
    timed = found.intensity == "cps" and counts.seconds is not None
    if called := _doubtful(found, timed):
        if not _count_as_counts(counts.y):
            return _scattered(replace(counts, signal=called[2]), called[1])
        note = f"called {called[0]}, but whole numbers that scatter as counts: read as counts"
        counts = replace(counts, signal="counts", notes=(*counts.notes, note))
    if timed and whole(found.y) and (counts.seconds or 0.0) > WHOLE_RATES_S:
        note = "all counts per second are whole numbers, as counts are: if they are counts, "
        note += f"they are {counts.seconds:g} times too large here"
        counts = replace(counts, notes=(*counts.notes, note))
    if not timed and not whole(counts.y / spread):
        return _scattered(replace(counts, signal="intensities"), "")
    if (spread == 1).all():
        return replace(counts, notes=(*counts.notes, *_odd_scatter(counts.y)))
    sigma = np.sqrt(np.maximum(counts.y / spread, 1.0)) * spread
    return replace(counts, sigma=sigma, sigma_from="√counted, scaled as the counts are")


def _doubtful(found: FoundScan, timed: bool) -> tuple[str, str, str] | None:
    """The name in a file of intensities that may be counts all the same, why not, and ours."""
    if found.intensity == "cps" and not timed:
        rate = "counts per second"
        return rate, f"{rate}, whose counting time is not named", rate
    if found.intensity == "arbitrary":
        called = "arbitrary units, or multiples"
        return called, f"the heading calls them {called}", "intensities"
    return None


def _count_as_counts(y: FloatArray) -> bool:
    return whole(y) and ALIKE[0] < (counts_unit(y) or 0.0) < ALIKE[1]


def _odd_scatter(y: FloatArray) -> tuple[str, ...]:
    """A note on counts (n,) that scatter much less or much more than counts do."""
    k = counts_unit(y) if y.size >= FEWEST_TO_SCATTER else None
    if k is None or 1 / ODD < k < ODD:
        return ()
    less = "less" if k < 1 else "more"
    said = f"neighbouring points scatter {np.sqrt(k):.2g} times as much as counts do: "
    return (f"{said}where these are no counts, or were smoothed, σ is {less} than √counts",)


def _is_normalised(y: FloatArray) -> bool:
    """True for whole numbers up to 100, 1000, ... exactly that do not scatter as counts."""
    return whole(y) and float(y.max()) in NORMALISED and not _count_as_counts(y)


def _scattered(counts: Intensities, why: str) -> Intensities:
    """σ² = k·y of intensities that are no counts, k from the scatter between neighbours."""
    said = f"{UNKNOWN}{f' ({why})' if why else ''}"
    k = counts_unit(counts.y)
    if k is None:
        return replace(counts, sigma_from=said)
    said += f"; from the scatter between neighbouring points σ² = {k:.3g} × intensity"
    return replace(counts, sigma=np.sqrt(k * np.maximum(counts.y, k)), sigma_from=said)


def counts_unit(y: FloatArray) -> float | None:
    """The intensity k of one count: counting noise has the variance k·y, k is 1 for counts.

    From second differences of neighbours, whose variance is 6 k y where the pattern is smooth; the
    median leaves peaks out.  None where intensities (n,) do not scatter.
    """
    mean = (y[:-2] + y[1:-1] + y[2:]) / 3
    inside = mean > 0
    if not inside.any():
        return None
    bend = y[:-2] - 2 * y[1:-1] + y[2:]
    k = float(np.median(bend[inside] ** 2 / (6 * mean[inside]))) / CHI2_MEDIAN
    return k if np.isfinite(k) and k > 0 else None


def _with_column(counts: Intensities, sigma: FloatArray, said: str) -> Intensities:
    """The intensities with the file's own σ (n,), where it can be one."""
    if fault := _no_sigma(sigma, counts.y):
        note = f"{said} is not taken as σ: {fault}"
        return replace(counts, notes=(*counts.notes, note))
    kept, notes = sigma > 0, counts.notes
    zero = ~kept & (counts.y == 0)
    if zero.any() and (kept | zero).all() and whole(counts.y):
        sigma, kept = np.where(zero, 1.0, sigma), np.ones(sigma.size, dtype=bool)
        notes += (f"σ = 0 of {np.count_nonzero(zero)} points without counts was read as 1",)
    elif not kept.all():
        notes += (f"{np.count_nonzero(~kept)} points of σ = 0 were left out",)
    return replace(counts, sigma=sigma, sigma_from=said, kept=kept, notes=notes)


def _no_sigma(sigma: FloatArray, y: FloatArray) -> str:
    """Say why a column (n,) is no σ of intensities y (n,); "" where it may be one."""
    if not np.isfinite(sigma).all():
        return "it is not finite everywhere"
    if (sigma < 0).any():
        return f"{np.count_nonzero(sigma < 0)} of its values are negative"
    if sigma.size > 1 and np.ptp(sigma) <= 1e-9 * abs(sigma).max():
        return f"it is {sigma[0]:g} at every point"
    if (sigma > y).all():
        return "it is larger than the intensity at every point"
    if np.count_nonzero(sigma == 0) > ZEROS * sigma.size and not (y[sigma == 0] == 0).all():
        return f"it is 0 at {np.count_nonzero(sigma == 0)} of {sigma.size} points"
    return ""
