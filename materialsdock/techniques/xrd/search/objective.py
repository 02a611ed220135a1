"""The objective of a search: Rwp with a price on every free parameter."""

from __future__ import annotations

import math

from materialsdock.techniques.xrd.model import Fit
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace

EVIDENCE = 10.0
MISFIT = 0.03


def objective(fit: Fit, independent_residuals: float) -> float:
    """Rwp [%] times a price per free parameter: the Akaike information criterion.

    AIC = N ln χ² + 2k, so equal AIC means equal Rwp·exp(k/N).  Neighbouring residuals of a profile
    are correlated, so N counts peak widths in the range, not points.  Without the price every
    search runs to the largest number of background terms; AIC ranks backgrounds of measured
    patterns as held-out blocks do (as it should: Stone 1977, J. R. Stat. Soc. B 39, 44), BIC's
    price is four times too high for it.
    """
    return fit.rwp * math.exp(fit.n_free / independent_residuals)


def as_good(fit: Fit, residuals: float, misfit: float = MISFIT) -> float:
    """The ratio of objectives up to which another answer fits about as well as `fit`.

    Noise alone allows an AIC that is EVIDENCE higher (Burnham & Anderson 2002: no support beyond
    10); of the misfit that noise does not explain, nobody knows which recipe makes it rightly, so
    a share of it is allowed besides.
    residuals : that count as independent; misfit : that share
    """
    beyond_noise = 1 - max(fit.gof, 1.0) ** -2
    return math.exp(EVIDENCE / (2 * residuals)) + misfit * beyond_noise


def independent_residuals(space: SearchSpace) -> float:
    """Count the independent residuals of a profile: peak widths in the range."""
    return max((space.limits_deg[1] - space.limits_deg[0]) / space.fwhm_deg, math.e)
