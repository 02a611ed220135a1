"""Options of every command that reads a measured file: what a user says where it is silent.

Imported for every `--help`: nothing slow is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.formats.options import FileOptions, columns_of
from materialsdock.rendering import own_options

FILES = "Where the file is silent"  # group of these options in the help of a command


def _option(*names: str, **words: Any) -> Any:
    return typer.Option(*names, rich_help_panel=FILES, **words)


Signal = Annotated[  # of the file, and of a measurement that replays it
    str,
    _option(
        help="Signal to read, or with `measure` to measure: transmission, fluorescence or yield; "
        "default: the one that the file shows, or that the profile names."
    ),
]


@dataclass(frozen=True)
class Words:
    """The options as they are typed."""

    columns: Annotated[
        str,
        _option(
            metavar="NAME=N,...",
            help="Columns, counted from 1: e.g. energy=1,i0=4,it=5 or energy=1,mu=2; "
            "two_theta=1,counts=2; sums as if=6+7+8+9.",
        ),
    ] = ""
    scan: Annotated[
        int | None, _option(min=1, help="Number of the scan, where the file holds several.")
    ] = None
    group: Annotated[str, _option(help="Name of the group of an Athena project.")] = ""
    unit: Annotated[
        str,
        _option(
            help="Unit of the axis: eV, keV, deg, mdeg, 1/A, A; of a monochromator's angle "
            "'deg Si(111)'."
        ),
    ] = ""
    wavelength: Annotated[
        list[float],
        _option(help="Wavelength [Å], twice for Kα1 and Kα2; default: of the file or profile."),
    ] = field(default_factory=list)
    anode: Annotated[str, _option(help="Anode of the X-ray tube, e.g. Cu or Co.")] = ""
    instrument: Annotated[
        Path | None,
        _option(help="Instrument parameter file of GSAS-II or GSAS (.instprm, .prm)."),
    ] = None
    edge: Annotated[
        str, _option(help="Absorption edge, e.g. Fe-K; default: the one at its energy.")
    ] = ""
    signal: Signal = ""

    def meant(self) -> FileOptions:
        """The same, understood; InputError for columns that cannot be read."""
        return FileOptions(
            columns=columns_of(self.columns) if self.columns else {},
            scan=self.scan,
            group=self.group,
            unit=self.unit,
            wavelengths_angstrom=tuple(self.wavelength),
            anode=self.anode,
            instrument=self.instrument,
            edge=self.edge,
            signal=self.signal,
        )


KINDS: own_options.Kinds = {"file": Words}


def taken(values: Mapping[str, Any]) -> FileOptions:
    """The options among the values of a command line, by name."""
    words: Words = own_options.made(KINDS, values)["file"]
    return words.meant()
