"""Self-absorption of fluorescence: how much of a spectrum's features a thick sample keeps.

What a thick sample emits grows less than its absorption: I(E) ∝ µa / (µT(E) + g µT(Ef)), with µa
of the edge alone, µT of all, Ef the energy of the fluorescence and g = sin(in) / sin(out) (Tröger
et al., Phys. Rev. B 46, 3283, 1992; for any thickness Booth & Bridges, Physica Scripta T115, 202,
2005).  Features in units of the step keep the share 1 − µa / (µT + g µT(Ef)) where they are small.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from materialsdock.errors import InputError
from materialsdock.model import Job
from materialsdock.techniques.xas.signals import FLUORESCENCE

ASIDE_EV = 50.0  # of the edge, where cross-sections are compared
WHITE_LINE = 1.5  # of the step, for people to picture it
LEAST = 0.01  # of the features: less is not worth a warning


@dataclass(frozen=True)
class SelfAbsorption:
    """The part of all absorption, the fluorescence's own included, that is the edge's.

    share : µa / (µT(E) + g µT(Ef)), 0 for an infinitely dilute sample
    """

    formula: str
    edge: str
    share: float

    @property
    def kept(self) -> float:
        """The share of small features that a thick sample shows."""
        return 1.0 - self.share

    def seen(self, height: float) -> float:
        """Return what a normalised absorption of `height` looks like."""
        return height / (1.0 + self.share * (height - 1.0))

    def sentence(self) -> str:
        """Say how large it is at most."""
        return (
            f"self-absorption: fluorescence of a thick sample of {self.formula} would keep "
            f"{100 * self.kept:.0f} % of the oscillations at the {self.edge} edge and show a "
            f"white line of {WHITE_LINE:.2f} as {self.seen(WHITE_LINE):.2f} (beam at 45°): dilute "
            "or thin the sample, or measure transmission or electron yield"
        )


def of_thick(formula: str, edge: str) -> SelfAbsorption:
    """The self-absorption of a thick sample, with the beam and the detector at 45°.

    edge : e.g. "Fe K".  Raises InputError for a formula without amounts, or without the element.
    """
    element, _, shell = edge.partition(" ")
    weights = _weights(formula)
    if element not in weights or not shell:
        raise InputError(f"{formula} has no edge {edge}", where="composition")
    at = float(_xraydb().xray_edge(element, shell).energy)
    lines = _xraydb().xray_lines(element, shell)
    if not lines:
        raise InputError(f"no fluorescence of the {edge} edge is tabulated", where="composition")
    emitted = max(lines.values(), key=lambda line: line.intensity).energy
    edge_alone = weights[element] * (_mu(element, at + ASIDE_EV) - _mu(element, at - ASIDE_EV))
    whole = sum(w * (_mu(e, at + ASIDE_EV) + _mu(e, emitted)) for e, w in weights.items())
    return SelfAbsorption(formula, edge, float(edge_alone / whole))


def _weights(formula: str) -> dict[str, float]:
    """Mass by element, in any unit; InputError for what is no chemical formula."""
    first, *more = re.split(r"[·*]", formula)  # of hydrates: CuSO4·5H2O
    parts = [re.fullmatch(r"\s*([\d.]*)(.*)", each) for each in more]
    whole = first + "".join(f"({part[2]}){part[1] or 1}" for part in parts if part)
    try:
        found = _xraydb().chemparse(whole)
    except ValueError as error:
        raise InputError(
            f"{formula!r} is no formula with amounts", where="composition", remedy="say e.g. Fe2O3"
        ) from error
    return {element: n * float(_xraydb().atomic_mass(element)) for element, n in found.items()}


def _mu(element: str, energy_ev: float) -> float:
    """Mass absorption [cm²/g]."""
    return float(_xraydb().mu_elam(element, energy_ev))


def _xraydb() -> Any:
    import xraydb  # slow to import, and only jobs that measure fluorescence need it

    return xraydb


def remark(job: Job) -> str | None:
    """Say how large it may be in a job; None where it is not measured by fluorescence, or little.

    Where nothing is known of the sample that is said.
    """
    if job.settings.get("signal") != FLUORESCENCE:
        return None
    formula = job.settings.get("composition") or job.sample.metadata.get("composition")
    if not formula:
        return "self-absorption is not estimated: the composition of the sample is not known"
    try:
        found = of_thick(str(formula), str(job.settings.get("edge", "")))
    except InputError as fault:
        return f"self-absorption is not estimated: {fault.what}"
    return found.sentence() if found.share >= LEAST else None
