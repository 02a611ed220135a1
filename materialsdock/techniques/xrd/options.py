"""Options that powder diffraction adds to `measure`, and what they mean.

Imported for every `--help`: nothing slow is imported before an option is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from materialsdock.errors import InputError

if TYPE_CHECKING:
    from materialsdock.model import Measured, Sample, Structure
    from materialsdock.profile.config import Profile
    from materialsdock.techniques.xrd.section import Xrd

Axis = tuple[int, int, int]
DIRECTION = re.compile(
    r"(?:(?P<name>.*?)[=:])?\s*\(?\s*(?P<h>[+-]?\d+)[\s,]+(?P<k>[+-]?\d+)[\s,]+(?P<l>[+-]?\d+)\s*\)?"
)
ANEW = ("store", "elements")  # may be asked for anew when a job goes on
Cif = Annotated[list[Path], typer.Option(help="CIF of a phase; repeat for more.")]
Store = Annotated[
    Path | None,
    typer.Option(help="Structure store to identify phases from, where no --cif is given."),
]
Elements = Annotated[
    str | None, typer.Option(help="With --store: the elements that phases may contain, e.g. Zn,O.")
]
Texture = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=h,k,l", help="Axis of the preferred orientation of a phase; may be repeated."
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(help="Aim of the counting time: peaks, profile, fractions or parameter."),
]
Wanted = Annotated[
    list[str],
    typer.Option(metavar="PHASE.NAME", help="Parameter to determine, e.g. zincite.a; with --esd."),
]
Esd = Annotated[
    float | None,
    typer.Option(help="Esd to reach for --objective fractions or parameter [wt%, Å or deg]."),
]


@dataclass(frozen=True)
class Phases:
    """The phases that there may be: CIFs, or a store with the elements that are allowed."""

    cif: Cif = field(default_factory=list)
    store: Store = None
    elements: Elements = None
    preferred_orientation: Texture = field(default_factory=list)


@dataclass(frozen=True)
class Options(Phases):
    """The phases, and what 2θ counting is for."""

    objective: Objective = None
    wanted: Wanted = field(default_factory=list)
    esd: Esd = None


def checks(
    options: Options, measured: Measured | None, sample: Sample, profile: Profile, folder: Path
) -> list[Callable[[], object]]:
    """List the checks that refuse, when called, options that say nothing or do not fit.

    measured : what is to be measured, None for a job that goes on; folder : of the profile
    """
    found: list[Callable[[], object]] = [partial(check_store, options, sample, profile)]
    if "xrd" in profile.techniques:
        section = cast("Xrd", profile.section("xrd"))
        objective = options.objective or section.objective
        found.append(partial(aim, objective, options.wanted, options.esd))
    return found


def changes(options: Phases, folder: Path) -> Mapping[str, Any]:
    """Return what changes of the section [xrd]: the aim, where options have one."""
    if not isinstance(options, Options):
        return {}
    # another objective does not keep what the profile wants of its own
    forgotten = None if options.objective is None else ()
    asked = {
        "objective": options.objective,
        "wanted": tuple(options.wanted) or forgotten,
        "wanted_esd": options.esd,
    }
    return {key: value for key, value in asked.items() if value is not None}


def of_analysis(options: Phases) -> Mapping[str, Any]:
    """Return what changes of the section [analysis]."""
    found: dict[str, Any] = {}
    if options.store is not None:
        found["store"] = str(options.store.resolve())
    if options.elements is not None:
        # imports the search of phases, which takes a second
        from materialsdock.techniques.xrd.phases.answer import elements_of

        found["elements"] = tuple(sorted(elements_of(options.elements) or ()))
    return found


def structures(options: Phases) -> tuple[Structure, ...]:
    """The candidate phases that are named."""
    return structures_of(options.cif, options.preferred_orientation)


def check_store(options: Phases, sample: Sample, profile: Profile) -> None:
    """Refuse a store beside structures, and elements that no store is asked for."""
    if options.store is not None and sample.structures:
        raise InputError(
            "structures are given, so the store is not searched",
            where="--store",
            remedy="leave out --cif, or --store",
        )
    if options.elements is None or options.store is not None:
        return
    if profile.analysis.store is None or sample.structures:
        raise InputError(
            "elements say which structures of a store are allowed, and none is searched",
            where="--elements",
            remedy="name the store with --store DIR, and no --cif",
        )


def aim(objective: str, wanted: Sequence[str], esd: float | None) -> None:
    """Check what is asked of the 2θ counting, the rest being as the profile says.

    objective : the one in force; wanted, esd : as given on the command line
    Raises InputError naming every fault.
    """
    from materialsdock.techniques.xrd.section import OBJECTIVES, STEERED

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
            remedy="with fractions give --esd, with parameter --wanted PHASE.NAME and --esd",
        )


def structures_of(cifs: Sequence[Path], orientations: Sequence[str]) -> tuple[Structure, ...]:
    """The candidate phases, with `--preferred-orientation NAME=h,k,l` given to its phase.

    NAME is the CIF's file name without ending; it may be left out when there is one phase.
    """
    from materialsdock.techniques.xrd.phases.cif_files import read_structure, stem

    names = [stem(path.name) for path in cifs]
    axes = dict(_axis(word, names) for word in orientations)
    unknown = set(axes) - set(names)
    if unknown:
        raise InputError(
            f"no phase named {', '.join(sorted(unknown))}",
            where="--preferred-orientation",
            remedy=f"phases are: {', '.join(names) or 'none'}",
        )
    pairs = zip(cifs, names, strict=True)
    return tuple(read_structure(path, axes.get(name)) for path, name in pairs)


def particle_sizes(words: Sequence[str], structures: Sequence[Structure]) -> tuple[Structure, ...]:
    """The phases with `--particle-size NAME=UM` given to each: diameters [µm] of all, or of none.

    Raises InputError for words that say nothing, and where a phase is left out: the correction
    for micro-absorption compares every phase with the whole.
    """
    sizes: dict[str, float] = {}
    odd = []
    names = [structure.name for structure in structures]
    for word in words:
        name, _, size = word.rpartition("=")
        try:
            sizes[name] = float(size)
        except ValueError:
            sizes[name] = math.nan
        if name not in names or not 0 < sizes[name] < math.inf:
            odd.append(word)
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


def direction(word: str) -> tuple[str, Axis]:
    """The phase and the axis that `NAME=h,k,l` or `NAME:h k l` says; the name may be left out.

    Raises ValueError, with what is wrong, for anything else.
    """
    match = DIRECTION.fullmatch(word.strip())
    if match is None:
        raise ValueError(f"{word!r} is not NAME=h,k,l or NAME:h k l")
    axis = (int(match["h"]), int(match["k"]), int(match["l"]))
    if not any(axis):
        raise ValueError(f"{word!r} is not a direction")
    return (match["name"] or "").strip(), axis


def _axis(word: str, names: Sequence[str]) -> tuple[str, Axis]:
    try:
        name, axis = direction(word)
    except ValueError as fault:
        raise InputError(
            str(fault), where="--preferred-orientation", remedy="e.g. a=0,0,1"
        ) from None
    return name or (names[0] if len(names) == 1 else ""), axis
