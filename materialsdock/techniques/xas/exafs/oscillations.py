"""χ(k) of a measured spectrum with posterior samples, and the peaks of its Fourier transform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.exafs.background import RBKG, remove_background, wavenumber
from materialsdock.techniques.xas.exafs.fourier import r_grid, transform, window
from materialsdock.techniques.xas.exafs.shell import FourierRange
from materialsdock.techniques.xas.model import EdgeFit, Oscillations
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

WORTH_K = 6.0  # [1/Å]; shorter ranges do not separate one shell from the next
SHORTEST_R, LONGEST_R = 1.0, 6.0
PLAIN_K = (3.0, 12.0)
SAMPLES = 32


def measured_oscillations(
    energy_ev: FloatArray,
    mu: FloatArray,
    edge: EdgeFit,
    samples: FloatArray,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
) -> Oscillations:
    """χ(k) of the posterior mean µ (n,) and of its first samples (s, n), by one and the same edge.

    chosen : rbkg, and the range of the transform
    Raises InputError when the energies end before k = 6 1/Å beyond E0.
    """
    e0, rbkg = edge.origin_ev, RBKG if chosen.rbkg is None else chosen.rbkg
    reach = float(wavenumber(energy_ev[-1:], e0)[0])
    if reach < WORTH_K:
        raise InputError(
            f"the energies end at k = {reach:.1f} 1/Å beyond E0",
            where="χ(k)",
            remedy=f"measure to k = {WORTH_K:g} 1/Å or further",
        )
    found = remove_background(energy_ev, mu, e0, edge.edge_step, rbkg=rbkg)
    drawn = [
        remove_background(energy_ev, sample, e0, edge.edge_step, rbkg=rbkg).chi
        for sample in samples[:SAMPLES]
    ]
    found = replace(found, k_range=chosen.k_range)
    return replace(found, samples=np.array(drawn)) if drawn else found


def plain_range(data: Oscillations) -> FourierRange:
    """The k range of the transform, weight k²: 3 to 12 1/Å where none was chosen, to the last k."""
    first, last = PLAIN_K if data.k_range is None else data.k_range
    top = min(last, float(data.k[-1]))
    return FourierRange((min(first, top / 3), top), (SHORTEST_R, LONGEST_R))


def magnitude(k: FloatArray, chi: FloatArray, within: FourierRange) -> FloatArray:
    """(j,) or (s, j) |χ̃(R)| on `r_grid(6)` of χ (m,) or samples (s, m) at k (m,) [1/Å]."""
    shape = k**within.k_weight * window(k, *within.k, within.dk, within.window)
    count = r_grid(LONGEST_R).size
    rows = [np.abs(transform(row * shape))[:count] for row in np.atleast_2d(chi)]
    return np.asarray(rows if chi.ndim > 1 else rows[0])


def strongest_peak(data: Oscillations) -> tuple[float, float | None]:
    """(R, sd) [Å] of the highest |χ̃(R)| beyond 1 Å, not corrected for the phase.

    sd : over posterior samples, each of which has its own highest peak; None without them
    """
    within = plain_range(data)

    def highest(chi: FloatArray) -> float:
        r, size = r_grid(LONGEST_R), magnitude(data.k, chi, within)
        top = int(np.argmax(np.where(r >= SHORTEST_R, size, 0.0)))
        return float(r[top])

    if data.samples is None:
        return highest(data.chi), None
    spread = float(np.std([highest(row) for row in data.samples], ddof=1))
    return highest(data.chi), spread
