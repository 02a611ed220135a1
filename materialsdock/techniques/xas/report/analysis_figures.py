"""Figures of an absorption analysis: mixture, oscillations, first shell, and its search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from materialsdock.model import FloatArray
from materialsdock.rendering.drawing import Drawing, drawing, label_dots, legend, two_panels
from materialsdock.rendering.svg import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RULE,
    SERIES,
    WASH,
    dots,
    plain_log,
    shorten,
)
from materialsdock.techniques.xas.exafs.fourier import r_grid, transform, window
from materialsdock.techniques.xas.exafs.oscillations import LONGEST_R, magnitude, plain_range
from materialsdock.techniques.xas.exafs.shell import FourierRange
from materialsdock.techniques.xas.exafs.shell_search import ShellAnswer
from materialsdock.techniques.xas.model import AbsorptionFit, Combination, Oscillations

LETTERS_A_ROW, LETTERS_OF_A_LINE = 100, 8  # of a legend, the latter for its sign and the gap
DASHES = ("-", "--", ":")
POWERS = {1: "", 2: "²", 3: "³", 4: "⁴"}


def beyond_edge(found: AbsorptionFit) -> list[Drawing]:
    """Draw the mixture and the oscillations of a measurement, as far as there are any."""
    drawn = [mixture(found.combination)] if found.combination is not None else []
    return [*drawn, oscillation(found.oscillations)] if found.oscillations is not None else drawn


def mixture(found: Combination) -> Drawing:
    """The normalised sample, the standards by their fractions, their sum, and the difference."""
    low, high = found.energy_ev[[0, -1]]
    return drawing(
        "Fractions of standards",
        f"The range of the fit, {low:.1f} to {high:.1f} eV. Points: the normalised sample. Lines: "
        "the sum of the standards, and each of them times its fraction. Below: the difference. "
        "Esds hold the noise and the spread over "
        f"{found.normalisations} choices of normalisation.",
        partial(_draw_mixture, found),
        3.8,
        {placeholder: name for placeholder, (name, _) in _named(found.parts).items()},
    )


def _named(parts: Mapping[str, FloatArray]) -> dict[str, tuple[str, FloatArray]]:
    """Names of users never reach Matplotlib: a placeholder each, as long as what is shown."""
    return {
        f"standard{i}".ljust(len(shorten(name)), "n"): (name, part)
        for i, (name, part) in enumerate(parts.items())
    }


def _columns(labels: Iterable[str]) -> int:
    """How many columns of a legend as wide as the longest label have place."""
    return int(
        np.clip(LETTERS_A_ROW // (max(map(len, labels), default=0) + LETTERS_OF_A_LINE), 1, 4)
    )


def _draw_mixture(found: Combination, figure: Figure) -> None:
    upper, lower = two_panels(figure, 3.0)
    dots(upper, found.energy_ev, found.data, color=MUTED, size=2.0)
    label_dots(upper, "sample", MUTED)
    upper.plot(found.energy_ev, found.model, INK, label="sum of standards")
    for i, (placeholder, (_, part)) in enumerate(_named(found.parts).items()):
        color, dashes = SERIES[i % len(SERIES)], DASHES[i // len(SERIES) % len(DASHES)]
        upper.plot(found.energy_ev, part, color=color, ls=dashes, label=placeholder)
    upper.set_ylabel("Normalised absorption")
    legend(upper, _columns(_named(found.parts)))
    lower.axhline(0.0, color=RULE, lw=0.6)
    lower.plot(found.energy_ev, found.data - found.model, INK)
    lower.set_ylabel("Difference")
    lower.set_xlabel("Energy (eV)")


def oscillation(data: Oscillations) -> Drawing:
    """k²χ(k) with the window, and its Fourier transform: size, real and imaginary part."""
    within = plain_range(data)
    bands = "" if data.samples is None else "Bands: ± 2 standard deviations of the measurement. "
    return drawing(
        "Oscillations beyond the edge",
        f"{bands}Left: k²χ(k), and the window of the transform. Right: its Fourier transform from "
        f"k = {within.k[0]:.1f} to {within.k[1]:.1f} 1/Å, size, real and imaginary part; distances "
        "are not corrected for the phase, so that peaks lie 0.3 to 0.5 Å below the distance of the "
        "atoms.",
        partial(_draw_waves, data, None, within),
        3.1,
    )


def shell_fit(found: ShellAnswer) -> Drawing:
    """The best acceptable fit in k and in R, in the fixed window."""
    assert found.best is not None
    assert found.best.result is not None
    analysed, within = found.best.result, found.fixed
    return drawing(
        "First shell",
        f"Left: k{POWERS[within.k_weight]}χ(k) and the fitted "
        "path. Right: the size of their Fourier transforms; the shaded window of R is the one "
        "that all trials are compared in.",
        partial(_draw_waves, analysed.data, analysed.fit.chi, within),
        3.1,
    )


def _draw_waves(
    data: Oscillations, model: FloatArray | None, within: FourierRange, figure: Figure
) -> None:
    left, right = figure.subplots(1, 2)
    panels = _WavePanels(left, right, data.k, within)
    if data.samples is not None:
        panels.bands(data.samples)
    panels.line(data.chi, INK, "data", "data" if model is not None else "magnitude")
    panels.window()
    if model is None:
        panels.parts(data.chi)
        legend(right)
    if model is not None:
        panels.line(model, ORANGE, "path", "path")
        right.axvspan(*within.r, color=WASH, lw=0, zorder=0)
    legend(left)
    left.set_xlim(0.0, min(float(data.k[-1]), within.k[1] + 2))
    left.set_xlabel("k (1/Å)")
    power = POWERS[within.k_weight]
    left.set_ylabel(f"k{power}χ(k) (Å⁻{power or '¹'})")
    right.set_xlabel("R, not corrected for the phase (Å)")
    right.set_ylabel(f"{'χ(R)' if model is None else '|χ(R)|'} (Å⁻{POWERS[within.k_weight + 1]})")


@dataclass(frozen=True, eq=False)
class _WavePanels:
    """The two panels of oscillations at k (m,) [1/Å]: in k, and in R."""

    left: Axes
    right: Axes
    k: FloatArray
    within: FourierRange

    def _shown(self, chi: FloatArray) -> Iterator[tuple[Axes, FloatArray, FloatArray]]:
        """Yield each panel, its abscissa (n,), and what of χ (..., m) is drawn there (..., n)."""
        inside = self.k <= self.within.k[1] + 2
        yield self.left, self.k[inside], (chi * self.k**self.within.k_weight)[..., inside]
        yield self.right, r_grid(LONGEST_R), magnitude(self.k, chi, self.within)

    def line(self, chi: FloatArray, color: str, *labels: str) -> None:
        """Draw χ (m,); labels : in k, and in R."""
        for (axes, x, y), label in zip(self._shown(chi), labels, strict=True):
            axes.plot(x, y, color=color, label=label)

    def window(self) -> None:
        """The window of the transform in k, as high as the highest wave."""
        inside = self.k <= self.within.k[1] + 2
        height = max(np.abs(self.left.get_ylim()))
        shape = height * self._window[inside]
        self.left.plot(self.k[inside], shape, MUTED, lw=0.7, ls="--", label="window")

    @property
    def _window(self) -> FloatArray:
        return window(self.k, *self.within.k, self.within.dk, self.within.window)

    def parts(self, chi: FloatArray) -> None:
        """Real and imaginary part of the transform of χ (m,)."""
        r = r_grid(LONGEST_R)
        found = transform(chi * self.k**self.within.k_weight * self._window)[: r.size]
        self.right.plot(r, found.real, color=GREEN, lw=0.7, label="real")
        self.right.plot(r, found.imag, color=PURPLE, lw=0.7, ls="--", label="imaginary")
        self.right.axhline(0.0, color=RULE, lw=0.6, zorder=0)

    def bands(self, samples: FloatArray) -> None:
        """± 2 sd of posterior samples (s, m) about their mean."""
        for axes, x, drawn in self._shown(samples):
            middle, sd = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
            low, high = middle - 2 * sd, middle + 2 * sd
            axes.fill_between(x, low, high, color=BLUE, alpha=0.3, linewidth=0, label="± 2 sd")


def search(found: ShellAnswer) -> Drawing:
    """Distance against misfit of all trials: how far equally good settings agree."""
    return drawing(
        "Search over settings",
        f"Each point is one of {len(found.trials)} trials: its distance, and its misfit in the "
        f"fixed window. Dark: the {len(found.near)} acceptable ones that fit as well as the best; "
        "they make the median and the spread.",
        partial(_draw_search, found),
        3.1,
    )


def _draw_search(found: ShellAnswer, figure: Figure) -> None:
    axes = figure.subplots()
    near = {id(trial) for trial in found.near}
    for chosen, color, label in ((False, MUTED, "other trials"), (True, BLUE, "near-optimal")):
        at = np.array(
            [
                (t.result.fit.distance, t.misfit)
                for t in found.trials
                if t.result is not None and (id(t) in near) == chosen
            ]
        ).reshape(-1, 2)
        axes.plot(at[:, 0], at[:, 1], ".", color=color, label=label)
    plain_log(axes)
    axes.set_xlabel("R (Å)")
    axes.set_ylabel("Misfit in the fixed window")
    legend(axes)
