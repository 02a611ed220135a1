"""Linear combination fitting: which standards a spectrum is made of, and how well that is known.

Sample and standards are normalised by the same ranges about the same energy.  Normalising is then
linear, so that a mixture's normalised spectrum is exactly the mixture of the standards' ones, and
what the choice of ranges still moves are the standards' own edge steps.  The answer is that of the
ranges that were chosen, or else of the usual ones, as the figure shows it.  The fit is repeated for
many other choices; how far they lie off joins the esd of noise and misfit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray, Parameter
from materialsdock.techniques.xas.mixture.linear import (
    best_shift,
    esds,
    independent,
    refuse_alike,
    solve,
)
from materialsdock.techniques.xas.mixture.misfit import left_over, negative
from materialsdock.techniques.xas.model import Combination
from materialsdock.techniques.xas.spectrum.checks import check_curve, checked_edge, noise_of
from materialsdock.techniques.xas.spectrum.edge_table import (
    TABULATED_WITHIN_EV,
    candidates,
    refuse_other,
)
from materialsdock.techniques.xas.spectrum.normalise import FEWEST_POINTS as FEWEST_OF_A_LINE
from materialsdock.techniques.xas.spectrum.normalise import Ranges, normalise
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

FIT_EV = (-20.0, 80.0)
LOOKED_AT_EV = 1.0  # a shift so large is tried where none was asked for
FEWEST_POINTS = 10
# of errors over the spread of all choices: found on tests/benchmarks/truth_xas.py, make "oxide"
SPREAD_FACTOR = 0.8
STILL_EV = 0.1  # shifts below count as aligned
PRE_FAR_EV, PRE_NEAR_EV = (120.0, 150.0, 200.0), (30.0, 50.0)
POST_NEAR_EV, POST_FAR_EV = (40.0, 75.0, 120.0), (400.0, 600.0, 900.0)
ORDERS = (1, 2)


@dataclass(frozen=True, eq=False)
class XasCurve:
    """A spectrum by name: (n,) energies [eV], µ, and the sd of µ if it is known."""

    name: str
    energy_ev: FloatArray
    mu: FloatArray
    sigma: FloatArray | None = None


@dataclass(frozen=True)
class Constraints:
    """The constraints on the fit of fractions.

    fit_ev : range of the fit about the sample's edge [eV]
    sum_to_one : fractions add up to 1; otherwise each is from 0 to 1
    chosen : normalisation that is taken as the reference, and how far energies may be shifted
    """

    fit_ev: tuple[float, float] = FIT_EV
    sum_to_one: bool = True
    chosen: SpectrumSettings = NOTHING_CHOSEN


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sample (m,) and its standards, normalised by the same ranges; weight : 1/sd or 1.

    noise : sd of a point of the sample as its own scatter shows it [edge steps]
    """

    energy_ev: FloatArray
    data: FloatArray
    weight: FloatArray
    curves: tuple[tuple[FloatArray, FloatArray], ...]
    ranges: Ranges
    noise: float = 0.0

    def basis(self, shift: float) -> FloatArray:
        """(m, p) the standards at the sample's energies, the sample shifted by `shift` [eV]."""
        return np.column_stack([np.interp(self.energy_ev - shift, x, y) for x, y in self.curves])


@dataclass(frozen=True, eq=False)
class _Fit:
    fractions: FloatArray
    esd: FloatArray
    shift_ev: float
    energy_ev: FloatArray
    data: FloatArray
    curves: FloatArray  # (m, p) the standards there
    ranges: Ranges
    warnings: tuple[str, ...] = ()

    @property
    def model(self) -> FloatArray:
        return np.asarray(self.curves @ self.fractions)

    @property
    def r_factor(self) -> float:
        return float(np.sum((self.data - self.model) ** 2) / np.sum(self.data**2))


def combine(
    sample: XasCurve,
    standards: Sequence[XasCurve],
    *,
    edge: str | None = None,
    e0_ev: float | None = None,
    fit_ev: tuple[float, float] = FIT_EV,
    sum_to_one: bool = True,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
) -> Combination:
    """Non-negative fractions of `standards` in `sample`, with noise and normalisation in the esd.

    e0_ev : the sample's edge where it is known already [eV]
    fit_ev : range of the fit about the sample's edge [eV]
    sum_to_one : fractions add up to 1; otherwise each is from 0 to 1, and `total` their sum
    chosen : normalisation that is taken as the reference, and how far the sample's energies may
        be shifted against the standards'; 0: not, and what it would do is part of the esds

    Raises InputError for bad curves, another element's edge, ranges that do not overlap, and
    standards that cannot be told apart.
    """
    if len(standards) < 2 or len({s.name for s in standards}) < len(standards):
        raise InputError(
            f"standards {[s.name for s in standards]}",
            where="linear combination",
            remedy="give two or more, of different names",
        )
    e0 = common_edge(sample, standards, edge, e0_ev)
    constraints = Constraints(fit_ev, sum_to_one, chosen)
    return over_normalisations(sample, standards, e0, constraints)


