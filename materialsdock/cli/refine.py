"""The command `materialsdock refine`, of the technique that can refine what was measured before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock import technique
from materialsdock.cli import own_options
from materialsdock.rendering.options import Json, Out, ProfileName, Seed, Site, Trials, Workers


def mount(app: typer.Typer) -> None:
    """Add the command, where a technique that is installed has a part for it."""
    if kinds := _kinds():
        app.command()(own_options.command(refine, kinds, after="pattern"))


def refine(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    profile: ProfileName = "sim",
    out: Out = Path("materialsdock-data"),
    trials: Trials = None,
    workers: Workers = None,
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Refine a measured pattern, all of it, without measuring anything."""
    from materialsdock.cli import measure_command, refine_command

    kinds = _kinds()
    from materialsdock.cli.request import MeasureRequest

    request = MeasureRequest.of(
        kinds=kinds,
        profile=profile,
        out=out,
        trials=trials,
        workers=workers,
        seed=seed,
        site=site,
        **own,
    )
    (name,) = kinds
    measured, sample = measure_command.read_sample(pattern, name, request)
    refine_command.show(*refine_command.refine(request, measured, sample), as_json)


def _kinds() -> own_options.Kinds:
    """The options of the first technique that refines; none where none does."""
    able = {name: each.refine for name, each in technique.known().items() if each.refine}
    return {name: part().Options for name, part in list(able.items())[:1]}
