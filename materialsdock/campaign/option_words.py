"""Words of the command line into settings; every fault of an option is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from materialsdock.errors import InputError

STOP_NUMBERS = {
    "threshold": float,
    "minimum_points": int,
    "maximum_points": int,
    "maximum_seconds": float,
    "maximum_count_seconds": float,
}
MODES = ("paper", "robust", "target")
CURVE = ("rmse", "rmse_bound")  # targets whose names are no QUANTITY_sd


def together(*checks: Callable[[], object]) -> None:
    """Run every check; an InputError that names all faults found, none hidden by another."""
    faults = []
    for check in checks:
        try:
            check()
        except InputError as fault:
            faults.append(fault)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InputError("; ".join(map(str, faults)))


def unchangeable(given: Collection[str]) -> None:
    """Refuse options `given` with --resume: a job goes on as it began."""
    if given:
        raise InputError(
            f"{', '.join(given)} cannot be changed when a job is resumed",
            where="--resume",
            remedy="leave it out, or begin a new measurement",
        )


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


def fitting(technique: str, given: Mapping[str, Collection[str]]) -> None:
    """Refuse options that another technique has: they would be ignored.

    given : the options by the technique that has them
    """
    for other, names in given.items():
        odd = [name for name in names if name not in given.get(technique, ())]
        if odd:
            raise InputError(
                f"{', '.join(odd)} given for a measurement of {technique}",
                remedy=f"that is for {other} only",
            )
