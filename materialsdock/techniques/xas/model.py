"""The results of absorption analysis beyond the edge: oscillations, fractions of standards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from materialsdock.model import FloatArray, Parameter


@dataclass(frozen=True, eq=False)
class Oscillations:
    """χ(k): k (m,) [1/Å] from 0 in steps of 0.05, chi (m,), and what was subtracted.

    background : (n,) µ₀ on the energies of the spectrum, µ itself below E0 and beyond k_max
    samples : (s, m) χ of posterior samples of µ, all with the same E0, step and spline
    """

    k: FloatArray
    chi: FloatArray
    e0_ev: float
    edge_step: float
    rbkg: float
    background: FloatArray
    samples: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Combination:
    """Fractions of standards, their esds, and what the fit left.

    fractions : value with total esd, √(esd_noise² + esd_normalisation²), by standard
    total : Σ of the fractions; shift_ev : energy of the sample minus that of the standards
    energy_ev, data, model : (m,) the normalised sample and fit at the reference ranges
    left_out : candidates that the spectrum does not ask for, with the share each would take if
        added; rivals : other sets that fit about as well, in words
    """

    fractions: Mapping[str, Parameter]
    esd_noise: Mapping[str, float]
    esd_normalisation: Mapping[str, float]
    total: float
    shift_ev: float
    r_factor: float
    energy_ev: FloatArray
    data: FloatArray
    model: FloatArray
    normalisations: int
    warnings: tuple[str, ...] = ()
    left_out: Mapping[str, Parameter] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AbsorptionFit:
    """A spectrum beyond its edge; missing : what could not be had, and why, in sentences."""

    oscillations: Oscillations | None = None
    combination: Combination | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class EdgeFit:
    """Normalisation and edge position of a spectrum, with uncertainties from the posterior.

    e0_ev : half height on the main edge; edge_step : jump in µ; energy_ev, flat : (m,) the
    normalised curve; pre_edge, post_edge : (m,) its lines
    """

    e0_ev: float
    e0_sd_ev: float
    edge_step: float
    edge_step_sd: float
    energy_ev: FloatArray
    flat: FloatArray
    pre_edge: FloatArray
    post_edge: FloatArray
    warnings: tuple[str, ...] = ()
