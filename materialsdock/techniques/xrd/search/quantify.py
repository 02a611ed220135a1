"""Fractions of the original sample from a weighed-in standard; what is left is amorphous.

Rietveld fractions are shares of what the structures describe, so they sum to 100 % whatever else is
in the sample.  A known weight of a standard turns them into absolute ones.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.model import Fit
from materialsdock.techniques.xrd.search.detection_limits import DETECTED_ESDS, limit

WEIGHED = re.compile(
    r"(?P<name>.+)=(?P<percent>\d+(?:\.(?P<digits>\d+))?)"
    r"(?:(?:±|\+/-)(?P<esd>\d+(?:\.\d+)?)|\((?P<last>\d+)\))?"
)
# Halving the share of the standard that a fit finds doubles what is said to be amorphous.
POORLY_KNOWN = 0.1


@dataclass(frozen=True)
class SpikedStandard:
    """A phase of known weight: `percent` of the mixture that was measured, esd of the weighing."""

    name: str
    percent: float
    esd: float = 0.0


@dataclass(frozen=True)
class Share:
    """A share of the original sample [wt%] with its esd (None: the engine gave none).

    esd : the combined one, of esd_statistical and esd_systematic
    """

    name: str
    percent: float
    esd: float | None
    esd_statistical: float | None = None
    esd_systematic: float | None = None


@dataclass(frozen=True)
class Original:
    """The sample as it was before the standard was added.

    phases : without the standard; amorphous : what no structure describes, may come out negative
    sentences : what to think of it
    """

    standard: SpikedStandard
    phases: tuple[Share, ...]
    amorphous: Share | None
    sentences: tuple[str, ...]


def weighed_in(word: str) -> SpikedStandard:
    """The standard that `NAME=10.0`, `NAME=10.0±0.1`, `NAME=10.0+/-0.1` or `NAME=10.0(1)` names.

    Raises InputError for anything else, and for weights that no mixture has.
    """
    found = WEIGHED.fullmatch(word.replace(" ", ""))
    if found is None:
        raise InputError(
            f"cannot read {word!r}",
            where="--standard",
            remedy="use NAME=WT_PERCENT, e.g. corundum=20.0 or corundum=20.0±0.1",
        )
    percent, digits = float(found["percent"]), len(found["digits"] or "")
    esd = int(found["last"]) / 10**digits if found["last"] else float(found["esd"] or 0.0)
    if not 0 < percent < 100 or esd >= min(percent, 100 - percent):
        raise InputError(
            f"{word!r} cannot be the weight of a standard in a mixture",
            where="--standard",
            remedy="give its share of the measured mixture, more than 0 and less than 100 wt%",
        )
    return SpikedStandard(found["name"], percent, esd)


def check_standard(standard: SpikedStandard, names: tuple[str, ...]) -> None:
    """Raise InputError when no phase has the standard's name, or no other phase is there."""
    if standard.name not in names:
        raise InputError(
            f"no phase named {standard.name}",
            where="--standard",
            remedy=f"phases are: {', '.join(names)}",
        )
    if len(names) < 2:
        raise InputError(
            f"{standard.name} is the only phase, so everything else would count as amorphous",
            where="--standard",
            remedy="give the structures of the sample's crystalline phases too",
        )


