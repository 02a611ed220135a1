"""The one place that chooses the signal of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.files.asking import ask_columns
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.edge import CLEAR, rise_of
from materialsdock.techniques.xas.files.signal import (
    FLUORESCENCE,
    MU,
    REFERENCE,
    TRANSMISSION,
    YIELD,
    Signal,
    signals,
)

BETTER = 3.0  # how much clearer another signal has to be: transmission needs no dead time, no depth
WORDS = {
    "transmission": TRANSMISSION,
    "trans": TRANSMISSION,
    "fluorescence": FLUORESCENCE,
    "fluo": FLUORESCENCE,
    "yield": YIELD,
    "electron yield": YIELD,
    "tey": YIELD,
    "reference": REFERENCE,
    "mu": MU,
    "µ": MU,
}


def choose(
    content: Content, energy_ev: FloatArray, element: str, asked: str
) -> tuple[Signal, tuple[str, ...]]:
    """The signal of a scan, and a note about those that lie beside it.

    What the user asks for comes first, then what the file calls its own; of several the one with
    the larger edge step over noise, transmission unless another is three times as clear.
    Raises InputError naming the columns where they give no signal, or not the one asked for.
    """
    found = signals(content, element)
    if not found:
        ask_columns(content, "they hold no µ, nor i0 with a detector")
    wanted = _wanted(asked, content)
    if wanted:
        found = _called(found, wanted)
        of_kind = [each for each in found if _kind(each) == wanted]
        if not of_kind:
            have = ", ".join(dict.fromkeys(_kind(each) for each in found))
            ask_columns(content, f"they hold no {wanted}, but {have}")
        found = of_kind
    elif own := [each for each in found if each.own]:
        found = own
    elif content.says:
        found = [each for each in found if each.kind == content.says] or found
    elif beside := [each for each in found if each.kind != REFERENCE]:
        found = beside
    return _clearest(found, energy_ev)


def _clearest(found: Sequence[Signal], energy_ev: FloatArray) -> tuple[Signal, tuple[str, ...]]:
    if len(found) == 1:
        return found[0], ()
    clear = [_clearness(energy_ev, each) for each in found]
    order = sorted(range(len(found)), key=lambda i: _rank(found[i], clear[i]))
    best = order[0]
    beside = [
        f"{found[i].words} ({_steps(clear[i])})" for i in order[1:] if found[i].kind != REFERENCE
    ]
    taken = found[best]
    kinds = {each.kind for each in found if each is not taken} - {taken.kind, REFERENCE}
    if not beside:
        return taken, ()
    how = f"{taken.words} ({_steps(clear[best])}) was taken; beside it lies {', '.join(beside[:3])}"
    say = f": --signal {min(kinds).split()[-1]}" if kinds else ""
    return taken, (how + say,)


def _rank(signal: Signal, clearness: float) -> tuple[float, int]:
    """Sort clear edges first, the clearer the better, else by what names say."""
    if clearness >= CLEAR:
        return -clearness * (BETTER if signal.kind == TRANSMISSION else 1.0), 0
    order = (signal.of_line, signal.kind == TRANSMISSION, signal.kind == FLUORESCENCE, True)
    return 0.0, order.index(True)


def _steps(clearness: float) -> str:
    return f"edge step {clearness:.3g} × noise" if clearness >= CLEAR else "no clear edge"


def _clearness(energy_ev: FloatArray, signal: Signal) -> float:
    whole = np.isfinite(signal.y) & np.isfinite(energy_ev)
    rise = rise_of(energy_ev[whole], signal.y[whole])
    return rise.clearness if rise else 0.0


def _wanted(asked: str, content: Content) -> str:
    word = asked.strip().lower()
    if not word:
        return ""
    if word not in WORDS:
        raise InputError(
            f"signal {asked!r} is not known",
            where=f"{content.where}, --signal",
            remedy=f"say {', '.join(w for w in WORDS if w.isascii())}",
        )
    return WORDS[word]


def _kind(signal: Signal) -> str:
    return MU if signal.kind.startswith(MU) else signal.kind


def _called(found: Sequence[Signal], wanted: str) -> list[Signal]:
    """The signals; µ of no kind is of the one that the user says."""
    kinds = {each.kind for each in found}
    return [
        replace(each, kind=wanted) if _kind(each) == MU and wanted not in kinds else each
        for each in found
    ]
