"""Setting a library prior on a spectrum that is being measured, and asking whether it fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from materialsdock.errors import ModelFault
from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.hyperparameters import log_likelihood
from materialsdock.learning.gp.posterior import Engine
from materialsdock.learning.prior.library import LibraryKernel, LibraryPrior
from materialsdock.model import FloatArray

CHEMICAL_SHIFT_EV = 5.0  # least sd of an edge about those of the standards
SEARCH_STEP_EV, SEARCH_SD = 0.75, 3.0
KNOWN_SD_EV = 0.3  # an edge is never taken as known better than that
HEIGHT = 1.3  # range of a raw spectrum in edge steps, to begin with
STEPS = (0.8, 0.9, 1.0, 1.11, 1.25)
SCALES = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
SCALE_SD = 0.7  # of the logarithm of a spectrum's own scale of the rest
ROUNDS = 2
FREE = 5  # offset, slopes, step, position: the first counts only settle these
JUDGED, FEWEST, FEWEST_COUNTS = 15, 8, 10
CALM, WILD, LIKELIER = (0.2, 2.5), 25.0, 10.0


def expected_edge(prior: LibraryPrior) -> tuple[float, float]:
    """Estimate the edge of an unknown sample, and its sd [eV]: about those of the standards."""
    spread = float(np.std(prior.edges_ev, ddof=1)) if prior.edges_ev.size > 1 else 0.0
    return float(prior.edges_ev.mean()), max(spread, CHEMICAL_SHIFT_EV)


def unplaced(prior: LibraryPrior, *, edge_step: float = 1.0) -> LibraryKernel:
    """The prior before the first count, its edge where the standards have theirs."""
    e0_ev, sd = expected_edge(prior)
    return prior.kernel(e0_ev, e0_sd_ev=sd, edge_step=edge_step)


def place(
    prior: LibraryPrior, x: FloatArray, y: FloatArray, noise_variance: FloatArray
) -> LibraryKernel:
    """Set the prior on raw data y (n,) at energies x (n,) [eV] with known noise (n,).

    Edge position, edge step and the scale of the rest are those of largest posterior density, by a
    search that is the same for equal data; the position's sd is kept.  Raises ModelFault for data
    that are not finite or all equal.
    """
    if not (np.isfinite([x, y, noise_variance]).all() and np.ptp(y) > 0):
        raise ModelFault("data are not finite, or all equal", remedy="count at more energies")
    data, (centre, spread) = (x, y, noise_variance), expected_edge(prior)
    reach = SEARCH_SD * spread
    edges = np.arange(centre - reach, centre + reach + 1e-9, SEARCH_STEP_EV)
    best = prior.kernel(centre, edge_step=float(np.ptp(y)) / HEIGHT)
    for _ in range(ROUNDS):
        moved = [replace(best, e0_ev=float(e0)) for e0 in edges]
        densities = np.array([_density(kernel, *data) for kernel in moved])
        best = moved[int(densities.argmax())]
        stretched = [replace(best, edge_step=best.edge_step * factor) for factor in STEPS]
        best = max(stretched, key=lambda kernel: _density(kernel, *data))
        scaled = [replace(best, scale=scale) for scale in SCALES]
        best = max(scaled, key=lambda kernel: _density(kernel, *data))
    weight = np.exp(densities - densities.max())
    weight /= weight.sum()
    e0 = float(weight @ edges)
    sd = float(np.sqrt(weight @ (edges - e0) ** 2))
    return replace(best, e0_ev=e0, e0_sd_ev=max(sd, KNOWN_SD_EV))


def _density(
    kernel: LibraryKernel, x: FloatArray, y: FloatArray, noise_variance: FloatArray
) -> float:
    """Log posterior density of where and how a library prior is set, up to a constant."""
    centre, spread = expected_edge(kernel.prior)
    distance = (kernel.e0_ev - centre) / spread
    likelihood = log_likelihood(kernel, x, y - kernel.mean(x), noise_variance)
    return likelihood - 0.5 * distance**2 - 0.5 * (math.log(kernel.scale) / SCALE_SD) ** 2


def posterior(grid: FloatArray, kernel: LibraryKernel) -> GridPosterior:
    """The empty posterior on `grid` (m,) [eV] under a library prior."""
    return GridPosterior(grid, kernel, kernel.mean)


@dataclass(frozen=True)
class Agreement:
    """The answer whether the data are such as the prior expects, and the sentence that says so."""

    ok: bool
    reason: str


def agreement(posterior: Engine, without: float | None = None) -> Agreement:
    """Judge a library prior by what it made of the counts so far, all in one sentence.

    without : log likelihood of the same counts under the model that would go on without the prior
    Refused when the mean z² of 15 counts is outside 0.2 to 2.5 or one exceeds 25 (the first five,
    which settle offset, slopes, step and position, left out); or when the counts are e¹⁰ times
    likelier without it, which is how a prior shows that is wrong but was stretched to fit.  Fewer
    than 10 counts refuse nothing, and fewer than 8 that are judged nothing by their z².
    """
    n = len(posterior)
    if n < FEWEST_COUNTS:
        return Agreement(True, f"{n} counts are too few to judge the library prior")
    z2 = np.array([each.z2 for each in posterior.innovations])[FREE : FREE + JUDGED]
    mean, largest = float(z2.mean()), float(z2.max())
    said = [f"mean z² {mean:.2f}, largest {largest:.1f} over {z2.size} of {n} counts"]
    ok = z2.size < FEWEST or (CALM[0] < mean < CALM[1] and largest <= WILD)
    if without is not None:
        said.append(f"log likelihood {posterior.log_likelihood - without:+.1f} against none")
        ok = ok and posterior.log_likelihood - without >= -LIKELIER
    return Agreement(ok, f"library prior {'agrees' if ok else 'refused'}: {'; '.join(said)}")
