"""An absorption measurement beyond its edge: χ(k) and its transform, fractions of standards.

These come second: one that cannot be had is named with its reason and costs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.exafs.oscillations import measured_oscillations
from materialsdock.techniques.xas.mixture.choice import explain
from materialsdock.techniques.xas.mixture.combination import Curve
from materialsdock.techniques.xas.model import (
    AbsorptionFit,
    Combination,
    EdgeFit,
    Oscillations,
    Spectrum,
)

Found = TypeVar("Found", Oscillations, Combination)


def beyond_edge(
    curve: Spectrum,
    samples: FloatArray,
    measured: Spectrum,
    edge: EdgeFit | None,
    standards: Mapping[str, Any] | None,
) -> AbsorptionFit:
    """What `curve`, the posterior mean on the axis (m,) with samples (s, m), says beyond `edge`.

    measured : the points (n,) themselves, which fractions are fitted to
    standards : as standards.of_mixture gives them, or None where there are none
    """
    if edge is None:
        return AbsorptionFit(missing=("no χ(k) and no fractions: no edge was found",))
    missing: list[str] = []
    waves = _tried(
        "χ(k)", lambda: measured_oscillations(curve.energy_ev, curve.mu, edge, samples), missing
    )
    if standards is None:
        return AbsorptionFit(waves, None, tuple(missing))
    mixed = _tried("fractions", lambda: _fractions(measured, edge, standards), missing)
    return AbsorptionFit(waves, mixed, tuple(missing))


def _tried(what: str, make: Callable[[], Found], missing: list[str]) -> Found | None:
    try:
        return make()
    except (MaterialsDockError, ValueError, ArithmeticError) as fault:
        words = str(fault).removeprefix(f"{what}: ") or type(fault).__name__
        missing.append(f"no {what}: {words}")
        return None


def _fractions(measured: Spectrum, edge: EdgeFit, standards: Mapping[str, Any]) -> Combination:
    if "measured" not in standards:
        raise InputError(
            "only normalised standards are kept with this job",
            remedy="`materialsdock xas SPECTRUM --standards FILE` fits the files themselves",
        )
    curves = [
        Curve(name, np.asarray(each["energy_ev"], float), np.asarray(each["mu"], float))
        for name, each in standards["measured"].items()
    ]
    sample = Curve("sample", measured.energy_ev, measured.mu, measured.sigma)
    return explain(sample, curves, e0_ev=edge.e0_ev)
