"""Options of the command `refine`, and what they make of the search for a recipe.

Imported for every `--help`: nothing slow is imported before an option is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.options import Phases, check_store, particle_sizes

if TYPE_CHECKING:
    from materialsdock.model import Outcome, Sample
    from materialsdock.profile.config import Profile

Engine = Annotated[
    Literal["rietx", "gsas2"] | None,
    typer.Option(help="Rietveld program: rietx (default), or gsas2 where GSAS-II is installed."),
]
Seeds = Annotated[
    int,
    typer.Option(
        min=1,
        max=99,
        help="Number of independent searches; their agreement is part of the verdict.",
    ),
]
Range = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="LOW HIGH", help="2θ range to refine [deg], e.g. --range 15 100."),
]
Continue = Annotated[
    bool, typer.Option("--resume", help="Go on with an interrupted search of the same pattern.")
]
WarmStart = Annotated[
    bool,
    typer.Option(
        "--warm-start/--no-warm-start",
        help="Try first the recipes that earlier searches in the data folder found.",
    ),
]
TextureBy = Annotated[
    Literal["evidence", "request"],
    typer.Option(
        "--texture",
        help="Refine preferred orientation where the data show it (evidence), or only where "
        "--preferred-orientation asks for it (request).",
    ),
]
Spike = Annotated[
    str | None,
    typer.Option(
        "--standard",
        metavar="NAME=WT_PERCENT",
        help="Internal standard that was weighed in, for the amorphous content, "
        "e.g. corundum=20.0±0.1.",
    ),
]
Grains = Annotated[
    list[str],
    typer.Option(
        "--particle-size",
        metavar="NAME=MICROMETRES",
        help="Grain diameter of a phase, given for every phase: corrects weight "
        "fractions for micro-absorption.",
    ),
]


@dataclass(frozen=True)
class Options(Phases):
    """The way to refine; None means: as the profile says.

    seeds : studies beside each other; range : 2θ limits [deg]; resume : go on with the stored
    search of the same data, structures and range
    texture : "evidence" looks for a preferred orientation, "request" refines those asked for
    standard : a phase of known weight, which gives the amorphous content
    particle_size : NAME=UM of every phase, to correct for micro-absorption
    """

    engine: Engine = None
    seeds: Seeds = 3
    range: Range = None
    resume: Continue = False
    warm_start: WarmStart = True
    texture: TextureBy = "evidence"
    standard: Spike = None
    particle_size: Grains = field(default_factory=list)


def described(options: Options, sample: Sample, profile: Profile) -> Sample:
    """The sample with the sizes of its grains.

    Raises InputError for options that do not fit it, or where nothing could be refined.
    """
    check_store(options, sample, profile)
    _standard(options, sample)
    sample = replace(sample, structures=particle_sizes(options.particle_size, sample.structures))
    if not sample.structures and not profile.analysis.store:
        raise InputError(
            "no structure to refine",
            where="--cif",
            remedy="name a CIF file, or a structure store with --store",
        )
    return sample


def settings(options: Options, sample: Sample, seed: int) -> Mapping[str, Any]:
    """Return what changes of the analysis in the settings of the job."""
    asked: dict[str, Any] = {
        "seeds": [seed + i for i in range(options.seeds)],
        "range": options.range,
        "resume": options.resume,
        "texture": options.texture,
        "standard": _standard(options, sample),
    }
    if options.engine is not None:
        asked["engine"] = options.engine
    return asked if options.warm_start else {**asked, "warm_start": False}


def write(outcome: Outcome, stem: Path) -> Mapping[str, Path | None]:
    """Write what is wanted besides the report, by kind; no CIF where nothing was refined."""
    from materialsdock.techniques.xrd.report.cif import write_cif

    return {"cif": write_cif(outcome, stem.with_suffix(".cif")) if outcome.found.fit else None}


def _standard(options: Options, sample: Sample) -> Mapping[str, Any] | None:
    from materialsdock.techniques.xrd.search.quantify import check_standard, weighed_in

    if options.standard is None:
        return None
    found = weighed_in(options.standard)
    check_standard(found, tuple(structure.name for structure in sample.structures))
    return asdict(found)
