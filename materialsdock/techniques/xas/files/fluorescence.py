"""Channels of fluorescence: which elements of a detector count, and their dead time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.files.content import Content

LEAST_COUNTED = 0.5  # of the rows have a count
CURRENTS = frozenset(("if", "iff", "lytle", "pips", "ff"))  # no pulses, no dead time
UNNAMED = re.compile(
    r"i?fl?(_?ch|a|u|uo|uor\w*)?|iff|ff|[tp]?fy|roi|mca|vortex|sdd|ge|dtc|lytle|pips|\w+_roi|sca\d|asked"
)


@dataclass(frozen=True, eq=False)
class Channels:
    """Counts (n,) of the channels of one line, summed and corrected for dead time.

    columns : indices of those that were summed; words : as a formula; summed : by the beamline
    of_line : the line is that of the element in the beam
    """

    counts: FloatArray
    columns: tuple[int, ...]
    words: str
    summed: bool = False
    of_line: bool = False
    notes: tuple[str, ...] = ()


def channels_of(content: Content, element: str) -> list[Channels]:
    """The fluorescence of every line that has channels; of the line of `element` where it has some.

    Sums made by the beamline come before single elements of the detector, these before raw ones;
    the total over all lines is taken where there is nothing else.
    """
    found = {line: made for line in _lines(content) if (made := _line(content, line, element))}
    own = [each for each in found.values() if each.of_line]
    named = [each for line, each in found.items() if not UNNAMED.fullmatch(line)]
    corrected = [each for line, each in found.items() if line == "dtc"]
    if own and len(named) > len(own):
        note = f"the line of {element} was taken, of {len(named)} lines"
        return [replace(each, notes=(*each.notes, note)) for each in own]
    if found:
        return own or named or corrected or list(found.values())
    total = [i for i in content.meant("total") if np.any(content.column(i) > 0)]
    if not total:
        return []
    note = f"{content.label(total[0])} counts all lines, not the one of the edge alone"
    return [Channels(content.column(total[0]), (total[0],), content.name(total[0]), notes=(note,))]


def _lines(content: Content) -> list[str]:
    """Lines and windows that have channels, in the order of the columns."""
    found = (_bare(m.line) for m in content.meanings if m.what in ("channel", "sum"))
    return list(dict.fromkeys(found))


def _bare(line: str) -> str:
    return line if UNNAMED.fullmatch(line) else line.replace("_", "")


def _line(content: Content, line: str, element: str) -> Channels | None:
    """The channels of one line; None where they are dead, or empty in most rows."""
    of_line = bool(element) and not UNNAMED.fullmatch(line) and _symbol(line) == element.lower()
    sums = [i for i in _of(content, "sum", line) if not _is_dead(content.column(i))]
    if sums:
        i = sums[0]
        return Channels(content.column(i), (i,), content.name(i), True, of_line)
    channels = _of(content, "channel", line)
    corrected = [i for i in channels if content.meanings[i].kind == "corrected"]
    channels = corrected or channels
    dead = [i for i in channels if _is_dead(content.column(i))]
    alive = [i for i in channels if i not in dead]
    if not alive:
        return None
    counts, how = _corrected(content, alive, bool(corrected))
    if np.mean(counts != 0) < LEAST_COUNTED:
        return None
    left = (f"{content.label(*dead)}: no counts, left out",) if dead else ()
    return Channels(
        counts, tuple(alive), content.name(*alive), of_line=of_line, notes=(*how, *left)
    )


def _symbol(line: str) -> str:
    """The element of a line, "mn" of "mnka"."""
    cut = max(line.rfind("k"), line.rfind("l"), line.rfind("m"))
    return line[:cut] if cut > 0 else line


def _of(content: Content, what: str, line: str) -> list[int]:
    return [i for i in content.meant(what) if _bare(content.meanings[i].line) == line]


def _is_dead(values: FloatArray) -> bool:
    return not np.any(np.nan_to_num(values) != 0)


def _corrected(
    content: Content, alive: Sequence[int], done: bool
) -> tuple[FloatArray, tuple[str, ...]]:
    """The sum of the channels, each times its dead-time factor where the file has one."""
    if done:
        return _sum(content, alive), ("dead time was corrected by the beamline",)
    if {content.meanings[i].line for i in alive} <= CURRENTS and len(alive) == 1:
        return _sum(content, alive), ()
    factors = [_factor(content, content.meanings[i].number) for i in alive]
    if all(factor is not None for factor in factors):
        pairs = zip(alive, factors, strict=True)
        counts = np.sum([content.column(i) * factor[0] for i, factor in pairs if factor], axis=0)
        by = dict.fromkeys(factor[1] for factor in factors if factor)
        return counts, (f"dead time was corrected by {', '.join(by)}",)
    rates = content.meant("icr") or content.meant("ocr")
    said = ("dead time is not corrected: the file has one count rate only",) if rates else ()
    return _sum(content, alive), said


def _sum(content: Content, columns: Sequence[int]) -> FloatArray:
    return np.asarray(np.sum([content.column(i) for i in columns], axis=0))


def _factor(content: Content, number: int) -> tuple[FloatArray, str] | None:
    """True counts per recorded count (n,) of one detector element, and its source in words."""
    by_kind = {
        what: [i for i in content.meant(what) if content.meanings[i].number == number]
        for what in ("factor", "icr", "ocr")
    }
    if by_kind["factor"]:
        factor = content.column(by_kind["factor"][0])
        return (factor, "its factor") if (factor >= 1).all() else None
    if not (by_kind["icr"] and by_kind["ocr"]):
        return None
    into, out = content.column(by_kind["icr"][0]), content.column(by_kind["ocr"][0])
    if not ((into > 0) & (out > 0)).all():
        return None
    return into / out, "input over output count rate"
