"""The command `materialsdock refine`, of techniques that can refine what was measured before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock import technique as techniques
from materialsdock.formats import command_line
from materialsdock.rendering import own_options
from materialsdock.rendering.help import ANALYSE, examples
from materialsdock.rendering.options import (
    Json,
    Out,
    ProfileName,
    Seed,
    Site,
    TechniqueOfFile,
    Trials,
    Workers,
)


def mount(app: typer.Typer) -> None:
    """Add the command, where a technique that is installed has a part for it."""
    if kinds := _kinds():
        app.command(
            rich_help_panel=ANALYSE,
            epilog=examples(
                "refine scan.xye --cif phase.cif",
                "refine scan.xye --cif a.cif --cif b.cif --range 15 100 --trials 80",
                "refine scan.xye --store cifs --elements Zn,O --json",
            ),
        )(own_options.command(refine, {**kinds, **command_line.KINDS}, after="pattern"))


def refine(
    pattern: Annotated[Path, typer.Argument(help="Measured powder pattern.")],
    profile: ProfileName = "sim",
    technique: TechniqueOfFile = None,
    out: Out = Path("materialsdock-data"),
    trials: Trials = None,
    workers: Workers = None,
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Refine a measured pattern and get structure, weight fractions, a verdict and a CIF.

    Searches for the refinement recipe; nothing is measured.
    """
    from materialsdock.cli import measure_command, refine_command
    from materialsdock.cli.request import MeasureRequest

    kinds = _kinds()
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
    if technique is None and len(kinds) == 1:  # else the file says whose it is
        (technique,) = kinds
    measured, sample = measure_command.read_sample(pattern, technique, request)
    refine_command.show(*refine_command.refine(request, measured, sample, pattern), as_json)


def _kinds() -> own_options.Kinds:
    """The options of each technique that refines."""
    able = {name: each.refine for name, each in techniques.known().items() if each.refine}
    return {name: part().Options for name, part in able.items()}
