"""Where a refinement with rietx starts: its phases, instrument and background."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import Diffractometer, Pattern, Structure
from materialsdock.refinement.guards import envelope

AXIAL_START = 0.02  # its gradient vanishes at 0
START_BISO = 0.5
ROUGHNESS_SHARE = 0.3
MARCH_START = 0.95  # in cubic crystals its gradient vanishes at 1
ROUGHNESS_START = 0.3  # it changes nothing at 0
# "Ti3.928+" of a computed structure: no table of scattering factors has such an ion.
BROKEN_ION = re.compile(r"(?<=\s)([A-Z][a-z]?)(?:\d*\.\d+|0)[+-](?=\s)")


def _known_species(cif: str) -> str:
    """The CIF with ions of broken or no charge named as their elements."""
    return BROKEN_ION.sub(r"\1", cif)


def phase_of(structure: Structure, *, oriented: bool = False) -> Any:
    """The engine's phase of a CIF, with one start for all displacements.

    oriented : is its preferred orientation, if it asks for one, to be refined
    """
    import rietx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phase.cif"
        path.write_text(_known_species(structure.cif))
        try:
            read = rietx.Structure.from_cif(path, phase_name=structure.name)
        except ValueError as error:
            what = str(error).replace(str(path), structure.name)
            raise InputError(what, where=f"CIF of {structure.name}") from error
    phase = read.phases[0]
    phase.floating_origin = "hold"
    for atom in phase.atoms:
        atom.aniso = None
        atom.biso = rietx.Parameter(value=START_BISO, min=0.0)
    if structure.particle_um is not None:
        phase.particle_radius_um = structure.particle_um / 2
    if oriented and structure.preferred_orientation is not None:
        phase.preferred_orientation = rietx.PreferredOrientation(
            axis=structure.preferred_orientation
        )
        phase.preferred_orientation.r.value = MARCH_START
    return phase


def instrument_of(
    diffractometer: Diffractometer, pattern: Pattern, recipe: Mapping[str, Any]
) -> Any:
    """The engine's instrument and background, as the recipe starts them."""
    import rietx
    from rietx.schemas.instrument import EmissionLine, Geometry, ProfileTCHZ, Source

    number = rietx.Parameter
    first = diffractometer.weights[0]
    pairs = zip(diffractometer.wavelengths_angstrom, diffractometer.weights, strict=True)
    lines = [EmissionLine(wavelength=w, weight=number(value=k / first, min=0)) for w, k in pairs]
    axial = 0.0 if recipe["axial"] == "off" else AXIAL_START
    width = 0.6 * recipe["fwhm_deg"]
    return rietx.Instrument(
        source=Source(
            lines=lines, polarization=number(value=diffractometer.polarization, min=0.0, max=1.0)
        ),
        geometry=Geometry(
            kind=diffractometer.geometry,
            goniometer_radius_mm=diffractometer.radius_mm,
            axial_sl=number(value=axial, min=0.0),
            axial_hl=number(value=axial, min=0.0),
            surface_roughness=_roughness() if recipe["roughness"] else None,
        ),
        profile=ProfileTCHZ(
            w=number(value=width**2, min=1e-8),
            x=number(value=width if "x" in recipe["widths"] else 0.0, min=0.0),
        ),
        background=_background(pattern, recipe),
    )


def _roughness() -> Any:
    """A surface layer of depth b that weakens low angles, at most to a share a (Suortti 1972).

    The share is held: refined with the depth (their correlation is 0.99 in laboratory patterns) it
    drags every Biso of Y2O3 to 1 Å², three times what is published.
    """
    import rietx
    from rietx.schemas.instrument import RoughnessSuortti

    return RoughnessSuortti(
        a=rietx.Parameter(value=ROUGHNESS_SHARE, min=0.0, max=1.0),
        b=rietx.Parameter(value=ROUGHNESS_START, min=0.0, max=5.0),
    )


def _background(pattern: Pattern, recipe: Mapping[str, Any]) -> Any:
    import rietx

    curve = envelope(pattern, recipe["fwhm_deg"])
    terms = [rietx.Parameter(value=0.0) for _ in range(recipe["background_terms"])]
    if recipe["background"] == "chebyshev":
        terms[0].value = float(np.median(curve))
        return rietx.BackgroundChebyshev(coefficients=terms)
    if recipe["background"] == "envelope":
        terms = terms[:1]
    return rietx.BackgroundFixedPlusChebyshev(
        fixed_two_theta=pattern.two_theta.tolist(),
        fixed_intensity=curve.tolist(),
        chebyshev=rietx.BackgroundChebyshev(coefficients=terms),
    )
