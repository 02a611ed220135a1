"""Fluorescence over I0 from events of a multi-element detector, without elements that fail.

An element is held against the others: its share of all counts, at the latest points and before.
Where it falls below half of its share, or rises above double, it is left out, and what the others
count is raised by the share that is missing; so µ stays on one scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from materialsdock.errors import DeviceFault
from materialsdock.model import FloatArray, Job
from materialsdock.protocols import Counted, Reading
from materialsdock.techniques.xas.signals.elements import Elements

Mask = NDArray[np.bool_]
WINDOWS = (1, 4, 16)  # latest points that are judged together: weak counts need more
CHANGED = 2.0  # of a share, either way
SURE = 6.0  # standard deviations: 2e-9 by chance
JUDGED_FROM = 100.0  # photons in, from which a dead time is judged
DOUBTED = 0.25  # dead time that people hear of
SILENT = 100.0  # counts expected of an element that shows none, until that is said


class FluorescenceObserver:
    """µ = Σ corrected counts of sound elements / I0; an Observer that compares with points before.

    dead_time_limit : an element that is dead for longer is left out of that point
    """

    def __init__(self, dead_time_limit: float = 0.5) -> None:
        self.limit = dead_time_limit
        self.remarks: dict[str, str] = {}
        self.numbers: tuple[int, ...] = ()
        self.points = 0
        self.left_out: dict[int, int] = {}  # points, by number of the element
        self.dead_time = (math.inf, -math.inf)  # least and largest of what was used
        # sums over the points so far, one row more than there are points:
        self._all: list[FloatArray] = []  # (k,) counts
        self._used: list[FloatArray] = []  # (k,) counts where the element was used
        self._beside: list[FloatArray] = []  # (k,) of all elements, where this one was used
        self._total: list[float] = []  # of all elements

    def __call__(self, data: Reading) -> Counted:
        """Energy [eV], fluorescence over I0, its sd from counting statistics, and the time [s].

        Raises DeviceFault when the chamber saw nothing, or most elements cannot be used.
        """
        i0, seconds = float(data["i0"]), float(data["count_time_s"])
        if not (math.isfinite(i0) and i0 > 0 and seconds > 0):
            raise DeviceFault(
                f"the chamber reads I0 = {i0} in {seconds:g} s",
                where="fluorescence",
                remedy="check beam, shutter and the chamber's gain",
            )
        found = Elements.of(data)
        used = self._sound(found)
        counts, variance = self._whole(found.counts, found.variance, used)
        scale = seconds / found.seconds / i0
        least = float(found.factor[used].max())  # of no counts one is the sd
        sd = math.sqrt(max(variance, least) + counts**2 / i0) * scale
        return Counted(float(data["mono_energy"]), counts * scale, sd, seconds)

    # -- which elements -----------------------------------------------------------------------

    def _sound(self, found: Elements) -> Mask:
        """(k,) elements to use of an event; DeviceFault where fewer than half are sound."""
        judged = found.icr * found.seconds >= JUDGED_FROM
        used = ~(judged & (found.dead > self.limit))
        if self.points:
            if found.numbers != self.numbers:
                raise DeviceFault(
                    f"elements {found.numbers} are read, the first point had {self.numbers}",
                    where="fluorescence",
                    remedy="read the same elements as before, or begin a new measurement",
                )
            used &= self._beside[-1] > 0  # else its share is not known
        while self.points and used.sum() > 1:
            off = self._off(found, used)
            worst = int(off.argmax())
            if off[worst] <= 0:
                break
            used[worst] = False
        if 2 * used.sum() < used.size:
            bad = ", ".join(str(n) for n, ok in zip(found.numbers, used, strict=True) if not ok)
            raise DeviceFault(
                f"elements {bad} of {used.size} are dead for more than {100 * self.limit:.0f} % of "
                "the time, or count other shares than before",
                where="fluorescence",
                remedy="check the detector; attenuate the beam or move the detector back",
            )
        return used

    def _off(self, found: Elements, used: Mask) -> FloatArray:
        """(k,) how far off its share an element is, |log|; 0 where it is not, or not used."""
        whole, _ = self._whole(found.counts, found.variance, used)
        off = np.zeros(used.size)
        for window in WINDOWS:
            first = max(len(self._total) - window, 0)
            here = self._all[-1] - self._all[first] + found.counts
            of_all = self._total[-1] - self._total[first] + whole
            before, of_before = self._used[first], self._beside[first]
            known = used & (of_before > 0) & (of_all > 0)
            if not known.any():
                continue
            off = np.maximum(off, _changed(here, of_all, before, of_before, known, found.factor))
        return off

    def _shares(self) -> FloatArray:
        """(k,) share of all counts that each element had where it was used."""
        of_all = self._beside[-1]
        return np.divide(self._used[-1], of_all, out=np.zeros_like(of_all), where=of_all > 0)

    def _whole(self, counts: FloatArray, variance: FloatArray, used: Mask) -> tuple[float, float]:
        """Counts of all elements together and their variance, from those that are used."""
        total, spread = float(counts[used].sum()), float(variance[used].sum())
        if used.all() or not self.points:
            return total, spread
        missing = float(self._shares()[~used].sum())
        # the share is known as well as the counts that it was found from
        doubt = missing / max(float(self._used[-1][~used].sum()), 1.0)
        factor = 1.0 / (1.0 - missing)
        return total * factor, (spread + total**2 * factor**2 * missing * doubt) * factor**2

    # -- what was recorded --------------------------------------------------------------------

    def remember(self, data: Reading) -> None:
        """Take in a recorded event: later ones are compared with it."""
        found = Elements.of(data)
        if not self.points:
            self.numbers, none = found.numbers, np.zeros(len(found.numbers))
            self._all, self._used, self._beside, self._total = [none], [none], [none], [0.0]
        used = self._sound(found)
        whole, _ = self._whole(found.counts, found.variance, used)
        self._tell(found, used, float(data["mono_energy"]))
        self._all.append(self._all[-1] + found.counts)
        self._used.append(self._used[-1] + np.where(used, found.counts, 0.0))
        self._beside.append(self._beside[-1] + np.where(used, whole, 0.0))
        self._total.append(self._total[-1] + whole)
        self.points += 1

    def _tell(self, found: Elements, used: Mask, energy_ev: float) -> None:
        judged = used & (found.icr * found.seconds >= JUDGED_FROM)
        if judged.any():
            least, most = float(found.dead[judged].min()), float(found.dead[judged].max())
            self.dead_time = min(self.dead_time[0], least), max(self.dead_time[1], most)
            if most > DOUBTED and "dead time" not in self.remarks:
                worst = found.numbers[int(np.where(judged, found.dead, 0.0).argmax())]
                self.remarks["dead time"] = (
                    f"element {worst} is dead for {100 * most:.0f} % of the time at "
                    f"{energy_ev:.2f} eV; its counts are corrected by {1 / (1 - most):.2f}"
                )
        for at in np.flatnonzero(~used):
            number = found.numbers[at]
            self.left_out[number] = self.left_out.get(number, 0) + 1
            self.remarks.setdefault(f"element {number}", self._why(found, int(at), energy_ev))
        expected = self._total[-1] / len(self.numbers)
        for at in np.flatnonzero(self._all[-1] == 0.0) if expected > SILENT else ():
            number = found.numbers[at]
            words = f"element {number} of the fluorescence detector shows no counts at all"
            self.remarks.setdefault(f"element {number}", words)

    def _why(self, found: Elements, at: int, energy_ev: float) -> str:
        number = found.numbers[at]
        begin = f"element {number} of the fluorescence detector is left out from"
        if found.dead[at] > self.limit:
            return (
                f"{begin} {energy_ev:.2f} eV on: dead for {100 * found.dead[at]:.0f} % of the time"
            )
        share = self._shares()[at]
        others = float(found.counts.sum() - found.counts[at])
        now = found.counts[at] / max(others, 1.0) * (1.0 - share) / max(share, 1e-12)
        return f"{begin} {energy_ev:.2f} eV on: it counts {100 * now:.0f} % of what the others say"

    def facts(self) -> Mapping[str, object]:
        """Elements, points at which one was left out, and the range of the dead time, as JSON."""
        known = self.dead_time[0] <= self.dead_time[1]
        return {
            "elements": list(self.numbers),
            "left_out": {str(n): points for n, points in sorted(self.left_out.items())},
            "dead_time": list(self.dead_time) if known else None,
        }


def _changed(
    here: FloatArray,
    of_all: float,
    before: FloatArray,
    of_before: FloatArray,
    known: Mask,
    factor: FloatArray,
) -> FloatArray:
    """(k,) |log| of a share now over before, where it changed for sure and by enough; else 0.

    The two shares are compared as two Poisson rates are, with their common one.
    """
    then = np.divide(before, of_before, out=np.zeros_like(before), where=known)
    common = (here + before) / (of_all + np.where(known, of_before, 1.0))
    spread = factor * common * (1.0 / of_all + 1.0 / np.where(known, of_before, 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        sigmas = np.abs(here / of_all - then) / np.sqrt(spread)
        ratio = np.abs(np.log((here / of_all) / then))
    sure = known & (sigmas > SURE) & (ratio > math.log(CHANGED))
    return np.where(sure, ratio, 0.0)


def observer(job: Job) -> FluorescenceObserver:
    """The observer of a job, with the limits that its settings say."""
    return FluorescenceObserver(**job.settings.get("detector", {}))
