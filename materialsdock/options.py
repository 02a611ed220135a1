"""Words of the command line into settings; every fault of an option is reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError
from materialsdock.model import Structure
from materialsdock.prepare import read_structure

STOP_NUMBERS = {
    "threshold": float,
    "minimum_points": int,
    "maximum_points": int,
    "maximum_seconds": float,
    "maximum_count_seconds": float,
}
MODES = ("paper", "robust", "target")
CURVE = ("rmse", "rmse_bound")  # targets whose names are no QUANTITY_sd


def stop_options(words: Sequence[str]) -> dict[str, Any]:
    """`--stop KEY=VALUE ...`: mode, threshold, minimum and budgets, or a target NAME_sd.

    Raises InputError naming every word that says nothing.
    """
    found: dict[str, Any] = {}
    wrong = []
    for word in words:
        key, _, value = word.partition("=")
        try:
            if key == "mode" and value in MODES:
                found[key] = value
            elif key in STOP_NUMBERS:
                found[key] = STOP_NUMBERS[key](value)
            elif key.endswith("_sd") or key in CURVE:
                found.setdefault("targets", {})[key] = float(value)
            else:
                wrong.append(word)
        except ValueError:
            wrong.append(word)
    if wrong:
        numbers = (f"{k}=N" for k in STOP_NUMBERS)
        keys = ", ".join([f"mode={'|'.join(MODES)}", *numbers, "QUANTITY_sd=X", "rmse=X"])
        raise InputError(
            f"cannot read {', '.join(map(repr, wrong))}", where="--stop", remedy=f"use {keys}"
        )
    return found


def regions(words: Sequence[str]) -> tuple[tuple[float, float, float], ...]:
    """`--region LO:HI:WEIGHT ...` [eV]; InputError naming every word that is none."""
    found: list[tuple[float, float, float]] = []
    wrong = []
    for word in words:
        try:
            lo, hi, weight = (float(part) for part in word.split(":"))
        except ValueError:
            wrong.append(word)
            continue
        if lo < hi and 0 < weight < float("inf"):
            found.append((lo, hi, weight))
        else:
            wrong.append(word)
    if wrong:
        raise InputError(
            f"cannot read {', '.join(map(repr, wrong))}",
            where="--region",
            remedy="use LO:HI:WEIGHT, e.g. 7100:7140:5",
        )
    return tuple(found)


def structures(cifs: Sequence[Path], orientations: Sequence[str]) -> tuple[Structure, ...]:
    """The candidate phases, with `--preferred-orientation NAME=h,k,l` given to its phase.

    NAME is the CIF's file name without ending; it may be left out when there is one phase.
    """
    axes = dict(_axis(word, cifs) for word in orientations)
    unknown = set(axes) - {path.stem for path in cifs}
    if unknown:
        raise InputError(
            f"no phase named {', '.join(sorted(unknown))}",
            where="--preferred-orientation",
            remedy=f"phases are: {', '.join(path.stem for path in cifs) or 'none'}",
        )
    return tuple(read_structure(path, axes.get(path.stem)) for path in cifs)


def _axis(word: str, cifs: Sequence[Path]) -> tuple[str, tuple[int, int, int]]:
    name, _, indices = word.rpartition("=")
    try:
        h, k, l = (int(part) for part in indices.split(","))  # noqa: E741
    except ValueError:
        raise InputError(
            f"{word!r} is not NAME=h,k,l",
            where="--preferred-orientation",
            remedy="e.g. a=0,0,1",
        ) from None
    if not (h or k or l):
        raise InputError(f"{word!r} is no direction", where="--preferred-orientation")
    return name or (cifs[0].stem if len(cifs) == 1 else ""), (h, k, l)
