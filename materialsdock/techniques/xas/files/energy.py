"""The one place that picks the energy of a scan: its column, its unit, its conversion."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.options import FileOptions
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.files.asking import ask_columns
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.edge import energy_of_edge
from materialsdock.techniques.xas.files.energy_range import HIGHEST_EV, LOWEST_EV, NO_KEV_EV
from materialsdock.techniques.xas.files.names import TWICE, UNITS, foreign_unit

HC_EV_ANGSTROM = 12398.41984  # CODATA 2018, exact
SILICON_ANGSTROM, GERMANIUM_ANGSTROM = 5.431020511, 5.6579  # lattice constants, 22.5 and 20 °C
CRYSTAL = re.compile(r"\b(Si|Ge)\s*\(?\s*(\d)\s*,?\s*(\d)\s*,?\s*(\d)\s*\)?", re.IGNORECASE)
ANGLE_UNIT = re.compile(r"\s*(mdeg|deg|rad)\w*\s*(.*?)\s*", re.IGNORECASE)
DEGREES = {"deg": 1.0, "mdeg": 1e-3, "rad": 180.0 / np.pi}
EV = {"eV": 1.0, "keV": 1000.0}
KEV_AGREES_EV = 1.0  # between energies in eV and in keV
ANGLE_OFF = (3e-3, 0.1)  # relative: a calibration is less, another angle is more
D_AGREES = 1e-3  # two d-spacings that differ by less are one
SAY_D = '--unit "deg Si(111)", or --unit "deg 3.1356" with the d-spacing in Å'


@dataclass(frozen=True, eq=False)
class EnergyAxis:
    """Energies (n,) [eV], the column they came from, their unit in the file and its conversion."""

    energy_ev: FloatArray
    index: int
    unit: str
    notes: tuple[str, ...] = ()


def energy_of(content: Content, options: FileOptions) -> EnergyAxis:
    """The energies [eV] of a scan, as the user or the names of the columns say.

    Of several that are named, the plain one is taken before what was read back, and that before
    what was requested; what the others say is noted.
    Raises InputError for no column, or a unit that is unknown or contradicts the values.
    """
    index, is_angle, notes = _column(content)
    values = content.column(index)
    asked, d_spacing = _asked(options.unit, content)
    unit = asked or content.units[index]
    if not asked and (other := foreign_unit(content.names[index])):
        raise InputError(
            f"energies in {content.label(index)} are in {other}, neither eV nor keV",
            where=content.where,
            remedy="convert them to eV; where the name is wrong, say --unit eV",
        )
    if is_angle or unit in DEGREES:
        return _from_angle(content, index, values, unit, d_spacing, notes)
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    if not unit and 0 < high <= NO_KEV_EV:
        raise InputError(
            f"energies run from {low:g} to {high:g} without a unit, which may be keV",
            where=content.where,
            remedy="say --unit keV, or --unit eV",
        )
    factor = 1000.0 if unit == "keV" else 1.0
    if not LOWEST_EV <= low * factor <= high * factor <= HIGHEST_EV:
        raise InputError(
            f"energies in {content.label(index)} run from {low:g} to {high:g} {unit or 'eV'}",
            where=content.where,
            remedy=f"say their unit, e.g. --unit {'eV' if unit == 'keV' else 'keV'}, or another "
            "column, e.g. --columns energy=2",
        )
    if asked and content.units[index] not in ("", asked):
        notes = (*notes, f"the heading says {content.units[index]}, {asked} was asked for")
    notes = (*notes, *_angle_besides(content, values * factor))
    words = "keV × 1000" if unit == "keV" else "eV" if unit else "eV, taken from the values"
    return EnergyAxis(values * factor, index, words, notes)


def d_spacing_of(text: str) -> float | None:
    """The d-spacing [Å] of crystals that are named, e.g. Si(311), or None."""
    match = CRYSTAL.search(text)
    if match is None:
        return None
    cell = SILICON_ANGSTROM if match[1].lower() == "si" else GERMANIUM_ANGSTROM
    order = float(np.sqrt(sum(int(h) ** 2 for h in match.groups()[1:])))
    return cell / order if order else None


def _angle_besides(content: Content, energy_ev: FloatArray) -> tuple[str, ...]:
    """A note where an angle of the monochromator beside the energies (n,) says others."""
    found = [i for i in content.meant("angle", "") if _moves(content.column(i))]
    if content.d_spacing_angstrom is None or not found or content.d_rival_angstrom is not None:
        return ()
    unit = content.units[found[0]] or "deg"
    of_angle = _energies(content.column(found[0]) * DEGREES[unit], content.d_spacing_angstrom)
    with np.errstate(all="ignore"):
        off = float(np.nanmedian(np.abs(of_angle / energy_ev - 1)))
    if not ANGLE_OFF[0] < off < ANGLE_OFF[1]:
        return ()
    shown = f"{content.label(found[0])} at d = {content.d_spacing_angstrom:.6g} Å"
    return (f"{shown} is {of_angle[0]:.6g} eV where the energy is {energy_ev[0]:.6g} eV",)


def _asked(unit: str, content: Content) -> tuple[str, float | None]:
    """The unit that the user names, "" for none, and the d-spacing [Å] with it."""
    if not unit.strip():
        return "", None
    if unit.strip().lower() in UNITS:
        return UNITS[unit.strip().lower()], None
    match = ANGLE_UNIT.fullmatch(unit)
    if match and match[2]:
        try:
            found: float | None = float(match[2])
        except ValueError:
            found = d_spacing_of(match[2])
        if found is not None and 0.1 < found < 100:
            return match[1].lower(), found
    raise InputError(
        f"unit {unit!r} is not known",
        where=f"{content.where}, --unit",
        remedy=f"say eV, keV, deg or mdeg; of an angle {SAY_D}",
    )


def _column(content: Content) -> tuple[int, bool, tuple[str, ...]]:
    """The column of energies or angles, True for angles, and a note about the others."""
    for what in ("energy", "angle", "two_theta"):
        if numbers := content.asked.get(what):
            return numbers[0] - 1, what != "energy", ()
    for what in ("energy", "angle"):
        kinds = ("", "achieved", "requested", TWICE)
        found = [i for kind in kinds for i in content.meant(what, kind)]
        found = [i for i in found if _moves(content.column(i))]
        if found:
            return found[0], what == "angle", _others(content, found)
    ask_columns(content, "no column is named energy")


def _moves(values: FloatArray) -> bool:
    seen = values[np.isfinite(values)]
    return bool(seen.size and np.ptp(seen) > 0)


def _others(content: Content, found: list[int]) -> tuple[str, ...]:
    """Say what else could be the axis, and how far it is off."""
    taken, unit = content.column(found[0]), content.units[found[0]]
    notes = []
    for other in found[1:]:
        theirs = content.units[other]
        converted = theirs != unit
        if converted and not {theirs, unit} <= EV.keys():
            continue
        to, of = (EV[theirs], EV[unit]) if converted else (1.0, 1.0)
        off = np.abs(content.column(other) * to - taken * of)
        off = off[np.isfinite(off)]
        if off.size and off.max() > (KEV_AGREES_EV if converted else 0):
            words = " eV" if converted else ""
            notes.append(f"{content.label(other)}, up to {off.max():.3g}{words} off")
    if not notes:
        return ()
    return (f"the axis is {content.label(found[0])}; there is {' and '.join(notes)}",)


def _from_angle(
    content: Content,
    index: int,
    values: FloatArray,
    unit: str,
    asked: float | None,
    notes: tuple[str, ...],
) -> EnergyAxis:
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    unit = unit or ("deg" if 0 < low <= high < 90 else "")
    d_spacing = _d_spacing(content) if asked is None else asked
    if d_spacing is None:
        raise InputError(
            f"{content.label(index)} are angles of a monochromator whose d-spacing is not named",
            where=content.where,
            remedy=f"say {SAY_D}",
        )
    twice = content.meanings[index].kind == TWICE or "two_theta" in content.asked
    scale = DEGREES.get(unit, np.nan) / (2 if twice else 1)
    if not 0 < low * scale <= high * scale < 90:
        raise InputError(
            f"angles in {content.label(index)} run from {low:g} to {high:g} {unit}",
            where=content.where,
            remedy='say their unit, e.g. --unit "mdeg Si(111)"',
        )
    energy = _energies(values * scale, d_spacing)
    _ask_twice(content, index, values * scale, d_spacing, twice)
    first, last = float(np.nanmin(energy)), float(np.nanmax(energy))
    if not LOWEST_EV <= first <= last <= HIGHEST_EV:
        raise InputError(
            f"angles in {content.label(index)} run from {low:g} to {high:g} {unit}, which is "
            f"{first:.6g} to {last:.6g} eV at d = {d_spacing:g} Å",
            where=content.where,
            remedy='say their unit, e.g. --unit "mdeg Si(111)"',
        )
    words = f"{unit}{' of 2θ' * twice}, E = hc / (2 d sin θ) with d = {d_spacing:.6g} Å"
    return EnergyAxis(energy, index, words, notes)


def _energies(theta_deg: FloatArray, d_spacing_angstrom: float) -> FloatArray:
    """Energies (n,) [eV] that a crystal reflects at angles θ (n,)."""
    sine = np.sin(np.radians(theta_deg))
    return np.asarray(HC_EV_ANGSTROM / (2.0 * d_spacing_angstrom * sine), dtype=float)


def _d_spacing(content: Content) -> float | None:
    """The d-spacing [Å] that the head names, or a column that stays the same.

    Raises InputError where they contradict each other.
    """
    found = content.d_spacing_angstrom
    if found is not None and content.d_rival_angstrom is not None:
        raise InputError(
            f"the head names d = {found:.6g} Å, and crystals of {content.d_rival_angstrom:.6g} Å",
            where=content.where,
            remedy=f"say which: {SAY_D}",
        )
    for index in content.meant("d_spacing"):
        values = content.column(index)
        values = values[np.isfinite(values)] * (10.0 if content.meanings[index].kind else 1.0)
        if not values.size or np.ptp(values) > D_AGREES * values[0] or not 0.1 < values[0] < 100:
            continue
        own = float(values[0])
        if found is not None and abs(own - found) > D_AGREES * found:
            raise InputError(
                f"{content.label(index)} says d = {own:.6g} Å, the head {found:.6g} Å",
                where=content.where,
                remedy=f"say which: {SAY_D}",
            )
        found = own if found is None else found
    return found


def _ask_twice(
    content: Content, index: int, theta_deg: FloatArray, d_spacing: float, twice: bool
) -> None:
    """Raise InputError where only θ taken for 2θ, or 2θ for θ, would reach the edge of the head."""
    edge = energy_of_edge(content.edge) if content.edge else content.edge_ev
    if edge is None or "angle" in content.asked or "two_theta" in content.asked:
        return
    spans = []
    for factor in (1.0, 2.0 if twice else 0.5):
        energy = _energies(theta_deg * factor, d_spacing)
        spans.append((float(np.nanmin(energy)), float(np.nanmax(energy))))
    (low, high), (other_low, other_high) = spans
    if low <= edge <= high or not other_low <= edge <= other_high:
        return
    as_it_is, else_it = ("2θ", "θ") if twice else ("θ", "2θ")
    number = index + 1
    raise InputError(
        f"{content.label(index)} as {as_it_is} is {low:.6g} to {high:.6g} eV, as {else_it} "
        f"{other_low:.6g} to {other_high:.6g} eV, where the edge of the head lies ({edge:.6g} eV)",
        where=content.where,
        remedy=f"say which: --columns {'angle' if twice else 'two_theta'}={number},... or "
        f"{'two_theta' if twice else 'angle'}={number},...",
    )
