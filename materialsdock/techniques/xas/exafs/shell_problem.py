"""One trial of a first-shell search: which settings may be chosen, and what they give.

Every trial's misfit is measured in one fixed window of k and R with one weight: a fit that may
choose its own window shrinks it until it fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from materialsdock.errors import InputError
from materialsdock.model import FloatArray
from materialsdock.optimisation.blackbox import Between, OneOf, Settings, Space
from materialsdock.techniques.xas.exafs.background import remove_background, wavenumber
from materialsdock.techniques.xas.exafs.feff import ScatteringPath
from materialsdock.techniques.xas.exafs.fourier import independent_points
from materialsdock.techniques.xas.exafs.shell import FourierRange, ShellFit, fit_shell, misfit
from materialsdock.techniques.xas.model import Oscillations
from materialsdock.techniques.xas.spectrum.checks import checked_edge
from materialsdock.techniques.xas.spectrum.edge_table import named, refuse_other
from materialsdock.techniques.xas.spectrum.normalise import Ranges, normalise

FREE = 4
SPARE_POINTS = 2.0
SHARE_OF_N = (0.5, 1.2)  # S0² is 0.7 to 1; the rest is for vacancies and amplitude errors of FEFF
LARGEST_E0_SHIFT_EV, LARGEST_CHANGE, LARGEST_SIGMA2 = 10.0, 0.2, 0.025
LONGEST_K = 16.0
WINDOW_BELOW, WINDOW_ABOVE = 1.1, -0.05  # of |χ̃(R)|, which peaks 0.3 to 0.5 Å below R


@dataclass(frozen=True, eq=False)
class Analysed:
    """One trial's data and fit."""

    data: Oscillations
    fit: ShellFit


@dataclass(frozen=True, eq=False)
class ShellProblem:
    """A spectrum, a path and the fixed window: `evaluate` is one trial."""

    energy_ev: FloatArray
    mu: FloatArray
    path: ScatteringPath
    e0_ev: float
    reach: float
    fixed: FourierRange
    third_cumulant: bool | None = None

    @property
    def spare(self) -> float:
        """Independent points of the fixed window beyond the parameters that every fit has."""
        return self.fixed.independent_points - FREE - bool(self.third_cumulant)

    @classmethod
    def of(
        cls,
        energy_ev: FloatArray,
        mu: FloatArray,
        path: ScatteringPath,
        *,
        edge: str | None = None,
        fixed: FourierRange | None = None,
        third_cumulant: bool | None = None,
    ) -> ShellProblem:
        """Check µ (n,) and set the window; InputError when it has no usable EXAFS or the
        path is of another absorber.

        third_cumulant : whether distances may be spread unevenly, as in metals when warm; None:
            where it pays
        """
        e0 = checked_edge(energy_ev, mu, edge).e0_ev
        if path.edge is not None:
            refuse_other(e0, named(path.edge), f"spectrum for {path.name}")
        reach = float(wavenumber(energy_ev[-1:], e0)[0])
        reach = min(reach, LONGEST_K + 1.0, float(path.k[-1]))
        window = fixed or default_range(path, reach)
        needed = FREE + bool(third_cumulant) + SPARE_POINTS
        if window.k[1] > reach or window.independent_points < needed:
            raise InputError(
                f"the data end at k = {reach:.1f} 1/Å: {window.independent_points:.1f} independent "
                f"points from {window.k[0]:g} to {window.k[1]:.1f}",
                where="first shell",
                remedy=f"{needed:g} are needed: measure further",
            )
        return cls(energy_ev, mu, path, e0, reach, window, third_cumulant)

    def space(self) -> Space:
        """Return the settings that may be chosen, with their ranges."""
        relative = self.energy_ev - self.e0_ev
        first, last = float(-relative[0]), float(relative[-1])
        top = min(self.reach - 0.5, LONGEST_K)
        low, high = self.fixed.r
        open_ = self.third_cumulant is None and self.spare > SPARE_POINTS + 1
        thirds = (0, 1) if open_ else (int(bool(self.third_cumulant)),)
        return {
            "third_cumulant": OneOf(thirds),
            "pre_far_ev": Between(min(first, 80.0), min(first, 200.0)),
            "pre_near_ev": Between(20.0, min(50.0, 0.5 * first)),
            "post_near_ev": Between(25.0, 150.0),
            "post_far_ev": Between(0.5 * last, last),
            "post_order": Between(1, 2, whole=True),
            "e0_shift_ev": Between(-4.0, 4.0),
            "rbkg": Between(0.7, min(1.3, low + 0.15)),
            "k_min": Between(2.0, 4.0),
            "k_max": Between(min(self.fixed.k[1] - 2.0, top - 0.5), top),
            "dk": Between(0.5, 3.0),
            "k_weight": Between(1, 3, whole=True),
            "window": OneOf(("kaiser", "hanning")),
            "r_min": Between(low - 0.1, low + 0.2),
            "r_max": Between(high - 0.15, high + 0.2),
        }

    def default(self) -> Settings:
        """Return what programs set by themselves: the baseline, the first trial of every seed."""
        space = self.space()
        wanted: Settings = {
            "third_cumulant": int(bool(self.third_cumulant)),
            "pre_far_ev": 150.0,
            "pre_near_ev": 30.0,
            "post_near_ev": 150.0,
            "post_far_ev": 800.0,
            "post_order": 2,
            "e0_shift_ev": 0.0,
            "rbkg": 1.0,
            "k_min": self.fixed.k[0],
            "k_max": self.fixed.k[1],
            "dk": self.fixed.dk,
            "k_weight": self.fixed.k_weight,
            "window": self.fixed.window,
            "r_min": self.fixed.r[0],
            "r_max": self.fixed.r[1],
        }
        return {name: _inside(value, space[name]) for name, value in wanted.items()}

    def evaluate(self, settings: Settings) -> tuple[float, Sequence[str], Analysed]:
        """(misfit in the fixed window, constraints broken, data and fit) of one trial.

        Misfits of fits with a parameter more are scaled to equal degrees of freedom, N_idp − p.
        """
        number = {k: float(v) for k, v in settings.items() if not isinstance(v, str)}
        e0 = self.e0_ev + number["e0_shift_ev"]
        ranges = Ranges(
            (-number["pre_far_ev"], -number["pre_near_ev"]),
            (number["post_near_ev"], number["post_far_ev"]),
            int(number["post_order"]),
        )
        step = normalise(self.energy_ev, self.mu, e0, ranges).edge_step
        data = remove_background(self.energy_ev, self.mu, e0, step, rbkg=number["rbkg"])
        within = FourierRange(
            (number["k_min"], min(number["k_max"], float(data.k[-1]))),
            (number["r_min"], number["r_max"]),
            int(number["k_weight"]),
            number["dk"],
            "hanning" if settings["window"] == "hanning" else "kaiser",
        )
        third = bool(settings["third_cumulant"])
        fit = fit_shell(data, self.path, within, third_cumulant=third)
        extra = len(fit.parameters) - FREE - bool(self.third_cumulant)
        price = self.spare / (self.spare - extra)
        return (
            price * misfit(data, fit.chi, self.fixed),
            violations(fit, self.path),
            Analysed(data, fit),
        )


