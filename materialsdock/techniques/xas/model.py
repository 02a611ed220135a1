"""The results of absorption analysis beyond the edge: oscillations, fractions of standards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from materialsdock.model import FloatArray, Parameter


@dataclass(frozen=True, eq=False)
class Oscillations:
    """χ(k): k (m,) [1/Å] from 0 in steps of 0.05, chi (m,), and what was subtracted.

    background : (n,) µ₀ on the energies of the spectrum, µ itself below E0 and beyond k_max
    samples : (s, m) χ of posterior samples of µ, all with the same E0, step and spline
    k_range : [1/Å] of the Fourier transform, where somebody chose it
    """

    k: FloatArray
    chi: FloatArray
    e0_ev: float
    edge_step: float
    rbkg: float
    background: FloatArray
    samples: FloatArray | None = None
    k_range: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Combination:
    """Fractions of standards, their esds, and what the fit left.

    fractions : value with total esd, √(esd_noise² + esd_normalisation² + esd_shift²), by standard
    total : Σ of the fractions; shift_ev : energy of the sample minus that of the standards
    energy_ev, data, model : (m,) the normalised sample and fit at the reference ranges
    left_out : candidates that the spectrum does not ask for, with the share each would take if
        added; rivals : other sets that fit about as well, in words
    esd_shift : what a shift of the energies would change, where one is called for and not made
    parts : (m,) each standard times its fraction, which add up to the model
    normalisation : the settings of the reference: pre1, pre2, norm1, norm2 [eV from e0], order
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
    esd_shift: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, FloatArray] = field(default_factory=dict)
    normalisation: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AbsorptionFit:
    """A spectrum beyond its edge; missing : what could not be had, and why, in sentences."""

    oscillations: Oscillations | None = None
    combination: Combination | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """A number with its standard deviations: statistical, of noise, and systematic, of choices."""

    value: float
    statistical: float
    systematic: float
    unit: str = ""

    @property
    def esd(self) -> float:
        """The whole uncertainty: both together."""
        return math.hypot(self.statistical, self.systematic)


@dataclass(frozen=True, eq=False)
class EdgeFit:
    """Normalisation and edge position of a spectrum, with their whole uncertainties.

    e0_ev : half height on the main edge; edge_step : jump in µ; their sd hold all of `numbers`
    energy_ev, flat : (m,) the normalised curve; pre_edge, post_edge : (m,) its lines
    edge : its name, e.g. "Fe K"; tabulated_ev : its energy in the table, None for an unnamed one
    numbers : e0, inflection, edge_step, white_line_height, white_line_position
    normalisation : the settings used: e0 [eV], pre1, pre2, norm1, norm2 [eV from e0], order
    Outcomes of version 0.1 have neither names nor numbers: their sd are statistical.
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
    edge: str = ""
    tabulated_ev: float | None = None
    numbers: Mapping[str, Known] = field(default_factory=dict)
    normalisation: Mapping[str, float] = field(default_factory=dict)

    @property
    def origin_ev(self) -> float:
        """The energy [eV] that ranges and k are counted from."""
        return self.normalisation.get("e0", self.e0_ev)
