"""Options that absorption adds to `measure`, and what they mean.

Imported for every `--help`: nothing slow is imported before an option is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from materialsdock.errors import InputError
from materialsdock.formats.command_line import Signal

if TYPE_CHECKING:
    from materialsdock.model import Measured, Sample, Structure
    from materialsdock.profile.config import Profile
    from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

ANEW = ()  # may be asked for anew when a job goes on: none
Prior = Annotated[
    Path | None,
    typer.Option(
        help="Library prior of the edge: a name in the profile, or a file of `prior learn`."
    ),
]
Standards = Annotated[
    list[Path],
    typer.Option(
        "--standards",
        help="Measured spectrum of a standard in the mixture; repeat for more. Their fractions "
        "can then be stop targets: --stop fraction:NAME_sd=0.02.",
    ),
]
Regions = Annotated[
    list[str],
    typer.Option(
        "--region",
        metavar="LO:HI:WEIGHT",
        help="Range [eV] where precision is worth WEIGHT times as much; may be repeated.",
    ),
]
Formula = Annotated[
    str | None,
    typer.Option(
        "--composition",
        help="Formula of the sample, e.g. Fe2O3: says how much self-absorption there is in "
        "fluorescence.",
    ),
]


E0 = Annotated[
    float | None,
    typer.Option(
        metavar="EV", help="Energy that ranges and k are counted from; default: half height."
    ),
]
Pre = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="LO HI", help="Pre-edge range [eV from e0]; default: from the spectrum."),
]
Norm = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="LO HI", help="Post-edge range [eV from e0]; default: from the spectrum."),
]
Order = Annotated[
    int | None,
    typer.Option(help="Order of the post-edge polynomial, 0 to 3; default: from the spectrum."),
]
Rbkg = Annotated[
    float | None,
    typer.Option(metavar="ÅNGSTRÖM", help="Distance below which all is background; default: 1."),
]
KRange = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="LO HI", help="Range of the Fourier transform [1/Å]; default: 3 to 12."),
]
Shift = Annotated[
    float,
    typer.Option(
        metavar="EV",
        show_default="not at all",
        help="How far a mixture may be shifted against its standards.",
    ),
]


@dataclass(frozen=True)
class SpectrumOptions:
    """The options about the analysis of a spectrum, the same for every command that makes one."""

    e0: E0 = None
    pre: Pre = None
    norm: Norm = None
    order: Order = None
    rbkg: Rbkg = None
    k_range: KRange = None
    shift: Shift = 0.0


@dataclass(frozen=True)
class Options(SpectrumOptions):
    """The options of absorption: what is measured, what is known, where precision is worth more."""

    signal: Signal = ""
    composition: Formula = None
    prior: Prior = None
    standards: Standards = field(default_factory=list)
    region: Regions = field(default_factory=list)


def checks(
    options: Options, measured: Measured | None, sample: Sample, profile: Profile, folder: Path
) -> list[Callable[[], object]]:
    """List the checks that refuse, when called, options that say nothing or do not fit.

    measured : what is to be measured, None for a job that goes on; folder : of the profile
    """
    found: list[Callable[[], object]] = []
    if measured is not None and measured.technique == "xas":
        scan = float(measured.x[0]), float(measured.x[-1])
        found.append(partial(regions, options.region, scan))
        found.append(partial(chosen, options))
    found.append(partial(_signal, options.signal))
    if options.prior is not None:
        found.append(partial(_load_prior, options.prior, folder))
    return found


def changes(options: Options, folder: Path) -> Mapping[str, Any]:
    """Return what changes of the section [xas]; folder : of the profile, with library priors."""
    from materialsdock.techniques.xas.section import prior_file

    asked = {
        "standards": tuple(options.standards) or None,
        "prior": options.prior and prior_file(options.prior, folder, Path()),
        "regions": regions(options.region) or None,
        "signal": _signal(options.signal),
        "composition": options.composition,
        **chosen(options).chosen(),
    }
    return {key: value for key, value in asked.items() if value is not None}


def chosen(options: SpectrumOptions) -> SpectrumSettings:
    """The settings of the analysis; InputError naming every one that cannot be used."""
    from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

    return SpectrumSettings.of(
        {each.name: getattr(options, each.name) for each in fields(SpectrumOptions)}
    )


def of_analysis(options: Options) -> Mapping[str, Any]:
    """Return what changes of the section [analysis]: nothing."""
    return {}


def structures(options: Options) -> tuple[Structure, ...]:
    """Return no structures: an absorption measurement asks for none."""
    return ()


def _signal(word: str) -> str | None:
    """The signal to measure; None for what only files hold, or where nothing is asked for.

    Raises InputError for a word that means none.
    """
    from materialsdock.techniques.xas.signals import SIGNALS, WORDS

    asked = word.strip().lower()
    if asked and asked not in WORDS:
        raise InputError(
            f"no signal {word!r}", where="--signal", remedy=f"available: {', '.join(SIGNALS)}"
        )
    return WORDS.get(asked)


def _load_prior(named: Path, folder: Path) -> None:
    from materialsdock.learning.prior import library
    from materialsdock.techniques.xas.section import prior_file

    library.load(prior_file(named, folder, Path()))


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
