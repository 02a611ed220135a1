"""Words of the command line into settings; every fault of an option is reported at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError
from materialsdock.model import Structure
from materialsdock.techniques.xrd.phases.cif_files import read_structure
from materialsdock.techniques.xrd.section import STEERED

STOP_NUMBERS = {
    "threshold": float,
    "minimum_points": int,
    "maximum_points": int,
    "maximum_seconds": float,
    "maximum_count_seconds": float,
}
MODES = ("paper", "robust", "target")
CURVE = ("rmse", "rmse_bound")  # targets whose names are no QUANTITY_sd
OBJECTIVES = ("peaks", "profile", *STEERED)
FOR: Mapping[str, tuple[str, ...]] = {
    "xrd": ("--cif", "--store", "--elements", "--objective", "--wanted", "--esd"),
    "xas": ("--prior", "--standards", "--region"),
}


def together(*checks: Callable[[], object]) -> None:
    """Run every check; an InputError that names all faults found, none hidden by another."""
    faults = []
    for check in checks:
        try:
            check()
        except InputError as fault:
            faults.append(fault)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InputError("; ".join(map(str, faults)))


def fitting(technique: str, given: Collection[str]) -> None:
    """Refuse options `given` that another technique has: they would be ignored."""
    for other, names in FOR.items():
        odd = [name for name in names if name in given]
        if other != technique and odd:
            raise InputError(
                f"{', '.join(odd)} given for a measurement of {technique}",
                remedy=f"that is for {other} only",
            )


def unchangeable(given: Collection[str]) -> None:
    """Refuse options `given` with --resume: a job goes on as it began."""
    if given:
        raise InputError(
            f"{', '.join(given)} cannot be changed",
            where="--resume",
            remedy="leave it out, or measure anew",
        )


def aim(objective: str, wanted: Sequence[str], esd: float | None) -> None:
    """Check what is asked of the 2θ counting, the rest being as the profile says.

    objective : the one in force; wanted, esd : as given on the command line
    Raises InputError naming every fault.
    """
    faults = []
    if objective not in OBJECTIVES:
        faults.append(f"--objective {objective!r} is none of {', '.join(OBJECTIVES)}")
    elif esd is not None and objective not in STEERED:
        faults.append(f"--esd {esd:g} with objective {objective}, which has none")
    if esd is not None and not 0 < esd < float("inf"):
        faults.append(f"--esd {esd:g} is not a positive number")
    if wanted and objective in OBJECTIVES and objective != "parameter":
        faults.append(f"--wanted {', '.join(wanted)} with objective {objective}")
    if faults:
        raise InputError(
            "; ".join(faults),
            remedy="fractions takes --esd, parameter takes --wanted PHASE.NAME and --esd",
        )


def stop_options(words: Sequence[str]) -> dict[str, Any]:
    """`--stop KEY=VALUE ...`: mode, threshold, minimum and budgets, or a target NAME_sd.

    Raises InputError naming every word that says nothing.
    """
    found: dict[str, Any] = {}
    wrong = []
    for word in words:
        key, _, value = word.partition("=")
        try:
            if key == "mode" and value in MODES:
                found[key] = value
            elif key in STOP_NUMBERS:
                found[key] = STOP_NUMBERS[key](value)
            elif key.endswith("_sd") or key in CURVE:
                found.setdefault("targets", {})[key] = float(value)
            else:
                wrong.append(word)
        except ValueError:
            wrong.append(word)
    if wrong:
        numbers = (f"{k}=N" for k in STOP_NUMBERS)
        keys = ", ".join([f"mode={'|'.join(MODES)}", *numbers, "QUANTITY_sd=X", "rmse=X"])
        raise InputError(
            f"cannot read {', '.join(map(repr, wrong))}", where="--stop", remedy=f"use {keys}"
        )
    return found


def regions(
    words: Sequence[str], within: tuple[float, float] = (-math.inf, math.inf)
) -> tuple[tuple[float, float, float], ...]:
    """`--region LO:HI:WEIGHT ...` [eV]; InputError naming every word that is none.

    within : (lo, hi) [eV] of the scan, which a region has to meet
    """
    found: list[tuple[float, float, float]] = []
    wrong = []
    for word in words:
        try:
            lo, hi, weight = (float(part) for part in word.split(":"))
        except ValueError:
            wrong.append(word)
            continue
        if -math.inf < lo < hi < math.inf and 0 < weight < math.inf:
            found.append((lo, hi, weight))
        else:
            wrong.append(word)
    faults = [f"cannot read {', '.join(map(repr, wrong))}"] if wrong else []
    outside = [f"{lo:g}:{hi:g}" for lo, hi, _ in found if lo > within[1] or hi < within[0]]
    if outside:
        scan = f"{within[0]:.6g} to {within[1]:.6g} eV"
        faults.append(f"{', '.join(outside)} is outside the scan from {scan}")
    if faults:
        remedy = "use LO:HI:WEIGHT with LO < HI and WEIGHT > 0, e.g. 7100:7140:5"
        raise InputError("; ".join(faults), where="--region", remedy=remedy)
    return tuple(found)


def structures(cifs: Sequence[Path], orientations: Sequence[str]) -> tuple[Structure, ...]:
    """The candidate phases, with `--preferred-orientation NAME=h,k,l` given to its phase.

    NAME is the CIF's file name without ending; it may be left out when there is one phase.
    """
    axes = dict(_axis(word, cifs) for word in orientations)
    unknown = set(axes) - {path.stem for path in cifs}
    if unknown:
        raise InputError(
            f"no phase named {', '.join(sorted(unknown))}",
            where="--preferred-orientation",
            remedy=f"phases are: {', '.join(path.stem for path in cifs) or 'none'}",
        )
    return tuple(read_structure(path, axes.get(path.stem)) for path in cifs)


def particle_sizes(words: Sequence[str], structures: Sequence[Structure]) -> tuple[Structure, ...]:
    """The phases with `--particle-size NAME=UM` given to each: diameters [µm] of all, or of none.

    Raises InputError for words that say nothing, and where a phase is left out: the correction
    for micro-absorption compares every phase with the whole.
    """
    sizes: dict[str, float] = {}
    for word in words:
        name, _, size = word.rpartition("=")
        try:
            sizes[name] = float(size)
        except ValueError:
            sizes[name] = math.nan
    names = [structure.name for structure in structures]
    odd = [name for name in sizes if name not in names or not 0 < sizes[name] < math.inf]
    missing = [name for name in names if words and name not in sizes]
    if odd or missing:
        faults = [f"cannot use {', '.join(map(repr, odd))}"] if odd else []
        faults += [f"no size of {', '.join(missing)}"] if missing else []
        raise InputError(
            "; ".join(faults),
            where="--particle-size",
            remedy=f"give NAME=MICROMETRES for each of {', '.join(names)}",
        )
    return tuple(replace(s, particle_um=sizes.get(s.name)) for s in structures)


def _axis(word: str, cifs: Sequence[Path]) -> tuple[str, tuple[int, int, int]]:
    name, _, indices = word.rpartition("=")
    try:
        h, k, l = (int(part) for part in indices.split(","))  # noqa: E741
    except ValueError:
        raise InputError(
            f"{word!r} is not NAME=h,k,l",
            where="--preferred-orientation",
            remedy="e.g. a=0,0,1",
        ) from None
    if not (h or k or l):
        raise InputError(f"{word!r} is no direction", where="--preferred-orientation")
    return name or (cifs[0].stem if len(cifs) == 1 else ""), (h, k, l)