def over_normalisations(
    sample: XasCurve,
    standards: Sequence[XasCurve],
    e0: float,
    constraints: Constraints,
    every: int = 1,
) -> Combination:
    """Do as `combine`, about a known edge e0 [eV], and of one standard if need be.

    every : take one of so many choices of normalisation, where a rough spread will do
    """
    fits, names = [], [s.name for s in standards]
    choices = normalisations(e0, [sample, *standards], constraints.chosen)[::every]
    for ranges in choices:
        prepared = prepare(sample, standards, e0, ranges, constraints.fit_ev)
        fits.append(_fit(prepared, names, constraints))
    shifted = None
    if not constraints.chosen.shift and every == 1:
        prepared = prepare(sample, standards, e0, choices[0], constraints.fit_ev)
        asked = replace(constraints.chosen, shift=LOOKED_AT_EV)
        shifted = _fit(prepared, names, replace(constraints, chosen=asked))
    return _summary(fits, shifted, names, constraints)


def normalisations(
    e0_ev: float, curves: Sequence[XasCurve], chosen: SpectrumSettings = NOTHING_CHOSEN
) -> list[Ranges]:
    """Every sensible choice that all curves cover; the first is the reference, as chosen.

    Raises InputError when the curves have no common pre- and post-edge.
    """
    usual = _usual(e0_ev, curves)
    if all(each is None for each in (chosen.pre, chosen.norm, chosen.order)):
        return usual
    first = usual[0]
    order = first.order if chosen.order is None else chosen.order
    reference = Ranges(chosen.pre or first.pre_ev, chosen.norm or first.post_ev, order)
    return [reference, *(each for each in usual if each != reference)]


def _usual(e0_ev: float, curves: Sequence[XasCurve]) -> list[Ranges]:
    first = e0_ev - max(float(c.energy_ev[0]) for c in curves)
    last = min(float(c.energy_ev[-1]) for c in curves) - e0_ev
    if first < min(PRE_NEAR_EV) or last < max(FIT_EV):
        raise InputError(
            f"all curves together cover {-first:+.0f} to {last:+.0f} eV of the edge",
            where="linear combination",
            remedy=f"at least {-min(PRE_NEAR_EV):+g} to {max(FIT_EV):+g} eV are needed",
        )
    found = {
        Ranges((-min(far, first), -near), (start, min(end, last)), order)
        for far, near, start, end, order in product(
            PRE_FAR_EV, PRE_NEAR_EV, POST_NEAR_EV, POST_FAR_EV, ORDERS
        )
        if min(far, first) > near + 20.0 and min(end, last) > start + (200.0 if order > 1 else 50.0)
    }
    found = {r for r in found if all(_covered(c.energy_ev - e0_ev, r) for c in curves)}
    if not found:
        middle = min(FIT_EV[1], last) / 2
        return [Ranges((-first, -min(PRE_NEAR_EV) / 2), (middle, last), 1)]
    reach = min(last, POST_FAR_EV[-1])
    return sorted(
        found, key=lambda r: (-r.order, abs(r.post_ev[1] - reach), r.post_ev[0], r.pre_ev)
    )


def _covered(relative_ev: FloatArray, ranges: Ranges) -> bool:
    """Return True if both lines have points enough; far from the edge spectra are sparse."""
    inside = [
        (relative_ev >= lo) & (relative_ev <= hi) for lo, hi in (ranges.pre_ev, ranges.post_ev)
    ]
    needed = (FEWEST_OF_A_LINE, FEWEST_OF_A_LINE + ranges.order)
    return all(int(each.sum()) >= least for each, least in zip(inside, needed, strict=True))


def common_edge(
    sample: XasCurve, standards: Sequence[XasCurve], edge: str | None, e0_ev: float | None = None
) -> float:
    """The edge [eV] of the sample, given or found; InputError when a standard has another."""
    if e0_ev is None:
        own = checked_edge(sample.energy_ev, sample.mu, edge, sample.name).e0_ev
    else:
        check_curve(sample.energy_ev, sample.mu, sample.name)
        own = e0_ev
    possible = candidates(own)
    for each in standards:
        found = checked_edge(each.energy_ev, each.mu, None, each.name).e0_ev
        if len(possible) == 1:
            refuse_other(found, possible[0], each.name)
        elif abs(found - own) > TABULATED_WITHIN_EV:
            raise InputError(
                f"its edge is at {found:.1f} eV, the sample's at {own:.1f} eV",
                where=each.name,
                remedy="give standards of the sample's edge",
            )
    return own


