"""The command lines `materialsdock xas` (a spectrum, `lcf` and `xmcd`) and `prior`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from materialsdock.formats import command_line
from materialsdock.rendering import own_options
from materialsdock.rendering.help import ANALYSE, examples
from materialsdock.rendering.options import Json
from materialsdock.techniques.xas import options

if TYPE_CHECKING:
    from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

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
    help="Analyse absorption spectra: edge, oscillations, fractions of standards, first shell, "
    "dichroism. `xas FILE` means `xas spectrum FILE`.",
)
priors = typer.Typer(
    no_args_is_help=True,
    help="Learn from measured standards what a spectrum of an edge looks like.",
)
Standards = Annotated[
    list[Path],
    typer.Option("--standards", help="Measured standard of the same edge; repeat for more."),
]
FeffPath = Annotated[
    Path | None,
    typer.Option("--path", help="File feffNNNN.dat with the FEFF path of the first shell."),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the report page; default: no page.")]
KeepAll = Annotated[
    bool, typer.Option("--all", help="Fit with all standards, not only those the spectrum needs.")
]
PreEdge = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LO HI", help="Pre-edge range of the background [eV]; default: from the spectrum."
    ),
]
PostEdge = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LO HI", help="Post-edge range of the background [eV]; default: from the spectrum."
    ),
]
Cut = Annotated[
    float | None,
    typer.Option(
        metavar="EV", help="Energy at which L3 ends and L2 begins; default: from the spectrum."
    ),
]
L3 = Annotated[
    float | None,
    typer.Option(metavar="EV", help="Energy of the L3 edge; default: from the spectrum."),
]
L2 = Annotated[
    float | None,
    typer.Option(metavar="EV", help="Energy of the L2 edge; default: from the spectrum."),
]


OWN: own_options.Kinds = {**command_line.KINDS, "analysis": options.SpectrumOptions}


def _chosen(own: Mapping[str, Any]) -> SpectrumSettings:
    return options.chosen(own_options.made({"analysis": options.SpectrumOptions}, own)["analysis"])


def mount(app: typer.Typer) -> None:
    """Add the commands `xas` and `prior` to those of everybody."""
    app.add_typer(xas, name="xas", rich_help_panel=ANALYSE)
    app.add_typer(priors, name="prior", rich_help_panel=ANALYSE)


def spectrum(
    spectrum: Annotated[Path, typer.Argument(help="Measured absorption spectrum.")],
    standards: Standards = [],  # noqa: B006 - typer reads the default, nobody changes it
    path: FeffPath = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Trials of the first-shell fit per seed.")
    ] = 60,
    seeds: Annotated[int, typer.Option(min=1, help="Number of independent searches.")] = 3,
    keep_all: KeepAll = False,
    out: Out = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Analyse an absorption spectrum: edge energy, oscillations, fractions, first shell."""
    from materialsdock.techniques.xas.commands import analyse_spectrum

    file, asked = command_line.taken(own), _chosen(own)
    request = analyse_spectrum.SpectrumRequest(
        spectrum, tuple(standards), path, file, trials, seeds, out, keep_all, asked
    )
    said = analyse_spectrum.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else analyse_spectrum.overview(said))


xas.command(
    PLAIN,
    epilog=examples(
        "xas spectrum.xdi --out report",
        "xas spectrum.xdi --standards hematite.xdi --standards magnetite.xdi",
        "xas spectrum.dat --columns energy=1,i0=4,it=5 --edge Fe-K",
        "xas spectrum.xdi --path feff0001.dat --edge Fe-K",
    ),
)(own_options.command(spectrum, OWN, after="path"))


def lcf(
    spectrum: Annotated[Path, typer.Argument(help="Measured absorption spectrum.")],
    standards: Annotated[
        list[Path], typer.Argument(help="Measured standards to choose from, two or more.")
    ],
    keep_all: KeepAll = False,
    out: Out = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Fit a spectrum as a linear combination of standards: fractions, esds and rival choices."""
    from materialsdock.techniques.xas.commands import analyse_spectrum

    request = analyse_spectrum.SpectrumRequest(
        spectrum,
        tuple(standards),
        None,
        command_line.taken(own),
        out=out,
        keep_all=keep_all,
        chosen=_chosen(own),
    )
    said = analyse_spectrum.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else analyse_spectrum.overview(said))


xas.command(epilog=examples("xas lcf mixture.xdi hematite.xdi magnetite.xdi wustite.xdi"))(
    own_options.command(lcf, OWN, after="standards")
)


def xmcd(
    plus: Annotated[
        Path, typer.Argument(help="Spectrum µ⁺: of the first helicity or field direction.")
    ],
    minus: Annotated[Path, typer.Argument(help="Spectrum µ⁻: of the other one.")],
    holes: Annotated[
        float, typer.Option(help="Holes in the 3d states of the atom, e.g. 3.39 for iron.")
    ],
    polarisation: Annotated[
        float, typer.Option(help="Degree of circular polarisation, 0 to 1.")
    ] = 1.0,
    angle: Annotated[
        float, typer.Option(help="Angle between beam and magnetic moment [deg].")
    ] = 0.0,
    more: Annotated[
        list[Path],
        typer.Argument(help="Further pairs, µ⁺ and µ⁻ in turn, of which the mean is taken."),
    ] = [],  # noqa: B006 - typer reads the default, nobody changes it
    pre: PreEdge = None,
    post: PostEdge = None,
    cut: Cut = None,
    l3: L3 = None,
    l2: L2 = None,
    out: Out = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Determine magnetic moments by the sum rules, with the uncertainty from the background."""
    from materialsdock.techniques.xas.commands import dichroism
    from materialsdock.techniques.xas.dichroism.moments import MagneticAtom

    atom = MagneticAtom(holes, polarisation, angle)
    file = command_line.taken(own)
    request = dichroism.DichroismRequest(
        plus, minus, atom, file, pre, post, cut, l3, l2, out, tuple(more)
    )
    said = dichroism.run(request)
    print(json.dumps(said, allow_nan=False) if as_json else dichroism.overview(said))


xas.command(
    epilog=examples(
        "xas xmcd plus.dat minus.dat --holes 3.39 --polarisation 0.9",
        "xas xmcd p1.dat m1.dat p2.dat m2.dat --holes 3.39",
    )
)(own_options.command(xmcd, command_line.KINDS, after="angle"))


def prior_learn(
    files: Annotated[list[Path], typer.Argument(help="Measured spectra of standards of one edge.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; default: named after the edge, e.g. Fe-K.prior.npz."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile to keep it in, for use by name.")
    ] = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Learn a library prior of an edge from measured standards, for `measure --prior`."""
    from materialsdock.techniques.xas.commands import learn_prior

    said = learn_prior.learn_prior(files, command_line.taken(own), out, profile)
    print(json.dumps(said) if as_json else learn_prior.overview(said))


priors.command("learn", epilog=examples("prior learn a.xdi b.xdi c.xdi --edge Fe-K"))(
    own_options.command(prior_learn, command_line.KINDS, after="files")
)
