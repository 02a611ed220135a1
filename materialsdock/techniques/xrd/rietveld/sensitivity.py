"""The derivatives that steer counting: how a pattern depends on what the user wants to know.

A quick refinement of the merged pattern gives y_calc, its derivatives by every refined parameter,
and how the wanted quantity follows from these parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of, crystals_of
from materialsdock.techniques.xrd.rietveld.limits import check_structures

FRACTION = "weight_fraction"
LENGTHS = ("a", "b", "c")
ANGLES = ("alpha", "beta", "gamma")
KINDS = {
    FRACTION: "wt%",
    **dict.fromkeys(LENGTHS, "Å"),
    **dict.fromkeys(ANGLES, "deg"),
    "occupancy": "",
    "biso": "Å²",
}
OF_ATOMS = ("occupancy", "biso")
QUANTITIES = dict.fromkeys(LENGTHS, "cell_length") | dict.fromkeys(ANGLES, "cell_angle")
# The steering needs the right neighbourhood, not the last digit.
QUICK = {"effort": "search"}


@dataclass(frozen=True, eq=False)
class Derivatives:
    """A refinement and its derivatives where it ended.

    jacobian : (n, p) ∂y_calc/∂θ [counts/s per unit of each refined parameter θ]
    values : our name -> value; slopes : our name -> (p,) ∂value/∂θ, zero where not refined
    """

    fit: Fit
    jacobian: FloatArray
    values: Mapping[str, float]
    slopes: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """The results of a refinement that steer counting; k wanted numbers of one kind.

    y : (n,) calculated rate [counts/s]; jacobian : (n, p) ∂y/∂θ; gradient : (p, k) ∂wanted/∂θ
    estimate : (k,) their present values [unit]
    quantity : name of the kind: weight_fraction, cell_length, cell_angle, occupancy, biso
    """

    y: FloatArray
    jacobian: FloatArray
    gradient: FloatArray
    estimate: FloatArray
    unit: str
    quantity: str


class DifferentiableEngine(Protocol):
    """A refinement engine that also knows its derivatives (see RietxEngine.differentiate)."""

    def differentiate(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
        free: Sequence[str] = (),
    ) -> Derivatives:
        """Refine once with one recipe, with the parameters `free` refined besides."""


@dataclass(frozen=True)
class SteeredBy:
    """A callable pattern -> Sensitivity: a quick refinement and how the wanted follows from it.

    names : what is wanted; kind : their last word, in KINDS; recipe : of the refinement
    Equal patterns give equal answers.  Raises what the engine raises, and ModelFault where the
    refinement could not free a wanted parameter.
    """

    engine: DifferentiableEngine
    structures: tuple[Structure, ...]
    diffractometer: Diffractometer
    names: tuple[str, ...]
    kind: str
    recipe: Mapping[str, Any]

    @property
    def quantity(self) -> str:
        """weight_fraction, cell_length, cell_angle, occupancy or biso."""
        return QUANTITIES.get(self.kind, self.kind)

    def __call__(self, pattern: Pattern) -> Sensitivity:
        """Refine `pattern` (n,) and differentiate."""
        free = () if self.kind == FRACTION else self.names
        found = self.engine.differentiate(
            pattern, self.structures, self.diffractometer, self.recipe, free
        )
        gradient = _fraction_gradient if self.kind == FRACTION else _slope
        weights = {f"{phase.name}.{FRACTION}": phase.weight_fraction for phase in found.fit.phases}
        return Sensitivity(
            y=found.fit.y_calc,
            jacobian=found.jacobian,
            gradient=np.stack([gradient(found, name) for name in self.names], axis=1),
            estimate=np.array([{**found.values, **weights}[name] for name in self.names]),
            unit=KINDS[self.kind],
            quantity=self.quantity,
        )


def steering(
    engine: DifferentiableEngine,
    structures: Sequence[Structure],
    diffractometer: Diffractometer,
    wanted: Sequence[str] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> SteeredBy:
    """The callable that gives the steered learner derivatives by what the user wants.

    wanted : "zincite.weight_fraction", "fluorite.a" (b, c, alpha, beta, gamma),
        "corundum.O1.occupancy", "corundum.O1.biso"; several must be of one kind.
        None: the weight fractions of all phases.
    recipe : changes to the quick default recipe

    Raises InputError for structures that cannot be refined and names that none of them explains.
    """
    names = tuple(wanted or (f"{s.name}.{FRACTION}" for s in structures))
    check_structures(structures)
    kind = _kind(names, [s.name for s in structures])
    if kind in OF_ATOMS:
        _check_atoms(names, structures)
    if QUANTITIES.get(kind) == "cell_angle":
        _check_angles(names, structures)
    settings = {**QUICK, **(recipe or {})}
    return SteeredBy(engine, tuple(structures), diffractometer, names, kind, settings)


def _kind(names: Sequence[str], phases: Sequence[str]) -> str:
    """The last word that all of `names` share; InputError when they cannot be wanted."""
    kinds = {name.rsplit(".", 1)[-1] for name in names}
    quantities = {QUANTITIES.get(kind, kind) for kind in kinds}
    odd = [n for n in names if not any(n.startswith(f"{phase}.") for phase in phases)]
    if odd or not kinds <= set(KINDS) or len(quantities) != 1:
        raise InputError(
            f"cannot steer by {', '.join(names)}",
            where="wanted quantity",
            remedy=f"name PHASE.KIND of one kind; phases: {', '.join(phases)}; "
            f"kinds: {', '.join(KINDS)} (the last two as PHASE.ATOM.KIND)",
        )
    if FRACTION in kinds and len(phases) < 2:
        raise InputError(
            f"the weight fraction of {phases[0]} is 100 % when it is alone",
            where="wanted quantity",
            remedy="give the structures of all phases, or choose a cell length",
        )
    return min(kinds)


def _check_atoms(names: Sequence[str], structures: Sequence[Structure]) -> None:
    known = [
        f"{structure.name}.{site.label}"
        for structure in structures
        for crystal in crystals_of(structure)
        for site in crystal.sites
    ]
    if odd := [name for name in names if name.rsplit(".", 1)[0] not in known]:
        raise InputError(
            f"no atom for {', '.join(odd)}",
            where="wanted quantity",
            remedy=f"name one of {', '.join(known)}",
        )


def _check_angles(names: Sequence[str], structures: Sequence[Structure]) -> None:
    free = [f"{s.name}.{angle}" for s in structures for angle in _free_angles(s)]
    if odd := [name for name in names if name not in free]:
        raise InputError(
            f"symmetry holds {', '.join(odd)}",
            where="wanted quantity",
            remedy=f"free angles: {', '.join(free) or 'none'}",
        )


def _free_angles(structure: Structure) -> tuple[str, ...]:
    """The angles that the space group leaves free."""
    group = crystal_of(structure).spacegroup
    system = group.crystal_system_str()
    if system == "triclinic":
        return ANGLES
    if system == "monoclinic":
        return (ANGLES["abc".index(group.monoclinic_unique_axis())],)
    return ("alpha",) if group.ext == "R" else ()


def _slope(found: Derivatives, name: str) -> FloatArray:
    slope = found.slopes.get(name)
    if slope is None or not slope.any():
        raise ModelFault(
            f"{name} is {'unknown to' if slope is None else 'held in'} the quick refinement",
            where="refinement that steers counting",
        )
    return slope


def _fraction_gradient(found: Derivatives, name: str) -> FloatArray:
    """∂W/∂θ (p,) [wt%]: W = S·ZMV/Σ, so ∂W_i/∂S_j = W_i (δ_ij − W_j)/S_j (Hill & Howard 1987).

    What cell and occupancy change in ZMV is left out, as in the engine's own esd: cells are known
    ten times better than scales.
    """
    shares = {phase.name: phase.weight_fraction / 100 for phase in found.fit.phases}
    wanted = name.rsplit(".", 1)[0]
    gradient = np.zeros(found.jacobian.shape[1])
    for phase, share in shares.items():
        if found.values[f"{phase}.scale"] <= 0:  # a candidate that is not there
            continue
        per_scale = shares[wanted] * ((phase == wanted) - share) / found.values[f"{phase}.scale"]
        gradient += 100 * per_scale * _slope(found, f"{phase}.scale")
    return gradient
