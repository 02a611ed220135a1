"""Choose from many candidates those in a spectrum, by the Bayesian information criterion.

BIC = n ln(Σ squares) + p ln n, with n the independent points: neighbouring residuals that share
one fault count less, n = N (1 − ρ)/(1 + ρ) with their lag-1 correlation ρ (Bayley and Hammersley,
J. R. Stat. Soc. Suppl. 8, 184, 1946).  Counted one by one they would ask for ever more standards.
Sets within 6 of the best are rivals (Kass and Raftery, J. Am. Stat. Assoc. 90, 773, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import Parameter
from materialsdock.techniques.xas.mixture.combination import (
    FIT_EV,
    Constraints,
    Prepared,
    XasCurve,
    common_edge,
    normalisations,
    over_normalisations,
    prepare,
)
from materialsdock.techniques.xas.mixture.linear import alike, best_shift, independent, solve
from materialsdock.techniques.xas.mixture.misfit import negative
from materialsdock.techniques.xas.model import Combination
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

MOST_TOGETHER = 4
MOST_CANDIDATES = 12
ROUGHLY = 8  # one choice of normalisation in so many, for shares of candidates not chosen
STRONG = 6.0  # difference in BIC
RIVALS_NAMED = 3


@dataclass(frozen=True)
class Contender:
    """A set of candidates (their numbers), its BIC, and the rms of what it leaves."""

    members: tuple[int, ...]
    bic: float
    rms: float


def explain(
    sample: XasCurve,
    candidates: Sequence[XasCurve],
    *,
    edge: str | None = None,
    e0_ev: float | None = None,
    fit_ev: tuple[float, float] = FIT_EV,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
) -> Combination:
    """Fractions, adding up to 1, of those candidates that the spectrum asks for.

    left_out : the share each of the others would take if it were added, with its esd
    rivals : other sets that fit about as well, in words
    chosen : settings of the normalisation, and how far energies may be shifted

    Raises InputError as `combine` does, and for more than 12 candidates.
    """
    names = [each.name for each in candidates]
    _check_names(names)
    e0 = common_edge(sample, candidates, edge, e0_ev)
    reference = normalisations(e0, [sample, *candidates], chosen)[0]
    prepared = prepare(sample, candidates, e0, reference, fit_ev)
    ranked = contenders(prepared, chosen.shift)
    best, rivals = ranked[0], rivals_of(ranked)

    kept = [candidates[i] for i in best.members]
    constraints = Constraints(fit_ev, chosen=chosen)
    found = over_normalisations(sample, kept, e0, constraints)
    shares = {}
    for i in sorted(set(range(len(names))) - set(best.members)):
        if alike(prepared.basis(0.0)[:, [*best.members, i]]):
            shares[names[i]] = Parameter(names[i], 0.0)  # no esd: not to be told apart
            continue
        added = over_normalisations(sample, [*kept, candidates[i]], e0, constraints, ROUGHLY)
        shares[names[i]] = added.fractions[names[i]]
    said = tuple(_said(names, best, rival) for rival in rivals)
    of_all = negative(prepared.basis(found.shift_ev), prepared.data, prepared.weight, names)
    warnings = dict.fromkeys((*found.warnings, *of_all))
    return replace(found, left_out=shares, rivals=said, warnings=tuple(warnings))


def _check_names(names: Sequence[str]) -> None:
    """InputError for too few or too many standards, or two of one name."""
    if not 2 <= len(names) <= MOST_CANDIDATES:
        count = "1 standard is" if len(names) == 1 else f"{len(names)} standards are"
        raise InputError(
            f"{count} too {'few' if len(names) < 2 else 'many'}",
            where="linear combination",
            remedy=f"give 2 to {MOST_CANDIDATES}",
        )
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"two standards are called {', '.join(twice)}",
            where="linear combination",
            remedy="give each a name of its own",
        )


def contenders(prepared: Prepared, shift_limit_ev: float) -> list[Contender]:
    """All sets of up to four candidates that can be told apart, the best BIC first."""
    weight = prepared.weight[:, None]
    target = prepared.data * prepared.weight

    def cost(shift: float) -> float:
        return solve(prepared.basis(shift) * weight, target, True)[1]

    still = prepared.basis(0.0) * weight
    points = independent(target - still @ solve(still, target, True)[0])
    basis = prepared.basis(best_shift(cost, shift_limit_ev, points))
    matrix = basis * weight
    everything, _ = solve(matrix, target, True)
    points = independent(target - matrix @ everything)
    count = range(1, min(matrix.shape[1], MOST_TOGETHER) + 1)
    sets = chain.from_iterable(combinations(range(matrix.shape[1]), size) for size in count)
    found = []
    for members in sets:
        part = matrix[:, members]
        if alike(part):
            continue
        fractions, squares = solve(part, target, True)
        bic = points * np.log(max(squares, 1e-300)) + (len(members) - 1) * np.log(points)
        rms = float(np.sqrt(np.mean((prepared.data - basis[:, members] @ fractions) ** 2)))
        found.append(Contender(members, float(bic), rms))
    return sorted(found, key=lambda each: each.bic)


def rivals_of(ranked: Sequence[Contender]) -> list[Contender]:
    """Sets within 6 of the first one's BIC that do not just add to it, best first."""
    best = ranked[0]
    return [
        each
        for each in ranked[1:]
        if each.bic - best.bic < STRONG and not set(best.members) < set(each.members)
    ][:RIVALS_NAMED]


def _said(names: Sequence[str], chosen: Contender, rival: Contender) -> str:
    together = " + ".join(names[i] for i in rival.members)
    return (
        f"{together} fits nearly as well: rms {rival.rms:.2g} in place of {chosen.rms:.2g} of the "
        f"edge step, BIC {rival.bic - chosen.bic:.1f} higher"
    )