def default_range(path: ScatteringPath, reach: float) -> FourierRange:
    """k from 3 to what the data hold (12 at most, 14 for atoms beyond 2.3 Å), R about the peak."""
    longest = 12.0 if path.reff < 2.3 else 14.0
    k = (3.0, min(longest, reach - 0.5))
    return FourierRange(k, (path.reff - WINDOW_BELOW, path.reff + WINDOW_ABOVE))


def violations(fit: ShellFit, path: ScatteringPath) -> tuple[str, ...]:
    """List what a fit claims that no first shell does."""
    value = {name: parameter.value for name, parameter in fit.parameters.items()}
    share = value["amplitude"] / path.degeneracy
    spare = independent_points(fit.range.k, fit.range.r) - len(value)
    esd = fit.parameters["distance"].esd
    least, most = SHARE_OF_N
    broken = {
        f"S0²N is not {least:g} to {most:g} times N": not least <= share <= most,
        f"ΔE0 is beyond {LARGEST_E0_SHIFT_EV:g} eV": abs(value["e0_shift_ev"])
        > LARGEST_E0_SHIFT_EV,
        f"R is more than {LARGEST_CHANGE:g} Å from the path's": abs(value["distance"] - path.reff)
        > LARGEST_CHANGE,
        f"σ² is not above 0 and up to {LARGEST_SIGMA2:g} Å²": not 0.0
        < value["sigma2"]
        <= LARGEST_SIGMA2,
        f"fewer than {SPARE_POINTS:g} independent points to spare": spare < SPARE_POINTS,
        "the distance R has no standard deviation": esd is None or not np.isfinite(esd),
    }
    return tuple(what for what, so in broken.items() if so)


def _inside(value: float | int | str, choice: Between | OneOf) -> float | int | str:
    if isinstance(choice, OneOf) or isinstance(value, str):
        return value
    return type(value)(min(max(value, choice.low), choice.high))
