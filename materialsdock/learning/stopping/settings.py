"""Check what a profile or a job says about stopping: every fault is named at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeGuard

import numpy as np

from materialsdock.errors import InputError

BUDGETS = ("maximum_points", "maximum_seconds", "maximum_count_seconds", "full_scan_seconds")


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < np.inf


def _positive(value: object) -> bool:
    return _number(value) and value > 0


def _share(value: object) -> bool:
    return _number(value) and 0 < value < 1


def _whole(value: object) -> bool:
    return _number(value) and isinstance(value, int) and value >= 0


def _whole_positive(value: object) -> bool:
    return _whole(value) and value != 0


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _range(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    low, high = value
    return _number(low) and _number(high) and 0 <= low < high


CHECKS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "threshold": (_share, "a number between 0 and 1"),
    "sd_over_noise": (_positive, "a positive number"),
    "sd_over_height": (_positive, "a positive number"),
    "wild": (_positive, "a positive number"),
    "outlier": (_positive, "a positive number"),
    "calm": (_range, "a range of two numbers"),
    "minimum_points": (_whole, "a whole number"),
    "warmup": (_whole, "a whole number"),
    "window": (_whole_positive, "a positive whole number"),
    "reference": (
        lambda v: v in ("min", "first", "median", "prior"),
        "min, first, median or prior",
    ),
    "gates": (_flag, "true or false"),
    "gap": (_flag, "true or false"),
    "absolute": (lambda v: v in ("sd", "target"), "sd or target"),
    "patience": (_whole, "a whole number"),
    "per_observation": (_flag, "true or false"),
    "maximum_points": (_whole_positive, "a positive whole number"),
    "maximum_seconds": (_positive, "a positive number"),
    "maximum_count_seconds": (_positive, "a positive number"),
    "full_scan_seconds": (_positive, "a positive number"),
}


def check(
    mode: object, targets: object, given: Mapping[str, Any], modes: Mapping[str, Collection[str]]
) -> None:
    """Raise InputError naming every fault of the settings.

    given : all keys but mode and targets; modes : the fields of each mode's rule
    """
    faults = [] if isinstance(mode, str) and mode in modes else [_unknown(mode, modes)]
    known = {*modes.get(mode if isinstance(mode, str) else "", modes["robust"]), *BUDGETS}
    for key, value in given.items():
        if key not in known:
            faults.append(f"mode {mode!r} has no {key!r}")
        elif not CHECKS[key][0](value):
            faults.append(f"{key} = {value!r} is not {CHECKS[key][1]}")
    faults += _target_faults(mode, targets, given)
    if faults:
        keys = ", ".join(["mode", "targets", *CHECKS])
        raise InputError("; ".join(faults), where="stop", remedy=f"keys: {keys}")


def _unknown(mode: object, modes: Mapping[str, Collection[str]]) -> str:
    return f"mode = {mode!r} is none of {', '.join(modes)}"


def _target_faults(mode: object, targets: object, given: Mapping[str, Any]) -> list[str]:
    if not isinstance(targets, Mapping):
        return [f"targets = {targets!r} is not a table of quantity = sd"]
    wrong = {key: value for key, value in targets.items() if not _positive(value)}
    faults = [f"target {k} = {v!r} is not a positive number" for k, v in wrong.items()]
    if not targets and (mode == "target" or given.get("absolute") == "target"):
        faults.append("no target is given to stop at")
    return faults
