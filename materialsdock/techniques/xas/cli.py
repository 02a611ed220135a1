"""The command lines `materialsdock xas` (a spectrum, `lcf` and `xmcd`) and `prior`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from materialsdock.errors import InputError
from materialsdock.rendering.options import Json

PLAIN = "spectrum"


class SpectrumFirst(TyperGroup):
    """`xas FILE` means `xas spectrum FILE`: what names no command goes to the plain one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as every group does, with the plain command put first where none is named."""
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named or not args else [PLAIN, *args])


xas = typer.Typer(
    cls=SpectrumFirst,
    no_args_is_help=True,
    help="Analyse absorption spectra: `xas FILE` edge, oscillations, fractions, first shell; "
    "`xas lcf`, `xas xmcd`.",
)
priors = typer.Typer(no_args_is_help=True, help="Library priors of absorption edges.")
Standards = Annotated[
    list[Path], typer.Option("--standards", help="Measured standard of the same edge; repeat.")
]
FeffPath = Annotated[Path | None, typer.Option("--path", help="feffNNNN.dat of the first shell.")]
EdgeName = Annotated[str | None, typer.Option(help="The edge it has to be, e.g. Fe-K.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the report page.")]
KeepAll = Annotated[bool, typer.Option("--all", help="Keep every standard, needed or not.")]
Pair = Annotated[tuple[float, float] | None, typer.Option(metavar="LO HI")]
Energy = Annotated[float | None, typer.Option(metavar="EV")]


def mount(app: typer.Typer) -> None:
    """Add the commands `xas` and `prior` to those of everybody."""
    app.add_typer(priors, name="prior")
    app.add_typer(xas, name="xas")


@xas.command(PLAIN)
def spectrum(
    spectrum: Annotated[Path, typer.Argument(help="Measured absorption spectrum.")],
    standards: Standards = [],  # noqa: B006 - typer reads the default, nobody changes it
    path: FeffPath = None,
    edge: EdgeName = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials per seed.")] = 60,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the search.")] = 3,
    keep_all: KeepAll = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Analyse an absorption spectrum: edge, fractions of standards, first shell."""
    from materialsdock.techniques.xas.commands import analyse_spectrum

    request = analyse_spectrum.SpectrumRequest(
        spectrum, tuple(standards), path, edge, trials, seeds, out, keep_all
    )
    said = analyse_spectrum.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else analyse_spectrum.overview(said))


@xas.command()
def lcf(
    spectrum: Annotated[Path, typer.Argument(help="Measured absorption spectrum.")],
    standards: Annotated[list[Path], typer.Argument(help="Candidates, two or more.")],
    edge: EdgeName = None,
    keep_all: KeepAll = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Fractions of those candidates that a spectrum asks for, with rivals in words."""
    from materialsdock.techniques.xas.commands import analyse_spectrum

    request = analyse_spectrum.SpectrumRequest(
        spectrum, tuple(standards), None, edge, out=out, keep_all=keep_all
    )
    said = analyse_spectrum.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else analyse_spectrum.overview(said))


@xas.command()
def xmcd(
    plus: Annotated[Path, typer.Argument(help="µ⁺: the first helicity, or field.")],
    minus: Annotated[Path, typer.Argument(help="µ⁻: the other one.")],
    holes: Annotated[float, typer.Option(help="3d holes of the atom, e.g. 3.39 for iron.")],
    polarisation: Annotated[float, typer.Option(help="Degree of circular polarisation.")] = 1.0,
    angle: Annotated[float, typer.Option(help="Beam to moment [deg].")] = 0.0,
    edge: EdgeName = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns from 1: ENERGY,SIGNAL or ENERGY,SIGNAL,I0.")
    ] = None,
    pre: Pair = None,
    post: Pair = None,
    cut: Energy = None,
    l3: Energy = None,
    l2: Energy = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Magnetic moments by the sum rules, with the doubt that the background brings."""
    from materialsdock.techniques.xas.commands import dichroism
    from materialsdock.techniques.xas.dichroism.moments import Atom

    atom = Atom(holes, polarisation, angle)
    request = dichroism.DichroismRequest(
        plus, minus, atom, edge, _columns(columns), pre, post, cut, l3, l2, out
    )
    said = dichroism.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else dichroism.overview(said))


@priors.command("learn")
def prior_learn(
    files: Annotated[list[Path], typer.Argument(help="Measured standards of one edge.")],
    edge: Annotated[str, typer.Option(help="Which edge, e.g. Fe-K.")],
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile that may name it.")] = None,
    as_json: Json = False,
) -> None:
    """Learn from measured standards what to expect of a spectrum of that edge."""
    from materialsdock.techniques.xas.commands import learn_prior

    said = learn_prior.learn_prior(files, edge, out, profile)
    print(json.dumps(said) if as_json else learn_prior.overview(said))


def _columns(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) not in (2, 3) or not all(p.strip().isdigit() and int(p) > 0 for p in parts):
        raise InputError(
            f"--columns {text!r}", where="xmcd", remedy="give e.g. 1,3,2 for ENERGY,SIGNAL,I0"
        )
    return tuple(int(part) for part in parts)
