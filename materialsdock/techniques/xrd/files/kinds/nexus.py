"""Powder patterns in HDF5: NXmonopd, and any NXdata over 2θ or Q.

The bytes are read as they are; links out of the file are not followed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.hdf5 import MAGIC
from materialsdock.formats.lines import Lines
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files import axis, headings
from materialsdock.techniques.xrd.files.containers import BROKEN, EXPORT
from materialsdock.techniques.xrd.files.found import FoundScan, Stated
from materialsdock.techniques.xrd.files.scans import chosen

POSITIONS = ("polar_angle", "two_theta", "tth", "q", "d")
SIGMAS = ("errors", "{}_errors", "{}_error", "uncertainties")
TIMES = ("count_time", "counting_time", "time_per_step")
WAVES = ("wavelength", "incident_wavelength")
MOST_GROUPS = 5000
MOST_POINTS = 5_000_000


def read_nexus(lines: Lines) -> FoundScan | None:
    """The pattern of an HDF5 file; None for one that holds none.

    Raises InputError for a damaged file.
    """
    if not lines.raw.startswith(MAGIC):
        return None
    import h5py

    try:
        with h5py.File(io.BytesIO(lines.raw), "r") as file:
            return _scan(file, lines)
    except (*BROKEN, TypeError, AttributeError, UnicodeError) as error:
        raise InputError(
            f"is a damaged HDF5 file: {error}", where=lines.name, remedy=EXPORT
        ) from error


def _scan(file: Any, lines: Lines) -> FoundScan | None:
    plots = [
        (group, x, y)
        for group in _groups(file)
        if (x := _position(group)) and (y := _signal(group, x))
    ]
    if not plots:
        return None
    plots = [each for each in plots if _is_class(each[0], "NXdata")] or plots
    place, said, notes = chosen([group.name for group, _, _ in plots], lines, what="data group")
    group, x, y = plots[place]
    two_theta, counts = _array(group, x), _array(group, y)
    if two_theta is None or counts is None or two_theta.shape != counts.shape:
        raise InputError(
            f"{group.name}: {x} and {y} are not of one length", where=lines.name, remedy=EXPORT
        )
    entry = file[group.name.split("/")[1]] if group.name.count("/") > 1 else file
    sigma = next((n for n in (s.format(y) for s in SIGMAS) if n in group), None)
    quantity = headings.meaning(x)[0]
    unit = axis.unit_of(_units(group, x)) or ""
    said_unit = headings.RATE.search(_units(group, y))
    seconds = _seconds(group, entry, counts.size)
    deviation = _array(group, sigma) if sigma else None
    return FoundScan(
        two_theta,
        counts,
        [1] * counts.size,
        "NeXus NXmonopd" if _text(entry.get("definition")) == "NXmonopd" else "HDF5 NXdata",
        axis=quantity,
        unit=unit if unit in axis.UNITS[quantity] else "",
        intensity="cps" if said_unit else "counts" if "count" in _units(group, y).lower() else "",
        seconds=seconds,
        exposures=isinstance(seconds, np.ndarray),
        sigma=deviation if deviation is not None and deviation.shape == counts.shape else None,
        sigma_from=f"{group.name}/{sigma}" if sigma else "",
        stated=_stated(entry),
        scan=said,
        columns=(f"{group.name}/{x} as {axis.SHOWN[quantity]}", f"{group.name}/{y} as counts"),
        notes=notes,
    )


def _groups(file: Any) -> Iterator[Any]:
    """Groups that may be plotted, NXdata first, in the order of the file."""
    found: list[Any] = []
    todo = [file]
    while todo and len(found) < MOST_GROUPS:
        group = todo.pop(0)
        found.append(group)
        todo += [child for name in group if _is_group(child := _child(group, name))]
    return iter(sorted(found, key=lambda group: _text(group.attrs.get("NX_class")) != "NXdata"))


def _child(group: Any, name: str) -> Any:
    """A member of a group; None for what lies outside the file, and for a link to nothing."""
    import h5py

    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        return None
    found = group.get(name)
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        return None
    return found


def _is_group(child: Any) -> bool:
    import h5py

    return isinstance(child, h5py.Group)


def _position(group: Any) -> str | None:
    """The name of the positions of a group, if they are those of a powder pattern."""
    names = {str(name).lower(): str(name) for name in group}
    axes = _text(group.attrs.get("axes")).split(":")[-1].split(",")[-1].strip("[] ")
    for name in (axes, *POSITIONS):
        quantity = headings.meaning(name)[0] if name else ""
        own = names.get(name.lower(), "")
        if own.lower() in POSITIONS and quantity in headings.AXES and _is_column(group, own):
            return own
    return None


def _signal(group: Any, x: str) -> str | None:
    """The name of the values of a group: its signal, or the first dataset that is like x."""
    said = _text(group.attrs.get("signal"))
    if said and said in group and _shape(group, said):
        return said
    datasets = [n for n in group if n != x and _shape(group, n) == _shape(group, x)]
    marked = [n for n in datasets if str(group[n].attrs.get("signal", "")) in ("1", "b'1'")]
    named = [n for n in datasets if headings.meaning(n)[0] in ("counts", "cps")]
    return next(iter((*marked, *named)), None)


def _is_column(group: Any, name: str) -> bool:
    """True for numbers along one axis, more than one of them."""
    shape: tuple[int, ...] = _shape(group, name) or ()
    return sum(length > 1 for length in shape) == 1


def _shape(group: Any, name: str) -> Any:
    return getattr(_child(group, name), "shape", None)


def _array(group: Any, name: str) -> FloatArray | None:
    """The numbers of a dataset along one axis; None where there are none of that kind."""
    child = _child(group, name)
    if child is None or not hasattr(child, "shape") or not 0 < child.size <= MOST_POINTS:
        return None
    values = np.squeeze(np.asarray(child[()], dtype=float))
    return values if values.ndim == 1 else None


def _seconds(group: Any, entry: Any, n: int) -> float | FloatArray | None:
    """Counting time [s] of each point, from the data or its detector."""
    detector = next((g for g in _groups(entry) if _is_class(g, "NXdetector")), None)
    for place in (group, detector):
        for name in TIMES:
            if place is not None and name in place:
                values = _array(place, name)
                if values is not None and values.size in (1, n):
                    return values if values.size == n else float(values[0])
    return None


def _is_class(group: Any, name: str) -> bool:
    return bool(_text(group.attrs.get("NX_class")) == name)


def _stated(entry: Any) -> Stated:
    """Wavelengths [Å] of the crystal, beam or monochromator of an entry."""
    for group in _groups(entry):
        for name in WAVES:
            if name in group and (child := _child(group, name)) is not None:
                values = np.atleast_1d(np.asarray(child[()], dtype=float)).ravel()[:2]
                scale = {"nm": 10.0, "m": 1e10}.get(_units(group, name).lower(), 1.0)
                return Stated(
                    tuple(float(v) * scale for v in values if np.isfinite(v)),
                    f"the file ({group.name}/{name})",
                )
    return Stated()


def _units(group: Any, name: str) -> str:
    child = _child(group, name)
    attributes: Mapping[str, Any] = getattr(child, "attrs", {})
    return _text(attributes.get("units"))


def _text(value: Any) -> str:
    """The text of an attribute or a dataset, "" for anything else."""
    if hasattr(value, "shape") and hasattr(value, "id"):
        value = value[()]
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else ""
