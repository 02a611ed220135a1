"""Detection limits of mixtures: if a phase is there at all, and how much of it could hide."""

from __future__ import annotations

import math
from dataclasses import dataclass

from materialsdock.techniques.xrd.model import Fit, PhaseFit

DETECTED_ESDS = 3.0
WEAK_ESDS, WEAK_PERCENT = 10.0, 1.0
ONE_SIDED = 2.0  # esds above the estimate that the truth exceeds in 2 % of cases


@dataclass(frozen=True)
class Trace:
    """One phase of a mixture [wt%]: detected or not, and the share below which it may be there.

    limit : None where the engine gave no esd; sentence : what to say of a phase not detected
    """

    name: str
    detected: bool
    limit: float | None
    sentence: str = ""


def limit(share: float, esd: float) -> float:
    """The share that the truth does not exceed [unit of `share`], from an estimate and its esd.

    Three esds where nothing was found (Currie 1968, Anal. Chem. 40, 586, allows 3.3 for 5 % of
    false alarms and of misses); more where the estimate is positive though not significant.
    """
    return max(DETECTED_ESDS * esd, share + ONE_SIDED * esd)


def traces(fit: Fit) -> tuple[Trace, ...]:
    """Say what of each phase of a mixture was detected, in the order of `fit.phases`.

    The esd is that of the refined scale, which at a scale of zero is the esd of an absent phase
    (its other parameters change nothing there).  A phase alone is always detected.
    """
    if len(fit.phases) < 2:
        return tuple(Trace(phase.name, True, None) for phase in fit.phases)
    return tuple(_trace(phase) for phase in fit.phases)


def weak(fit: Fit) -> tuple[str, ...]:
    """Phases too weak to refine their atoms, which would drown their scale in its own esd.

    Displacements of a trace run to zero or to infinity, and its fraction goes with them; held at
    ordinary values they cost it at most a tenth of itself.
    """
    if len(fit.phases) < 2:
        return ()
    return tuple(phase.name for phase in fit.phases if _weak(phase))


def _weak(phase: PhaseFit) -> bool:
    share, esd = phase.weight_fraction, phase.weight_fraction_esd
    known = esd is not None and math.isfinite(esd) and esd > 0
    return share < WEAK_PERCENT or not known or share < WEAK_ESDS * (esd or 0.0)


def _trace(phase: PhaseFit) -> Trace:
    share, esd = phase.weight_fraction, phase.weight_fraction_esd
    if esd is None or not math.isfinite(esd) or esd <= 0:
        said = f"{phase.name}: {share:.2f} wt% without an esd, so its presence is not known"
        return Trace(phase.name, False, None, said)
    most = limit(share, esd)
    if share >= DETECTED_ESDS * esd:
        return Trace(phase.name, True, DETECTED_ESDS * esd)
    return Trace(phase.name, False, most, f"{phase.name}: not detected, < {most:.2g} wt%")
