"""Figures of an absorption analysis: mixture, oscillations, first shell, and its search."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from materialsdock.model import FloatArray
from materialsdock.refinement.xas.background import Oscillations
from materialsdock.refinement.xas.fourier import r_grid, transform, window
from materialsdock.refinement.xas.lcf import Combination
from materialsdock.refinement.xas.shell import FourierRange
from materialsdock.refinement.xas.shell_search import ShellAnswer
from materialsdock.report.drawing import Drawing, drawing, label_dots, legend, two_panels
from materialsdock.report.svg import BLUE, INK, MUTED, ORANGE, RULE, WASH, dots, plain_log

LONGEST_R = 6.0
PLAIN = FourierRange((3.0, 12.0), (0.0, LONGEST_R))


def mixture(found: Combination) -> Drawing:
    """The normalised sample, the sum of the standards, and their difference."""
    return drawing(
        "Fractions of standards",
        "Points: the normalised sample. Line: the sum of the standards. Below: their difference. "
        "Esds hold the noise and the spread over "
        f"{found.normalisations} choices of normalisation.",
        partial(_draw_mixture, found),
        3.8,
    )


def _draw_mixture(found: Combination, figure: Figure) -> None:
    upper, lower = two_panels(figure, 3.0)
    dots(upper, found.energy_ev, found.data, color=MUTED, size=2.0)
    label_dots(upper, "sample", MUTED)
    upper.plot(found.energy_ev, found.model, BLUE, label="sum of standards")
    upper.set_ylabel("Normalised absorption")
    legend(upper)
    lower.axhline(0.0, color=RULE, lw=0.6)
    lower.plot(found.energy_ev, found.data - found.model, INK)
    lower.set_ylabel("Difference")
    lower.set_xlabel("Energy (eV)")


def oscillation(data: Oscillations) -> Drawing:
    """k²χ(k) and the size of its Fourier transform."""
    top = min(PLAIN.k[1], float(data.k[-1]))
    within = FourierRange((min(PLAIN.k[0], top / 3), top), PLAIN.r)
    return drawing(
        "Oscillations behind the edge",
        f"Left: k²χ(k). Right: the size of its Fourier transform from k = {within.k[0]:.1f} to "
        f"{within.k[1]:.1f} 1/Å; distances are not corrected for the phase, so that peaks lie 0.3 "
        "to 0.5 Å below the distance of the atoms.",
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
        f"Left: k{'²' if within.k_weight == 2 else f'^{within.k_weight} '}χ(k) and the fitted "
        "path. Right: the size of their Fourier transforms; the shaded window of R is the one "
        "that all trials are compared in.",
        partial(_draw_waves, analysed.data, analysed.fit.chi, within),
        3.1,
    )


def _draw_waves(
    data: Oscillations, model: FloatArray | None, within: FourierRange, figure: Figure
) -> None:
    left, right = figure.subplots(1, 2)
    _waves(left, right, data.k, data.chi, within, INK, "data")
    if model is not None:
        _waves(left, right, data.k, model, within, ORANGE, "path")
        right.axvspan(*within.r, color=WASH, lw=0, zorder=0)
        legend(left)
    left.set_xlim(0.0, min(float(data.k[-1]), within.k[1] + 2))
    left.set_xlabel("k (1/Å)")
    left.set_ylabel(f"χ(k) k^{within.k_weight} (Å^-{within.k_weight})")
    right.set_xlabel("R, not corrected for the phase (Å)")
    right.set_ylabel(f"|χ(R)| (Å^-{within.k_weight + 1})")


def _waves(
    left: Axes,
    right: Axes,
    k: FloatArray,
    chi: FloatArray,
    within: FourierRange,
    color: str,
    label: str,
) -> None:
    weighted = chi * k**within.k_weight
    inside = k <= within.k[1] + 2
    left.plot(k[inside], weighted[inside], color=color, label=label)
    shape = window(k, *within.k, within.dk, within.window)
    r = r_grid(LONGEST_R)
    right.plot(r, np.abs(transform(weighted * shape))[: r.size], color=color)


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
