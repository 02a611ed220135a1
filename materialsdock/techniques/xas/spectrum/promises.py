"""The promises of a measurement: its certificate, and how it compares with a replayed scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.reading import again
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.certificate import Certificate, certify
from materialsdock.learning.stopping.quantities import cell_widths
from materialsdock.model import Job
from materialsdock.protocols import LearningCampaign
from materialsdock.techniques.xas.spectrum import wanted_quantities
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.sampling import NEAR_EV
from materialsdock.techniques.xas.spectrum.settings import SpectrumSettings

CERTIFIED = ("e0", "edge_step", "white_line_height")
SAME_SETTINGS = (
    "bounds are against a full scan analysed with the same settings; what other settings of the "
    "normalisation would change stands in [ ]"
)


def promised(
    campaign: LearningCampaign, learner: SpectrumLearner, chosen: SpectrumSettings
) -> Certificate:
    """Certify the edge and the quantities that the user wanted."""
    options = campaign.job.settings["learner"]
    names = dict.fromkeys([*CERTIFIED, *options.get("quantities", ())])
    energy = learner.axis.grid
    quantities = wanted_quantities.quantities(names, energy, options.get("standards"), chosen)
    near = _near_edge(learner, options.get("edge_ev"), chosen)
    seed = campaign.job.seed
    return certify(learner.present, campaign.evidence, quantities, seed=seed, within=near)


def _near_edge(
    learner: SpectrumLearner, tabulated_ev: float | None, chosen: SpectrumSettings
) -> tuple[float, float] | None:
    """E0 − 20 to E0 + 40 eV, about the measured edge, or else the tabulated one; None for neither.

    None as well where nothing of it is on the axis.
    """
    energy = learner.axis.grid
    try:
        e0 = locate(energy, learner.posterior(energy)[0], chosen).edge_ev
    except InputError:
        if tabulated_ev is None:
            return None
        e0 = tabulated_ev
    low, high = (e0 + end for end in NEAR_EV)
    return (low, high) if energy[-1] > low and energy[0] < high else None


def against_replay(job: Job, learner: SpectrumLearner, made: Certificate) -> dict[str, float]:
    """Measure how far the curve lies from the file that was replayed; {} where none was.

    On the axis as far as the file goes, weighted by the energies that each position stands for,
    as the certificate's bound is; and the largest error in the range of its local bound.
    """
    replayed = job.settings.get("replay")
    if not replayed or not Path(replayed).is_file():
        return {}
    truth = again(Path(replayed), job.settings, "xas")
    grid = learner.axis.grid
    inside = (grid >= truth.x[0]) & (grid <= truth.x[-1])
    off = np.abs(learner.posterior(grid)[0] - np.interp(grid, truth.x, truth.y))
    width = np.where(inside, cell_widths(grid), 0.0)
    if not width.any():
        return {}
    found = {"rmse_vs_replay": float(np.sqrt(width @ off**2 / width.sum()))}
    if made.local is not None:
        near = inside & (grid >= made.local.low) & (grid <= made.local.high)
        found["largest_error_vs_replay"] = float(off[near].max(initial=0.0))
    return found


def compared(replayed: Mapping[str, float], made: Certificate) -> list[str]:
    """Say if the errors against the replayed scan are within their bounds; [] without a scan."""
    bounds = {"rmse_vs_replay": ("root-mean-square error", made.rmse_bound)}
    if made.local is not None:
        bounds["largest_error_vs_replay"] = ("largest error near the edge", made.local.bound)
    parts = [
        f"{words} {error:.2g}, {'within' if error <= bound else 'beyond'} its bound"
        for name, (words, bound) in bounds.items()
        if (error := replayed.get(name)) is not None
    ]
    return [f"against the replayed scan: {'; '.join(parts)}"] if parts else []
