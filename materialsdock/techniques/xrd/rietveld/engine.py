"""The port of a Rietveld program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit


class RefinementEngine(Protocol):
    """One Rietveld program behind one call."""

    name: str

    def refine(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
    ) -> Fit:
        """Refine once with one recipe (a point of the search space).

        Raises InputError for data or structures that cannot be refined, ModelFault when the
        engine fails.
        """
