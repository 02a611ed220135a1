"""The tools of laws: numbers that are near enough, and refusals that say why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager


def near(found: float, wanted: float, *, rel: float = 1e-6, abs: float = 1e-12) -> bool:
    """Tell whether two numbers differ by no more than `rel` of the wanted one, or `abs`."""
    return math.isfinite(found) and math.fabs(found - wanted) <= max(rel * math.fabs(wanted), abs)


@contextmanager
def refused(kind: type[Exception], words: str = "") -> Iterator[None]:
    """Demand that the block raises `kind`, and that its message holds `words`."""
    said = None
    try:
        yield
    except kind as error:
        said = str(error)
    assert said is not None, f"no {kind.__name__} that names {words!r}"
    assert words in said, f"{said} does not name {words!r}"
