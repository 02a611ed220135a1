"""The report of a curve: the figure of what was counted and learned, and every number found.

A number NAME of the answer and another NAME_sd, with "sd" anywhere among the words of the name, are
one value with its standard deviation; a last word that is the unit of the axis is its unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from materialsdock import technique
from materialsdock.model import Outcome
from materialsdock.rendering.drawing import Drawing, drawing, legend
from materialsdock.rendering.numbers import number, with_esd
from materialsdock.rendering.svg import BLUE, INK, strokes

TEMPLATE = Path(__file__).with_name("page.html")
SD = "sd"
More = Callable[[Axes], None]
Scalar = int | float | np.integer | np.floating


def drawings(outcome: Outcome, shared: Sequence[Drawing]) -> list[Drawing]:
    """The curve, and the figures that all techniques share."""
    return [curve(outcome), *shared]


def summary(outcome: Outcome) -> dict[str, Any]:
    """Every number and word of the answer by its name; numbers that are not finite are None."""
    found = {each.name: getattr(outcome.found, each.name) for each in fields(outcome.found)}
    plain = {key: value for key, value in found.items() if isinstance(value, str | bool)}
    return {**plain, **{key: number(value) for key, value in _numbers(outcome).items()}}


def lines(outcome: Outcome) -> list[str]:
    """Each number with its standard deviation."""
    return [f"  {label}: {value}" for label, value in facts(outcome)]


def warnings(outcome: Outcome) -> list[str]:
    """Return no warnings."""
    return []


def context(outcome: Outcome) -> dict[str, Any]:
    """The values of page.html."""
    return {"facts": [(label[:1].upper() + label[1:], value) for label, value in facts(outcome)]}


def facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield the label of each number, and the number with its standard deviation if it has one."""
    known = technique.named(outcome.job.sample.technique)
    found = _numbers(outcome)
    sd = {_without_sd(name): name for name in found if _is_sd(name)}
    for name, value in found.items():
        if not (_is_sd(name) and _without_sd(name) in found):
            yield _label(name, known), with_esd(value, found.get(sd.get(name, "")))


def curve(
    outcome: Outcome,
    title: str = "The measured curve",
    caption: str = "",
    more: More | None = None,
) -> Drawing:
    """The figure of what was counted on what was learned.

    caption : what it says besides; more : called with the axes, draws what belongs on it
    """
    said = (
        "Points: measured rates with their standard deviation. Line and band: the model's mean ± 2 "
        "standard deviations."
    )
    return drawing(title, f"{said} {caption}".strip(), partial(_draw, outcome, more), 3.4)


def _draw(outcome: Outcome, more: More | None, figure: Figure) -> None:
    axes = figure.subplots()
    told, learned = outcome.measured, outcome.curve
    symbol = technique.named(outcome.job.sample.technique).symbol
    low, high = learned.rate - 2 * learned.sigma, learned.rate + 2 * learned.sigma
    axes.fill_between(learned.x, low, high, color=BLUE, alpha=0.3, linewidth=0, label="± 2 sd")
    axes.plot(learned.x, learned.rate, BLUE, label="model")
    strokes(axes, told.x, told.rate - told.sigma, told.rate + told.sigma, color=INK, width=0.5)
    axes.plot(told.x, told.rate, ".", color=INK, ms=2.6, label="measured ± 1 sd")
    axes.set_xlabel(f"{told.axis.replace('_', ' ')} ({symbol})")
    axes.set_ylabel("Count rate (1/s)")
    if more is not None:
        more(axes)
    legend(axes)


def _numbers(outcome: Outcome) -> Mapping[str, Any]:
    found = {each.name: getattr(outcome.found, each.name) for each in fields(outcome.found)}
    return {
        name: value
        for name, value in found.items()
        if value is None or (isinstance(value, Scalar) and not isinstance(value, bool))
    }


def _is_sd(name: str) -> bool:
    return SD in name.split("_")


def _without_sd(name: str) -> str:
    return "_".join(word for word in name.split("_") if word != SD)


def _label(name: str, known: technique.Technique) -> str:
    *words, last = name.split("_")
    if words and last == known.unit.lower():
        return f"{' '.join(words)} ({known.symbol})"
    return " ".join((*words, last))
