"""The report: one figure, one line, and its block of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from materialsdock.model import Outcome
from materialsdock.rendering.drawing import Drawing, drawing
from materialsdock.rendering.numbers import with_esd
from materialsdock.rendering.svg import BLUE, ORANGE

TEMPLATE = Path(__file__).with_name("page.html")


def drawings(outcome: Outcome, shared: Sequence[Drawing]) -> list[Drawing]:
    """The scan with its maximum, and the figures that all techniques share."""
    caption = "Dots: what was counted. Curve: what the learner makes of it. Line: the maximum."
    return [drawing("The reflection", caption, partial(_draw, outcome), 3.4), *shared]


def _draw(outcome: Outcome, figure: Figure) -> None:
    axes, measured, curve = figure.subplots(), outcome.measured, outcome.curve
    axes.plot(curve.two_theta, curve.rate, BLUE, lw=1.1)
    axes.errorbar(measured.two_theta, measured.rate, measured.sigma, fmt=".", color=BLUE, ms=3)
    axes.axvline(outcome.found.position_deg, color=ORANGE, ls="--")
    axes.set_xlabel("2θ (°)")
    axes.set_ylabel("Count rate (1/s)")


def summary(outcome: Outcome) -> Mapping[str, Any]:
    """Position [deg] and height [1/s] with their standard deviations."""
    return asdict(outcome.found)


def lines(outcome: Outcome) -> list[str]:
    """Where it is."""
    return [f"  the reflection is at {_position(outcome)}°"]


def warnings(outcome: Outcome) -> list[str]:
    """Nothing to warn of."""
    return []


def context(outcome: Outcome) -> Mapping[str, Any]:
    """The values of page.html."""
    return {"position": _position(outcome)}


def _position(outcome: Outcome) -> str:
    return with_esd(outcome.found.position_deg, outcome.found.position_sd_deg)
