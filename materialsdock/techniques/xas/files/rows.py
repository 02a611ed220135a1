"""Rows of a scan: several scans behind each other, and rows that hold no measurement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.rendering.numbers import count
from materialsdock.techniques.xas.files.content import Content

TURN = 0.25  # of the range: going back by more begins another scan
TOO_MANY = 0.25  # of the rows may be left out

Rows = NDArray[np.intp]


def one_scan(
    content: Content, energy_ev: FloatArray, wanted: int | None
) -> tuple[Rows, str, tuple[str, ...]]:
    """The rows of the only scan, or of the one that is wanted; "2 of 3" and a note where chosen.

    energy_ev : (n,) [eV]; going back by a quarter of the range begins another scan
    Raises InputError, listing them, for several scans of which none is named.
    """
    rows = np.flatnonzero(np.isfinite(energy_ev))
    runs = [rows[run] for run in _runs(energy_ev[rows])]
    if len(runs) < 2:
        if wanted not in (None, 1) and not content.scan:
            raise _no_scan(content, wanted, 1)
        return rows, "", ()
    if content.scan:  # the container's scans were numbered; these lie within one of them
        wanted = None
    if wanted is not None and not 1 <= wanted <= len(runs):
        raise _no_scan(content, wanted, len(runs))
    listed = [
        f"{i}: {count(len(run))} points, {energy_ev[run[0]]:.6g} to {energy_ev[run[-1]]:.6g} eV"
        for i, run in enumerate(runs, 1)
    ]
    if wanted is None:
        raise InputError(
            f"{len(runs)} scans lie behind each other ({'; '.join(listed[:6])})",
            where=f"{content.where}, {content.lies(int(runs[1][0]))}",
            remedy="say which, e.g. --scan 1"
            if not content.scan
            else "write each to a file of its own",
        )
    return runs[wanted - 1], f"{wanted} of {len(runs)}", (f"scan {listed[wanted - 1]}",)


def _no_scan(content: Content, wanted: int | None, have: int) -> InputError:
    return InputError(
        f"there is no scan {wanted}, the file holds {have}",
        where=content.where,
        remedy=f"say --scan 1 to {have}" if have > 1 else "leave --scan out",
    )


def _runs(energy_ev: FloatArray) -> list[slice]:
    """Pieces of a series of energies that go one way, jitter aside."""
    if energy_ev.size < 2:
        return [slice(0, energy_ev.size)]
    least = TURN * float(np.ptp(energy_ev))
    turns, extreme, way = [], 0, 0.0
    for i in range(1, energy_ev.size):
        moved = float(energy_ev[i] - energy_ev[extreme])
        if way == 0.0:
            if abs(moved) > least:
                way, extreme = np.sign(moved), i
        elif moved * way > 0:
            extreme = i
        elif -moved * way > least:
            turns.append(extreme + 1)
            way, extreme = -way, i
    pieces, start = [], 0
    for end in (*turns, energy_ev.size):
        # a jump back leaves a piece without extent: the start of the next scan
        if end == energy_ev.size or abs(energy_ev[end - 1] - energy_ev[start]) > least:
            pieces.append(slice(start, end))
            start = end
    return pieces


def left_out(
    content: Content, rows: Rows, bad: NDArray[np.bool_], why: str
) -> tuple[Rows, tuple[str, ...]]:
    """The rows that are not `bad`, and words about those that are.

    Raises InputError naming the first line where more than a quarter of the rows are bad.
    """
    if not bad.any():
        return rows, ()
    first = content.lies(int(rows[np.flatnonzero(bad)[0]]))
    said = f"{count(int(bad.sum()))} of {count(rows.size)} rows: {why}, first in {first}"
    if bad.mean() > TOO_MANY:
        raise InputError(
            f"{said}: too many to leave out",
            where=f"{content.where}, {first}",
            remedy="mend or remove these rows, or name other columns",
        )
    return rows[~bad], (said,)