def prepare(
    sample: XasCurve,
    standards: Sequence[XasCurve],
    e0: float,
    ranges: Ranges,
    fit_ev: tuple[float, float] = FIT_EV,
) -> Prepared:
    """Sample and standards normalised alike; InputError for too few points in fit_ev [eV]."""
    norm = normalise(sample.energy_ev, sample.mu, e0, ranges)
    inside = (sample.energy_ev >= e0 + fit_ev[0]) & (sample.energy_ev <= e0 + fit_ev[1])
    energy, data = sample.energy_ev[inside], norm.flat[inside]
    if energy.size < FEWEST_POINTS:
        raise InputError(
            f"{energy.size} points between {fit_ev[0]:+g} and {fit_ev[1]:+g} eV",
            where=sample.name,
            remedy="widen the range of the fit",
        )
    if sample.sigma is None:
        weight = np.ones(energy.size)
    else:
        weight = norm.edge_step / np.maximum(sample.sigma[inside], 1e-12)
    curves = [(s.energy_ev, normalise(s.energy_ev, s.mu, e0, ranges).flat) for s in standards]
    noise = noise_of(sample.mu[inside]) / norm.edge_step
    return Prepared(energy, data, weight, tuple(curves), ranges, noise)


def _fit(prepared: Prepared, names: Sequence[str], constraints: Constraints) -> _Fit:
    energy, data, weight = prepared.energy_ev, prepared.data, prepared.weight
    sum_to_one = constraints.sum_to_one

    def cost(shift: float) -> float:
        return solve(prepared.basis(shift) * weight[:, None], data * weight, sum_to_one)[1]

    shift = 0.0
    if constraints.chosen.shift:
        still = prepared.basis(0.0) * weight[:, None]
        left = data * weight - still @ solve(still, data * weight, sum_to_one)[0]
        shift = best_shift(cost, constraints.chosen.shift, independent(left))
    matrix = prepared.basis(shift)
    found, _ = solve(matrix * weight[:, None], data * weight, sum_to_one)
    refuse_alike(matrix, names)
    slope = -np.gradient(matrix @ found, energy) if shift else None
    sd = esds(matrix, slope, weight, data - matrix @ found, found, sum_to_one)
    warnings = (
        *left_over(energy, data - matrix @ found, prepared.noise),
        *(negative(matrix, data, weight, names) if sum_to_one else ()),
    )
    return _Fit(found, sd, shift, energy, data, matrix, prepared.ranges, warnings)


def _summary(
    fits: Sequence[_Fit], shifted: _Fit | None, names: Sequence[str], constraints: Constraints
) -> Combination:
    """Sum up all fits, the first being the answer and the others its doubt.

    shifted : the reference with a shift that nobody asked for
    """
    best, doubted = fits[0], np.zeros(len(names))
    spread = np.full(len(names), np.inf)
    if len(fits) > 1:
        off = np.array([fit.fractions for fit in fits[1:]]) - best.fractions
        spread = SPREAD_FACTOR * np.sqrt(np.mean(off**2, axis=0))
    if shifted is not None and abs(shifted.shift_ev) > STILL_EV:
        doubted = np.abs(shifted.fractions - best.fractions)
    total = np.hypot(np.hypot(best.esd, spread), doubted)
    warnings = [*best.warnings]
    warnings += _of_shift(best.shift_ev, shifted, best, constraints.chosen.shift)
    if len(fits) == 1:
        warnings.append("too short for other normalisations: their spread is not known")
    return Combination(
        {
            n: Parameter(n, float(v), float(s))
            for n, v, s in zip(names, best.fractions, total, strict=True)
        },
        dict(zip(names, best.esd.tolist(), strict=True)),
        dict(zip(names, spread.tolist(), strict=True)),
        float(best.fractions.sum()),
        best.shift_ev,
        best.r_factor,
        best.energy_ev,
        best.data,
        best.model,
        len(fits),
        tuple(warnings),
        esd_shift=dict(zip(names, doubted.tolist(), strict=True)) if doubted.any() else {},
        parts=dict(zip(names, (best.curves * best.fractions).T, strict=True)),
        normalisation=best.ranges.said(),
    )


def _of_shift(shift: float, shifted: _Fit | None, best: _Fit, limit_ev: float) -> Iterator[str]:
    """Say what was shifted, or what a shift would do that was not asked for."""
    if limit_ev > 0 and abs(shift) > 0.95 * limit_ev:
        yield f"energy shift {shift:+.2f} eV is at its limit: calibrate the energies"
    elif abs(shift) > STILL_EV:
        yield f"the sample's energies are shifted by {shift:+.2f} eV"
    if shifted is not None and abs(shifted.shift_ev) > STILL_EV:
        yield (
            f"with the sample's energies shifted by {shifted.shift_ev:+.2f} eV the R-factor "
            f"would be {shifted.r_factor:.2g} in place of {best.r_factor:.2g}: calibrate them, or "
            f"ask for it with --shift {LOOKED_AT_EV:g}"
        )