def of_original(
    fit: Fit, standard: SpikedStandard, systematic: FloatArray | None = None
) -> Original:
    """Fractions of the original sample and its amorphous share, with esds [wt%].

    With the Rietveld fractions R and the weighed fraction w of the standard s, both of 1, phase i
    is X_i = R_i w / (R_s (1 − w)) of the original sample and A = 1 − ΣX_i = (1 − w/R_s)/(1 − w)
    is amorphous (De La Torre, Bruque & Aranda 2001, J. Appl. Cryst. 34, 196; Scarlett & Madsen
    2006, Powder Diffr. 21, 278).  The esds hold the covariance of all R and the esd of w, and the
    systematic covariance (k, k) [wt%²] of all R where it is given; of amorphous rims in the
    standard itself they do not know.

    Raises InputError for a standard that is not among the phases.
    """
    names = tuple(phase.name for phase in fit.phases)
    check_standard(standard, names)
    s = names.index(standard.name)
    r = np.array([phase.weight_fraction for phase in fit.phases]) / 100
    found = fit.phases[s]
    esd = found.weight_fraction_esd
    if not r[s] > DETECTED_ESDS * (0.0 if esd is None else esd) / 100:
        said = f"{standard.name} itself is not detected, so nothing can be scaled by it"
        return Original(standard, (), None, (said,))
    shares, slopes = _scaled(r, s, standard)
    drawn = _covariance(fit.weight_covariance, standard.esd)
    moved = _covariance(systematic, 0.0)
    every = [
        Share(name, percent, *_esds(slope, drawn, moved))
        for name, percent, slope in zip((*names, "amorphous"), shares, slopes, strict=True)
    ]
    rest, amorphous = [x for i, x in enumerate(every[:-1]) if i != s], every[-1]
    return Original(
        standard, tuple(rest), amorphous, tuple(_said(amorphous, found.name, esd, r[s]))
    )


def _scaled(r: FloatArray, s: int, standard: SpikedStandard) -> tuple[list[float], FloatArray]:
    """Shares (n + 1,) [wt%] of the phases and of what is amorphous; slopes (n + 1, n + 1).

    slopes : of the shares by R and, last, by the weighed fraction
    The standard's own share of the original sample is zero.
    """
    w = standard.percent / 100
    k = w / ((1 - w) * r[s])
    others = np.arange(r.size) != s
    x = np.where(others, k * r, 0.0)
    by_r = np.diag(np.where(others, k, 0.0))
    by_r[:, s] -= x / r[s]
    slopes = np.column_stack([by_r, x / (w * (1 - w))])
    shares = [100 * float(v) for v in x]
    return [*shares, 100 - sum(shares)], np.vstack([slopes, -slopes.sum(axis=0)])


def _covariance(weights: Any, weighing_esd: float) -> FloatArray | None:
    """(n + 1, n + 1) of the weights (n, n) [wt%²] and of the weighing [wt%]."""
    if weights is None:
        return None
    known = np.asarray(weights, dtype=float)
    whole = np.zeros((known.shape[0] + 1,) * 2)
    whole[:-1, :-1] = known
    whole[-1, -1] = weighing_esd**2
    return whole


def _esds(
    slope: FloatArray, drawn: FloatArray | None, moved: FloatArray | None
) -> tuple[float | None, float | None, float | None]:
    """The combined, the statistical and the systematic esd [wt%] of one share."""
    statistical, systematic = (
        None if c is None else math.sqrt(max(float(slope @ c @ slope), 0.0)) for c in (drawn, moved)
    )
    if statistical is None:
        return None, None, systematic
    return math.hypot(statistical, systematic or 0.0), statistical, systematic


def _said(amorphous: Share, name: str, esd: float | None, r: float) -> list[str]:
    if amorphous.esd is None or not math.isfinite(amorphous.esd):
        return ["the engine gave no covariance of the fractions, so no esd can be given"]
    value, spread = amorphous.percent, amorphous.esd
    said = []
    if value < -spread:
        said.append(
            f"amorphous content comes out at {value:.1f} wt%, {-value / spread:.1f} esds below "
            f"zero: micro-absorption, preferred orientation, a structure that misses some of the "
            f"intensity, or a wrong weight of {name}"
        )
    elif value < DETECTED_ESDS * spread:
        said.append(f"no amorphous content is detected; it is below {limit(value, spread):.1f} wt%")
    if esd is not None and esd / 100 > POORLY_KNOWN * r:
        said.append(f"{name} is known to {esd / r:.0f} % of itself only; weigh in more of it")
    return said
