"""HDF5 and NeXus: the columns of one entry, whatever its layout; NXxas is one.

Links that leave the file, virtual and external data sets are not followed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FEWEST_POINTS
from materialsdock.formats.lines import Lines
from materialsdock.formats.table import Table
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.edge import tidy_name
from materialsdock.techniques.xas.files.names import Meaning, foreign_unit, meaning
from materialsdock.techniques.xas.files.signal import FLUORESCENCE, TRANSMISSION, YIELD

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_POINTS, MOST_OBJECTS, DEEPEST, MOST_LINKS = 1_000_000, 20_000, 8, 8
MOST_COLUMNS = 500
LISTED = 20
ANOTHER_AXIS = 0.05  # of the range: energies that are further apart are of other rows
OWN_PROGRAM = "materialsdock"
OF_PARENT = frozenset(("data", "value", "values", "counts", "raw", "readings", "position"))
MODES = (("trans", TRANSMISSION), ("fluo", FLUORESCENCE), ("yield", YIELD), ("electron", YIELD))
DEFINITIONS = {"trans": TRANSMISSION, "fy": FLUORESCENCE, "ey": YIELD}
SAMPLE_BEAM = {TRANSMISSION: "it", FLUORESCENCE: "channel", YIELD: "iy"}
SIGNALS = frozenset(("i0", "it", "iy", "mu", "channel", "sum"))
DAMAGED = (OSError, RuntimeError, ValueError, KeyError, TypeError, NotImplementedError)


@dataclass(frozen=True, eq=False)
class Data:
    """One series of numbers of an entry: its name, its path, its unit."""

    name: str
    path: str
    unit: str
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Entry:
    """An entry: its series of numbers, and its texts and single numbers by the end of the path."""

    name: str
    series: tuple[Data, ...]
    words: dict[str, str]
    outside: tuple[str, ...]


def hdf5(lines: Lines) -> Content | None:
    """The columns of the only entry over energy of an HDF5 file, or of the one that is asked for.

    None for other files, and for those without an energy and a signal over it.
    Raises InputError for a damaged file, and, listing the entries, for several of them.
    """
    if not lines.raw.startswith(MAGIC):
        return None
    import h5py  # takes a moment, and most files are text

    try:
        with h5py.File(io.BytesIO(lines.raw), "r") as file:
            entries = [_entry(file, name) for name in _entries(file)]
    except DAMAGED as error:
        raise InputError(
            f"is a damaged HDF5 file: {error}", where=lines.name, remedy="write it anew"
        ) from error
    contents = [(entry, made) for entry in entries if (made := _content(entry, lines)) is not None]
    if not contents:
        return None
    return _chosen(contents, lines)


def _chosen(contents: list[tuple[Entry, Content]], lines: Lines) -> Content:
    names = [entry.name for entry, _ in contents]
    listed = ", ".join(names[:LISTED]) + (" ..." if len(names) > LISTED else "")
    wanted = lines.options.group.strip().strip("/")
    number = lines.options.scan
    if not wanted and number is not None:
        wanted = next((n for n in names if n.split(".")[0] == str(number)), "")
        wanted = wanted or (names[number - 1] if number <= len(names) else str(number))
    if not wanted and len(contents) > 1:
        raise InputError(
            f"holds {len(contents)} entries over energy: {listed}",
            where=lines.name,
            remedy=f"say which, e.g. --group {names[0]}",
        )
    place = names.index(wanted) if wanted in names else None if wanted else 0
    if place is None:
        raise InputError(
            f"no entry {wanted!r} over energy; it holds {listed}",
            where=f"{lines.name}, --group",
            remedy=f"say e.g. --group {names[0]}",
        )
    scan = f"{names[place]} ({place + 1} of {len(names)})" if names[place] else ""
    return replace(contents[place][1], scan=scan)


def _entries(file: Any) -> list[str]:
    """The entries of a file; "" for the whole file where it has none."""
    found = [
        name
        for name, item in _children(file, "/", [])
        if hasattr(item, "keys") and _text(item.attrs.get("NX_class", "")) == "NXentry"
    ]
    return found or [""]


def _children(group: Any, path: str, outside: list[str]) -> Iterator[tuple[str, Any]]:
    """The members of a group that lie in the file, by name; what lies elsewhere is noted."""
    for name in group:
        item = _within(group.file, f"{path.rstrip('/')}/{name}", MOST_LINKS)
        if item is None:
            outside.append(f"{path.rstrip('/')}/{name}")
        else:
            yield name, item


def _within(file: Any, path: str, links: int) -> Any:
    """The object at a path; None where any link on the way leaves the file or leads nowhere."""
    import h5py

    here, done = file, ""
    for part in [p for p in path.split("/") if p and p != "."]:
        if not hasattr(here, "keys") or part not in here.keys():  # noqa: SIM118 - no link followed
            return None
        link = here.get(part, getlink=True)
        if isinstance(link, h5py.SoftLink):
            target = link.path if link.path.startswith("/") else f"{done}/{link.path}"
            if links == 0:
                return None
            here = _within(file, target, links - 1)
            if here is None:
                return None
        elif isinstance(link, h5py.HardLink):
            here = here[part]
        else:
            return None
        done = f"{done}/{part}"
    return here


def _entry(file: Any, name: str) -> Entry:
    """Everything of an entry that can be a column, each object once, and its words."""
    series: list[Data] = []
    words: dict[str, str] = {}
    outside: list[str] = []
    seen: set[Any] = set()
    room = [MOST_OBJECTS]

    def walk(group: Any, path: str, depth: int) -> None:
        for child, item in _children(group, path, outside):
            room[0] -= 1
            where = f"{path.rstrip('/')}/{child}"
            if item.id in seen or room[0] < 0:
                continue
            seen.add(item.id)
            if hasattr(item, "keys"):
                if depth < DEEPEST:
                    walk(item, where, depth + 1)
            else:
                _take(item, where, series, words, outside)

    top = file[name] if name else file
    walk(top, f"/{name}", 0)
    return Entry(name, tuple(series[:MOST_COLUMNS]), words, tuple(outside))


def _take(
    item: Any, path: str, series: list[Data], words: dict[str, str], outside: list[str]
) -> None:
    """Sort a data set among the series of numbers, or the words, by its size."""
    if item.shape is None or item.size > MOST_POINTS:
        return
    if item.is_virtual or item.external:
        outside.append(path)
        return
    *_, parent, leaf = ("", *path.split("/"))
    if item.size == 1:
        words["/".join((parent, leaf)).lower()] = _text(item[()])
        return
    if item.dtype.kind not in "iuf" or max(item.shape) != item.size:
        return
    name = parent if leaf.lower() in OF_PARENT else leaf
    unit = _text(item.attrs.get("units", ""))
    series.append(Data(name, path, unit, np.asarray(item[()], dtype=float).ravel()))


def _text(value: Any) -> str:
    value = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _content(entry: Entry, lines: Lines) -> Content | None:
    """The series that are as long as the energies with most signals beside them; or None."""
    own = entry.words.get(f"{entry.name}/program_name", "") == OWN_PROGRAM
    if own:  # beside the exposures lies what was made of them, in another order
        kept = tuple(s for s in entry.series if s.path.split("/")[2] in ("data", "instrument"))
        entry = replace(entry, series=kept)
    energies = [s for s in entry.series if meaning(s.name).what == "energy"]
    energies = energies or [s for s in entry.series if meaning(s.name).what == "angle"]
    lengths = {s.values.size for s in energies if s.values.size >= FEWEST_POINTS}
    says = _says(entry)
    best: tuple[int, list[Data], list[Meaning]] = (0, [], [])
    for length in sorted(lengths, reverse=True):
        series = _of_one_axis([s for s in entry.series if s.values.size == length], energies)
        meanings = [_meaning(s, says) for s in series]
        kinds = len({m.what for m in meanings} & SIGNALS)
        if kinds > best[0]:
            best = (kinds, series, meanings)
    if not best[0]:
        return None
    _, series, meanings = best
    table = Table(
        np.column_stack([s.values for s in series]),
        [0] * series[0].values.size,
        tuple(_called(s) for s in series),
    )
    left = f"{len(entry.outside)} links or data sets that lie outside the file were not followed"
    content = Content.of(
        "NeXus NXxas"
        if "nxxas" in entry.words.get(f"{entry.name}/definition", "").lower()
        else "HDF5",
        lines.name,
        table,
        table.names,
        units=[_unit(s.unit) for s in series],
        edge=_edge(entry),
        d_spacing_angstrom=_d_spacing(entry),
        says=says,
        notes=(left,) if entry.outside else (),
    )
    content = replace(content, meanings=tuple(meanings))
    return _in_order(content) if own else content


def _of_one_axis(series: list[Data], energies: list[Data]) -> list[Data]:
    """The series of one order: without groups whose own energies run otherwise.

    Of several groups with energies the one with most signals stays.
    """
    own = {_group(s): s for s in reversed(series) if s in energies}
    if len(own) < 2:
        return series

    def signals(group: str) -> int:
        return sum(meaning(s.name).what in SIGNALS for s in series if _group(s) == group)

    best = max(own, key=signals)
    axis = own[best].values
    others = {
        group
        for group, energy in own.items()
        if np.abs(energy.values - axis).max() > ANOTHER_AXIS * np.ptp(axis)
    }
    return [s for s in series if _group(s) not in others]


def _group(data: Data) -> str:
    """The path of the group that holds a series, or the group of its own that is its name."""
    parent, _, leaf = data.path.rpartition("/")
    return parent.rpartition("/")[0] if leaf.lower() in OF_PARENT else parent


def _called(data: Data) -> str:
    """The name of a series; with its unit where that is one of energies that nobody converts."""
    shown = f"{data.name} ({data.unit})"
    return shown if meaning(data.name).what == "energy" and foreign_unit(shown) else data.name


def _in_order(content: Content) -> Content:
    """Exposures, as they were made, in order of their energies; those of one energy are added."""
    index = content.meant("energy")[0]
    energy, place = np.unique(content.column(index), return_inverse=True)
    times = np.bincount(place)
    summed = np.column_stack(
        [np.bincount(place, content.column(i), energy.size) for i in range(content.width)]
    )
    named = zip(content.meanings, content.names, strict=True)
    added = [each.what in SIGNALS or name == "count_time" for each, name in named]
    values = np.where(added, summed, summed / times[:, None])
    values[:, index] = energy
    seconds = [i for i, name in enumerate(content.names) if name == "count_time"]
    said = f"{len(content.line)} exposures in the order they were made were added at {energy.size} "
    said += "energies"
    if seconds:
        said += f", {summed[:, seconds[0]].sum():g} s together"
    return replace(content, values=values, line=[0] * energy.size, notes=(*content.notes, said))


def _says(entry: Entry) -> str:
    """The signal that the entry says it holds: by its mode, or by its definition."""
    mode = next(
        (
            v
            for k, v in entry.words.items()
            if k.endswith("/mode") and any(word in v.lower() for word, _ in MODES)
        ),
        "",
    ).lower()
    if found := next((kind for word, kind in MODES if word in mode), ""):
        return found
    definition = entry.words.get(f"{entry.name}/definition", "").lower()
    ends = ((end, kind) for end, kind in DEFINITIONS.items() if definition.endswith(end))
    return next((kind for _, kind in ends), "")


def _meaning(data: Data, says: str) -> Meaning:
    """The meaning of a series by its name; NXxas calls its signals by names of its own."""
    if data.name == "absorbed_beam":
        what = SAMPLE_BEAM.get(says, "it")
        return Meaning(what, "", "fluorescence" if what == "channel" else "")
    if data.name == "intensity":
        return Meaning("mu", says)
    return meaning(data.name)


def _unit(text: str) -> str:
    return {"ev": "eV", "kev": "keV", "degree": "deg", "degrees": "deg"}.get(text.lower(), "")


def _edge(entry: Entry) -> str:
    """The edge, "Fe K", from the words of the entry, where it names element and shell."""
    symbol = _word(entry, "element/symbol", "element", "absorbed_element", "sample/element")
    shell = _word(entry, "edge/name", "absorption_edge", "edge", "element/edge", "sample/edge")
    return tidy_name(f"{symbol} {shell}") if symbol and shell else tidy_name(shell)


def _word(entry: Entry, *ends: str) -> str:
    for end in ends:
        for path, value in entry.words.items():
            if path == end or path.endswith(f"/{end}"):
                return value
    return ""


def _d_spacing(entry: Entry) -> float | None:
    try:
        found = float(_word(entry, "d_spacing") or 0)
    except ValueError:
        return None
    return found if 0.1 < found < 100 else None
