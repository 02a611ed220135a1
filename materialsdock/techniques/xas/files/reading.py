"""From the content of a file to a spectrum: what was taken as what, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.columns import FileColumns
from materialsdock.formats.lines import Lines
from materialsdock.formats.options import FileOptions, check_columns
from materialsdock.model import FileReading, FloatArray
from materialsdock.rendering.numbers import count
from materialsdock.techniques.xas.files.choice import choose
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.edge import falls_at, names_near
from materialsdock.techniques.xas.files.energy import EnergyAxis, energy_of
from materialsdock.techniques.xas.files.fluorescence import CURRENTS
from materialsdock.techniques.xas.files.names import ASKED, NOTHING, Meaning
from materialsdock.techniques.xas.files.rows import Rows, left_out, one_scan
from materialsdock.techniques.xas.files.signal import TRANSMISSION, Signal

QUANTITIES = ("energy", "angle", "two_theta", "mu", "i0", "it", "if", "iy", "ir")
SPREAD = "sigma"  # of µ, as the user names its column
NEIGHBOURS, FAR = 8, 10.0  # of a last row; steps between them that are too far
NO_ELEMENT = -1  # of a detector: no dead time is known
SIGNALS = {"mu": "mu", "it": "it", "if": "channel", "iy": "iy", "ir": "ir"}


def spectrum(content: Content, lines: Lines) -> FileColumns:
    """Energies [eV] and µ of the content of a file, and what was taken as what.

    Raises InputError, naming place and option, for what cannot be told from the file.
    """
    options = lines.options
    content = with_asked(content, options)
    with np.errstate(all="ignore"):
        axis = energy_of(content, options)
        rows, scan, scan_notes = one_scan(content, axis.energy_ev, options.scan)
        part = replace(content, values=content.values[rows], line=[content.line[i] for i in rows])
        energy = axis.energy_ev[rows]
        signal, beside = choose(part, energy, _element(content, options), options.signal)
        kept, dropped = _without_cut(part, signal, *_whole(part, signal), lines)
        upside = _upside_down(part, axis.index, energy[kept], signal, kept)
    lost = axis.energy_ev.size - int(np.isfinite(axis.energy_ev).sum())
    if lost:
        dropped = (f"{count(lost)} rows without an energy", *dropped)
    return FileColumns(
        energy[kept],
        signal.y[kept],
        [part.line[i] for i in kept],
        content.kind,
        None if signal.sigma is None else signal.sigma[kept],
        notes=(
            *content.notes,
            *axis.notes,
            *scan_notes,
            *beside,
            *signal.notes,
            *upside,
            *_promised(content),
        ),
        technique="xas",
        reading=FileReading(
            scan=content.scan or scan,
            columns=_columns(content, axis, signal),
            unit=axis.unit,
            signal=signal.words,
            sigma_from="a column of the file" if signal.sigma is not None else "",
            edge=_named_edge(content),
            dropped=(*content.dropped, *dropped),
        ),
    )


def with_asked(content: Content, options: FileOptions) -> Content:
    """The content, with the meanings that the user gives its columns.

    One signal that is named puts all others aside; I0 stays as the file has it unless it is named.
    """
    asked = options.columns
    if not asked:
        return content
    check_columns(asked, (*QUANTITIES, SPREAD), content.width, content.where)
    for name, numbers in asked.items():
        if len(numbers) > 1 and name != "if":
            raise InputError(
                f"{name} is {len(numbers)} columns; only channels of fluorescence are added",
                where=f"{content.where}, --columns",
                remedy=f"name one, e.g. {name}={numbers[0]}",
            )
    signals = [name for name in SIGNALS if name in asked]
    meanings = list(content.meanings)
    for i, each in enumerate(meanings):
        of_signal = each.what in (*SIGNALS.values(), "sum", "total")
        if (signals and of_signal) or ("i0" in asked and each.what == "i0"):
            meanings[i] = NOTHING
    for name in (*signals, *(("i0",) if "i0" in asked else ())):
        own = [content.meanings[number - 1] for number in asked[name]]
        meant = _channels(own) if name == "if" else [_meant(name, each) for each in own]
        for number, each in zip(asked[name], meant, strict=True):
            meanings[number - 1] = each
    if SPREAD in asked:
        meanings = [NOTHING if each.what == SPREAD else each for each in meanings]
        meanings[asked[SPREAD][0] - 1] = Meaning(SPREAD, ASKED)
    return replace(
        content,
        meanings=tuple(meanings),
        asked=asked,
        says="" if signals else content.says,
    )


def _meant(name: str, own: Meaning) -> Meaning:
    return Meaning(SIGNALS.get(name, name), own.kind if own.what == name else "")


def _channels(own: Sequence[Meaning]) -> list[Meaning]:
    """Columns that are added as fluorescence: of one line, each of the element it was before."""
    corrected = all(each.kind == "corrected" for each in own)
    return [
        Meaning(
            "channel",
            "corrected" if corrected else "",
            ASKED,
            each.number if each.what == "channel" and each.line not in CURRENTS else NO_ELEMENT,
        )
        for each in own
    ]


def _element(content: Content, options: FileOptions) -> str:
    """The symbol of the element in the beam, as user, file or the energy of the edge say."""
    named = options.edge.replace("-", " ").replace("_", " ") or content.edge
    if named:
        return named.split()[0].capitalize()
    if content.element:
        return content.element
    near = names_near(content.edge_ev) if content.edge_ev else []
    return near[0].split()[0] if near else ""


def _named_edge(content: Content) -> str:
    """The edge as the file names it, by element, or by energy where one edge lies there."""
    if content.edge or content.edge_ev is None:
        return content.edge
    near = names_near(content.edge_ev, content.element)
    return near[0] if near else ""


def _without_cut(
    content: Content, signal: Signal, kept: Rows, dropped: tuple[str, ...], lines: Lines
) -> tuple[Rows, tuple[str, ...]]:
    """The rows without the last of a file that ends within a number, where that shows in µ."""
    ended = lines.raw.rstrip(b"\x1a\0 \t").endswith((b"\n", b"\r")) or not lines.raw
    if lines.binary or ended or kept.size < NEIGHBOURS or kept[-1] != len(content.line) - 1:
        return kept, dropped
    near = signal.y[kept[-NEIGHBOURS:]]
    steps = np.abs(np.diff(near))
    if steps[-1] <= FAR * steps[:-1].max():
        return kept, dropped
    said = f"the last row, {content.lies(int(kept[-1]))}: the file ends within it"
    return kept[:-1], (*dropped, said)


def _upside_down(
    content: Content, axis: int, energy_ev: FloatArray, signal: Signal, kept: Rows
) -> tuple[str, ...]:
    """A note where µ falls at its edge, as with I0 and It swapped, or is below zero."""
    at = falls_at(energy_ev, signal.y[kept])
    if at is None and signal.kind == TRANSMISSION and (signal.y[kept] < 0).all():
        return ("µ is below zero everywhere: units or gains of I0 and It differ",)
    if at is None:
        return ()
    said = f"µ falls at {at:.1f} eV and rises nowhere so: it is upside down"
    numbers = {role: columns[0] + 1 for columns, role in signal.columns}
    if {"I0", "It"} <= set(numbers):
        swapped = f"i0={numbers['It']},it={numbers['I0']}"
        said += f"; if I0 and It are swapped, say --columns energy={axis + 1},{swapped}"
    else:
        said += "; another column may be µ: say --columns"
    return (said,)


def _whole(content: Content, signal: Signal) -> tuple[Rows, tuple[str, ...]]:
    """The rows that hold a measurement; InputError where too many do not."""
    rows = np.arange(signal.y.size)
    numbers = np.isfinite(signal.y)
    broken = ~numbers & ~np.isfinite(_taken(content, signal))
    kept, first = left_out(content, rows, broken, "not finite")
    kept, second = left_out(content, kept, ~numbers[kept], signal.why)
    return kept, (*first, *second)


def _taken(content: Content, signal: Signal) -> FloatArray:
    """The sum of the columns that a signal was made of: finite where all of them are."""
    indices = [i for columns, _ in signal.columns for i in columns]
    return np.asarray(content.values[:, indices].sum(axis=1))


def _columns(content: Content, axis: EnergyAxis, signal: Signal) -> tuple[str, ...]:
    taken = (((axis.index,), "angle" if "θ" in axis.unit else "energy"), *signal.columns)
    return tuple(f"{content.label(*indices)} as {role}" for indices, role in taken)


def _promised(content: Content) -> tuple[str, ...]:
    """Say that a scan was cut off."""
    have = len(content.line)
    if content.promised is None or content.promised <= have:
        return ()
    return (f"the scan was cut off: {count(have)} of {count(content.promised)} points",)
