"""The question about columns that nothing names, with the words that would answer it."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from materialsdock.errors import InputError
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.energy_range import can_be_energies

SHOWN = 14
MOST_COMPARED = 24  # columns: every pair of them is tried
SAME = 1e-4


def ask_columns(content: Content, what: str) -> NoReturn:
    """Refuse with the list of columns, what they seem to be, and words that name them."""
    first = content.values[0] if len(content.values) else np.zeros(content.width)
    listed = [
        f"{i} {name}" if name else f"{i} ({value:.6g} ...)"
        for i, (name, value) in enumerate(zip(content.names, first, strict=True), 1)
    ]
    more = f", and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    logarithms = _logarithms(content)
    seen = "".join(f"; column {c} is ln({a}/{b})" for c, a, b in logarithms[:3])
    raise InputError(
        f"{content.kind}: {what}; its columns are {', '.join(listed[:SHOWN])}{more}{seen}",
        where=content.where,
        remedy="say which is which: --columns "
        + ", or --columns ".join(_examples(content, logarithms)),
    )


def _logarithms(content: Content) -> list[tuple[int, int, int]]:
    """Columns c that are ln(a/b) of two others, counted from 1: a file may hold µ beside counts."""
    values = content.values[np.isfinite(content.values).all(axis=1)]
    columns = range(min(content.width, MOST_COMPARED))
    found = []
    with np.errstate(all="ignore"):
        logs = {i: np.log(values[:, i]) for i in columns if (values[:, i] > 0).all()}
        for c in columns:
            spread = float(np.ptp(values[:, c])) if len(values) else 0.0
            if not 0 < spread < np.inf:
                continue
            pairs = (
                (c + 1, a + 1, b + 1)
                for a in logs
                for b in logs
                if a != b and np.abs(logs[a] - logs[b] - values[:, c]).max() < SAME * spread
            )
            found += list(pairs)[:1]
    return found


def _varies(content: Content, index: int) -> bool:
    """True for a column that can be a signal: neither constant nor another axis."""
    values = content.column(index)
    seen = values[np.isfinite(values)]
    return bool(seen.size and np.ptp(seen) > 0 and not can_be_energies(values))


def _examples(content: Content, logarithms: list[tuple[int, int, int]]) -> tuple[str, ...]:
    """Words that would name the columns, with the numbers of this file where they are known."""
    angle = content.meant("angle") and not content.meant("energy")
    index = next(iter([*content.meant("energy"), *content.meant("angle")]), None)
    if index is None:
        moving = (i for i in range(content.width) if can_be_energies(content.column(i)))
        index = next(moving, 0)
    axis = f"{'angle' if angle else 'energy'}={index + 1}"
    if logarithms:
        told = [f"{axis},i0={a},it={b}" for _, a, b in logarithms[:2]]
        return (*told, f"{axis},mu={logarithms[0][0]}")
    i0 = next(iter(content.meant("i0")), None)
    free = [i + 1 for i in range(content.width) if i not in (index, i0) and _varies(content, i)]
    before = i0 + 1 if i0 is not None else free[0] if free else index + 2
    behind = next((i for i in free if i != before), before + 1)
    return (
        f"{axis},mu={behind if i0 is not None else before}",
        f"{axis},i0={before},it={behind}",
        f"{axis},i0={before},if={behind}",
    )
