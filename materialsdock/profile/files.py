"""Words of a profile or a sheet about measured files that are silent: the options of reading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from materialsdock.errors import InputError
from materialsdock.formats.options import FileOptions, columns_of
from materialsdock.profile.columns import PATH, Line, Numbers, Text, Whole
from materialsdock.profile.sections import Section


def _readable(words: str) -> str:
    try:
        if words:
            columns_of(words)
    except InputError as fault:
        raise ValueError(f"{fault.what}: {fault.remedy}") from None
    return words


class FileKeys(Section):
    """Keys of [formats] of a profile, and columns of a sheet about the file it replays.

    columns : e.g. energy=1,i0=4,it=5; scan : number of the scan; group : of an Athena project
    unit : of the axis; wavelength [Å], anode, instrument (a parameter file) : the radiation
    """

    columns: Annotated[Line, AfterValidator(_readable)] = ""
    scan: Annotated[Whole, Field(ge=1)] | None = None
    group: Line = ""
    unit: Line = ""
    wavelength: Numbers = ()
    anode: Line = ""
    instrument: Annotated[Text, Field(min_length=1, max_length=PATH)] | None = None


def file_options(keys: FileKeys, folder: Path = Path()) -> FileOptions:
    """The same as options of reading; folder : that of the profile, for relative files."""
    return FileOptions(
        columns=columns_of(keys.columns) if keys.columns else {},
        scan=keys.scan,
        group=keys.group,
        unit=keys.unit,
        wavelengths_angstrom=tuple(keys.wavelength),
        anode=keys.anode,
        instrument=None if keys.instrument is None else folder / keys.instrument,
    )
