"""The start of a refinement with rietx: its phases, instrument and background."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.limits import envelope

AXIAL_START = 0.02  # its gradient vanishes at 0
START_BISO = 0.5
ROUGHNESS_SHARE = 0.3
MARCH_START = 0.95  # in cubic crystals its gradient vanishes at 1
ROUGHNESS_START = 0.3  # it changes nothing at 0
# "Ti3.928+" of a computed structure: no table of scattering factors has such an ion.
AXIAL_PATHS = ("instrument.geometry.axial_sl", "instrument.geometry.axial_hl")
WIDTH_SHARE = 0.6  # of the full width that is seen: where Gaussian and Lorentzian width start
# Widths that every phase may have for itself.  The instrument's are held at zero then: x follows
# 1/cosθ as lor_size does, y follows tanθ as lor_strain does.
OF_PHASES: Mapping[str, Mapping[str, str]] = {
    "shared": {},
    "own": {"x": "lor_size", "y": "lor_strain"},
}
BROKEN_ION = re.compile(r"(?<=\s)([A-Z][a-z]?)(?:\d*\.\d+|0)[+-](?=\s)")


def _known_species(cif: str) -> str:
    """The CIF with ions of broken or no charge named as their elements."""
    return BROKEN_ION.sub(r"\1", cif)


def phase_of(structure: Structure, recipe: Mapping[str, Any]) -> Any:
    """The engine's phase of a CIF, with one start for all displacements."""
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
    _start_widths(phase, recipe)
    if recipe["preferred_orientation"] and structure.preferred_orientation is not None:
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
    from rietx.schemas.instrument import EmissionLine, Geometry, Source

    number = rietx.Parameter
    first = diffractometer.weights[0]
    pairs = zip(diffractometer.wavelengths_angstrom, diffractometer.weights, strict=True)
    lines = [EmissionLine(wavelength=w, weight=number(value=k / first, min=0)) for w, k in pairs]
    sample, detector = _axial(diffractometer, recipe)
    instrument = rietx.Instrument(
        source=Source(
            lines=lines, polarization=number(value=diffractometer.polarization, min=0.0, max=1.0)
        ),
        geometry=Geometry(
            kind=diffractometer.geometry,
            goniometer_radius_mm=diffractometer.radius_mm,
            axial_sl=number(value=sample, min=0.0),
            axial_hl=number(value=detector, min=0.0),
            surface_roughness=_roughness() if recipe["roughness"] else None,
        ),
        profile=_profile(diffractometer, recipe),
        background=_background(pattern, recipe),
    )
    if diffractometer.zero_deg:
        instrument.zero_shift.value = diffractometer.zero_deg
    return instrument


def _axial(diffractometer: Diffractometer, recipe: Mapping[str, Any]) -> tuple[float, float]:
    """Half lengths of sample and detector over the radius: calibrated, or a start from nothing."""
    if diffractometer.axial:
        sample, detector = diffractometer.axial
        equal = (sample + detector) / 2
        return (equal, equal) if recipe["axial"] == "equal" else (sample, detector)
    return (0.0, 0.0) if recipe["axial"] == "off" else (AXIAL_START, AXIAL_START)


def _profile(diffractometer: Diffractometer, recipe: Mapping[str, Any]) -> Any:
    """Widths of the instrument; where they are calibrated, the sample adds what is seen besides."""
    import rietx
    from rietx.schemas.instrument import ProfileTCHZ

    number = rietx.Parameter
    width = WIDTH_SHARE * recipe["fwhm_deg"]
    lorentzian = recipe["phase_widths"] == "shared" and "x" in recipe["widths"]
    if not diffractometer.widths:
        return ProfileTCHZ(
            w=number(value=width**2, min=1e-8),
            x=number(value=width if lorentzian else 0.0, min=0.0),
        )
    u, v, w, x, y = diffractometer.widths
    more = WIDTH_SHARE * max(recipe["fwhm_deg"] - diffractometer.fwhm_deg, 0.0)
    return ProfileTCHZ(
        u=number(value=u),
        v=number(value=v),
        w=number(value=max(w, 1e-8), min=1e-8),
        x=number(value=x + (more if lorentzian else 0.0), min=0.0),
        y=number(value=y),
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


def width_paths(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The engine's path of each width u, v, w, x, y of the profile."""
    own = OF_PHASES[recipe["phase_widths"]]
    return {w: f"phases.*.{own[w]}" if w in own else f"instrument.profile.{w}" for w in "uvwxy"}


def _start_widths(phase: Any, recipe: Mapping[str, Any]) -> None:
    import rietx

    width = WIDTH_SHARE * recipe["fwhm_deg"]
    starts = {"x": width, "y": 0.0}
    for w, name in OF_PHASES[recipe["phase_widths"]].items():
        if w in recipe["widths"]:
            setattr(phase, name, rietx.Parameter(value=starts[w], min=0.0))


def tie(work: Any, recipe: Mapping[str, Any]) -> list[int]:
    """Tie what the recipe refines together; the numbers of the phases whose atoms are refined."""
    phases = work.structure.phases
    if recipe["displacements"] == "per_phase":
        for index, phase in enumerate(phases):
            if len(phase.atoms) > 1:
                work.tie_equal(f"phases.{index}.atoms.*.biso")
    _tie_shared_sites(work, recipe)
    if recipe["axial"] == "equal":
        work.tie_equal(list(AXIAL_PATHS))
    strong = [i for i, phase in enumerate(phases) if phase.name not in recipe["traces"]]
    weak = [i for i in range(len(phases)) if i not in strong]
    for name in OF_PHASES[recipe["phase_widths"]].values() if strong and weak else ():
        work.tie_equal([f"phases.{i}.{name}" for i in (strong[0], *weak)])
    return strong


def _tie_shared_sites(work: Any, recipe: Mapping[str, Any]) -> None:
    """Atoms of one mixed site move together: powder data cannot tell their places apart."""
    found = [of for i, phase in enumerate(work.structure.phases) for of in _shared_sites(i, phase)]
    if not found:  # the engine makes its table anew whenever it is asked for it
        return
    known = {row.path for row in work.parameters()}
    names = [f"dof.{i}" for i in range(3)]
    names += ["biso"] if recipe["displacements"] == "per_site" else []
    for atoms in found:
        for name in names:
            paths = [f"{atom}.{name}" for atom in atoms]
            if known.issuperset(paths):
                work.tie_equal(paths)


def _shared_sites(index: int, phase: Any) -> list[list[str]]:
    """List for each mixed site the paths of its atoms."""
    sites: dict[tuple[float, ...], list[str]] = {}
    for number, atom in enumerate(phase.atoms):
        place = tuple(round(getattr(atom, axis).value % 1.0, 4) for axis in "xyz")
        sites.setdefault(place, []).append(f"phases.{index}.atoms.{number}")
    return [shared for shared in sites.values() if len(shared) > 1]
