"""The command `materialsdock refine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.options import (
    Cif,
    Continue,
    Elements,
    Engine,
    Grains,
    Json,
    Out,
    ProfileName,
    Range,
    Seed,
    Seeds,
    Site,
    Spike,
    Store,
    Texture,
    TextureBy,
    Trials,
    WarmStart,
    Workers,
)


def refine(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    cif: Cif = [],  # noqa: B006 - typer reads the default, nobody changes it
    store: Store = None,
    elements: Elements = None,
    preferred_orientation: Texture = [],  # noqa: B006
    profile: ProfileName = "sim",
    engine: Engine = None,
    out: Out = Path("materialsdock-data"),
    trials: Trials = None,
    seeds: Seeds = 3,
    range: Range = None,
    workers: Workers = None,
    resume: Continue = False,
    warm_start: WarmStart = True,
    texture: TextureBy = "evidence",
    standard: Spike = None,
    particle_size: Grains = [],  # noqa: B006
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Refine a measured pattern, all of it, without measuring anything."""
    from materialsdock.cli import measure_command, refine_command
    from materialsdock.techniques.xrd.search.quantify import weighed_in

    request = measure_command.Request(
        profile=profile,
        site=site,
        out=out,
        trials=trials,
        workers=workers,
        seed=seed,
        engine=engine,
        warm_start=None if warm_start else False,
        store=store,
        elements=elements,
    )
    spike = None if standard is None else weighed_in(standard)
    how = refine_command.How(seeds, range, resume, texture, spike, tuple(particle_size))
    measured, sample = measure_command.read_sample(pattern, cif, preferred_orientation, "xrd")
    refine_command.show(*refine_command.refine(request, how, measured, sample), as_json)
