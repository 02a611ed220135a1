"""The signals that the columns of a scan can give: transmission, fluorescence, yield, µ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.fluorescence import Channels, channels_of
from materialsdock.techniques.xas.files.names import ASKED, parted

TRANSMISSION, FLUORESCENCE = "transmission", "fluorescence"
YIELD, REFERENCE, MU = "electron yield", "reference", "µ"
CHANGED = ("normalised", "flattened")  # kinds of µ that are not as they were measured
LEAST_ALIVE = 0.75  # of the rows show a current of one sign
LEAST_NUMBERS = 0.25  # of the rows hold a number at all
ALIKE, ONE = 0.02, (0.98, 1.02)  # scatter about a multiple; factors that are 1
SAME = 1e-3  # of the range of values: two columns hold the same


@dataclass(frozen=True, eq=False)
class Signal:
    """One way to make µ (n,) of the columns; NaN where a row holds no measurement.

    kind : transmission, fluorescence, electron yield, reference, or µ as the file has it
    formula : how; columns : indices of those that were taken, and as what
    why : of rows without measurement
    own : the file itself says that this is its µ; of_line : channels of the element's own line
    """

    kind: str
    formula: str
    y: FloatArray
    columns: tuple[tuple[tuple[int, ...], str], ...]
    why: str = "not finite"
    notes: tuple[str, ...] = ()
    sigma: FloatArray | None = None
    own: bool = False
    of_line: bool = False

    @property
    def words(self) -> str:
        """The signal in words."""
        return f"{self.kind} {self.formula}" if self.formula else self.kind


def signals(content: Content, element: str) -> list[Signal]:
    """All signals that the columns of `content` give; [] where they give none.

    element : symbol of the element in the beam, "" where nobody says
    """
    i0 = _incident(content)
    if i0 is None and content.meant("i0"):  # named, but empty: nothing can be divided by it
        return _with_own(content, [])
    found = [
        *_transmitted(content, i0, content.meant("it"), TRANSMISSION),
        *_transmitted(content, *_reference(content), content.meant("i0") == []),
        *(_ratio(content, i0, channels) for channels in channels_of(content, element)),
        *_yields(content, i0),
    ]
    return _with_own(content, [each for each in found if _is_alive(each.y)])


def _incident(content: Content) -> int | None:
    """The column of I0 that is alive; one that is called so before a monitor."""
    found = [i for i in content.meant("i0") if _flows(content.column(i))]
    plain = [i for i in found if content.meanings[i].kind != "corrected"]
    return min(
        plain or found, key=lambda i: not parted(content.names[i])[0].startswith("i"), default=None
    )


def _reference(content: Content) -> tuple[int | None, list[int], str]:
    before = [i for i in content.meant("it") if _has_current(content.column(i))]
    return (before[0] if before else None), content.meant("ir"), REFERENCE


def _transmitted(
    content: Content, before: int | None, behind: Sequence[int], kind: str, lacks_i0: bool = False
) -> list[Signal]:
    """Logarithm of two currents of one sign; [] where one of them is empty."""
    alive = [i for i in behind if _has_current(content.column(i))]
    if before is None or not alive:
        return []
    i0, it = content.column(before), content.column(alive[0])
    way = _sign(i0)
    if way != _sign(it):
        return []
    ratio = _where((i0 * way > 0) & (it * way > 0), lambda: i0 / it)
    return [
        Signal(
            kind,
            f"ln({content.name(before)}/{content.name(alive[0])})",
            _where(ratio > 0, lambda: np.log(ratio)),
            (((before,), "I0"), ((alive[0],), "It")),
            f"{content.name(before)} or {content.name(alive[0])} ≤ 0",
            (
                *(("the currents are negative, their size was taken",) if way < 0 else ()),
                *((_no_i0(before, alive[0]),) if lacks_i0 else ()),
            ),
        )
    ]


def _no_i0(before: int, behind: int) -> str:
    return (
        "no column is called I0: where the sample stands between these two, they are its "
        f"transmission, say --columns i0={before + 1},it={behind + 1}"
    )


def _ratio(content: Content, i0: int | None, channels: Channels) -> Signal:
    """Fluorescence over I0, over the one that is corrected for dead time where the sum wants it."""
    corrected = [i for i in content.meant("i0", "corrected") if _flows(content.column(i))]
    more: tuple[str, ...] = ()
    if channels.summed and corrected:
        i0 = corrected[0]
        more = (f"{content.name(i0)} holds the dead time of the detector",)
    found = _over(content, i0, channels.counts, channels.words, FLUORESCENCE)
    return replace(
        found,
        columns=(*found.columns, (channels.columns, "fluorescence")),
        notes=(*found.notes, *channels.notes, *more),
        of_line=channels.of_line,
    )


def _yields(content: Content, i0: int | None) -> list[Signal]:
    found = []
    for i in content.meant("iy"):
        one = _over(content, i0, content.column(i), content.name(i), YIELD)
        found.append(replace(one, columns=(*one.columns, ((i,), "yield"))))
    return found


def _over(content: Content, i0: int | None, values: FloatArray, words: str, kind: str) -> Signal:
    if i0 is None:
        return Signal(
            kind, words, values, (), notes=(f"{words} is not divided by I0: the file names none",)
        )
    flux = content.column(i0)
    way = _sign(flux)
    y = _where(flux * way > 0, lambda: values / flux)
    return Signal(
        kind,
        f"{words}/{content.name(i0)}",
        y,
        (((i0,), "I0"),),
        f"{content.name(i0)} ≤ 0",
    )


def _with_own(content: Content, found: list[Signal]) -> list[Signal]:
    """The signals, with those that the file holds as µ: they come first, and replace their like."""
    for i in sorted(content.meant("mu"), key=lambda i: content.meanings[i].kind in CHANGED):
        kind = content.meanings[i].kind
        mu = _own(content, i)
        if not _is_alive(mu.y) or (kind in CHANGED and _any_own(found)):
            continue
        like = [s for s in found if s.kind == mu.kind] if kind in _kinds(found) else found
        same = next((s for s in like if _is_same(s.y, mu.y)), None)
        if same is not None:
            own = same.own or kind == ""
            note = f"{content.label(i)} holds the same"
            found = [replace(s, own=own, notes=(*s.notes, note)) if s is same else s for s in found]
            continue
        if mu.kind in _kinds(found):
            other = next(s for s in found if s.kind == mu.kind)
            note = f"{content.label(i)} is not {other.formula}; it was taken as it is"
            mu = replace(mu, notes=(*mu.notes, note))
            found = [s for s in found if s.kind != mu.kind or s.own]
        mu = replace(mu, notes=(*mu.notes, *_multiple(content, i, found)))
        found = [mu, *found]
    return found


def _multiple(content: Content, index: int, found: Sequence[Signal]) -> tuple[str, ...]:
    """A note where a column of µ is some multiple of what its neighbours give."""
    own = content.column(index)
    for each in found:
        both = np.isfinite(own) & np.isfinite(each.y)
        if each.kind != TRANSMISSION or both.sum() < 3 or not np.ptp(each.y[both]) > 0:
            continue
        slope, offset = np.polyfit(each.y[both], own[both], 1)
        rest = own[both] - slope * each.y[both] - offset
        if np.std(rest) < ALIKE * np.std(own[both]) and not ONE[0] < slope < ONE[1]:
            return (f"{content.label(index)} is {slope:.3g} × {each.formula}",)
    return ()


def _own(content: Content, index: int) -> Signal:
    """A column that is µ itself."""
    kind = content.meanings[index].kind
    bare = parted(content.names[index])[0]
    alone = ("",) if len(content.meant("mu")) == 1 else ()  # a name such as "error"
    kinds = (ASKED, bare, *alone)
    spread = [i for i in content.meant("sigma") if content.meanings[i].kind in kinds]
    changed = f", {kind}" if kind in CHANGED else ""
    plain = kind in ("", *CHANGED)
    sigma = content.column(spread[0]) if spread else None
    whole = sigma is not None and bool((np.isfinite(sigma) & (sigma > 0)).all())
    return Signal(
        MU + changed if plain else kind,
        f"as in column {index + 1} {content.names[index]}".rstrip(),
        content.column(index),
        (((index,), "µ"), *((((spread[0],), "standard deviation"),) if whole else ())),
        sigma=sigma if whole else None,
        own=plain,
    )


def _any_own(found: Sequence[Signal]) -> bool:
    return any(each.own for each in found)


def _kinds(found: Sequence[Signal]) -> set[str]:
    return {each.kind for each in found}


def _is_same(one: FloatArray, other: FloatArray) -> bool:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2:
        return False
    least = SAME * float(np.ptp(other[both])) + 1e-12
    return bool(np.median(np.abs(one[both] - other[both])) < least)


def _sign(values: FloatArray) -> float:
    seen = values[np.isfinite(values)]
    return -1.0 if seen.size and np.median(seen) < 0 else 1.0


def _has_current(values: FloatArray) -> bool:
    """True for a current that flows one way in most rows, and is not one constant."""
    seen = values[np.isfinite(values)]
    return bool(seen.size > 1 and np.ptp(seen) > 0 and _flows(values))


def _flows(values: FloatArray) -> bool:
    """True for a current that flows one way in most rows."""
    seen = values[np.isfinite(values)]
    return bool(seen.size and np.mean(seen * _sign(seen) > 0) >= LEAST_ALIVE)


def _is_alive(values: FloatArray) -> bool:
    seen = values[np.isfinite(values)]
    return bool(seen.size >= LEAST_NUMBERS * values.size and seen.size > 1 and np.ptp(seen) > 0)


def _where(valid: np.ndarray, values: Callable[[], FloatArray]) -> FloatArray:
    """The values where they are valid, NaN elsewhere."""
    with np.errstate(all="ignore"):
        return np.where(valid, values(), np.nan)
