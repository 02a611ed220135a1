"""An absorption spectrum into its edge, and beyond it: χ(k), its transform, fractions of standards.

What lies beyond the edge comes second: what cannot be had is named with its reason and costs
nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.learning.stopping.certificate import Certificate
from materialsdock.model import FloatArray, Job, Outcome
from materialsdock.protocols import LearningCampaign, RunWatch
from materialsdock.rendering.numbers import with_esd
from materialsdock.techniques.xas.exafs.oscillations import measured_oscillations
from materialsdock.techniques.xas.mixture.choice import explain
from materialsdock.techniques.xas.mixture.combination import XasCurve
from materialsdock.techniques.xas.model import AbsorptionFit, Combination, EdgeFit, Oscillations
from materialsdock.techniques.xas.signals import self_absorption
from materialsdock.techniques.xas.signals.fluorescence import FluorescenceObserver
from materialsdock.techniques.xas.spectrum import promises, suspicions, wanted_quantities
from materialsdock.techniques.xas.spectrum.edge_fit import fit_edge, widened
from materialsdock.techniques.xas.spectrum.edge_table import Edge, named
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings

POSTERIOR_SAMPLES = 200
BOUND_SIGMAS = 1.96  # a bound of 95 % in standard deviations
ESTABLISHED = 3.0  # standard deviations of an edge step
Measurement = Spectrum
Part = TypeVar("Part", Oscillations, Combination)


@dataclass(frozen=True, eq=False)
class Found:
    """The answer of absorption: the edge, and what lies beyond it."""

    edge: EdgeFit | None = None
    absorption: AbsorptionFit | None = None


def check(job: Job) -> None:
    """Refuse nothing: every absorption measurement can be analysed, as far as it went."""


def analyse(
    campaign: LearningCampaign, summary: dict[str, Any], watch: RunWatch, past: Sequence[Any] = ()
) -> Outcome:
    """Find the edge of what the campaign measured, certify it, and go beyond it.

    summary : the measurement in numbers, which certificate and plan are added to
    """
    learner = campaign.learner
    if not isinstance(learner, SpectrumLearner):
        raise TypeError(f"no analysis for {type(learner).__name__}")
    watch.stage("finding the edge")
    job, energy = campaign.job, learner.axis.grid
    mean, sd = learner.posterior(energy)
    samples = learner.sample(energy, POSTERIOR_SAMPLES, job.seed)
    standards = job.settings["learner"].get("standards")
    chosen = SpectrumSettings.of(job.settings.get("spectrum", {}))
    promised = promises.promised(campaign, learner, chosen)
    edge, missing = _edge(job, energy, mean, samples, promised, chosen)
    doubt = "" if edge is None else _not_established(edge)
    replayed = promises.against_replay(job, learner, promised)
    sentences = [
        *promised.sentences("eV", wanted_quantities.CALLED),
        promises.SAME_SETTINGS,
        *promises.compared(replayed, promised),
        *missing,
    ]
    summary["certificate"] = {**promised.as_dict(), "sentences": sentences}
    summary["plan"] = plan(learner)
    summary |= replayed
    summary |= _of_signal(campaign)
    watch.stage("analysing the oscillations and the mixture")
    curve, measured = Spectrum(energy, mean, sd), learner.spectrum()
    if edge is not None and doubt:
        edge = replace(edge, warnings=(doubt, *edge.warnings))
        beyond = AbsorptionFit(missing=(f"no χ(k) and no fractions: {doubt}",))
    else:
        beyond = beyond_edge(curve, samples, measured, edge, standards, chosen)
    found = Found(edge, beyond)
    return Outcome(job, tuple(campaign.decisions), summary, measured, found, curve)


def remembered(outcome: Outcome) -> dict[str, Any]:
    """Keep nothing: an edge is found the same way however many were found before."""
    return {}


def recalled(kept: Sequence[Mapping[str, Any]]) -> tuple[()]:
    """Return nothing, as nothing is kept."""
    return ()


def _of_signal(campaign: LearningCampaign) -> dict[str, Any]:
    """The signal, where it was not transmission, and what to know of its counts."""
    job, observer = campaign.job, campaign.observer
    if (name := job.settings.get("signal")) is None:
        return {}
    facts = observer.facts() if isinstance(observer, FluorescenceObserver) else {}
    remarks = [*observer.remarks.values(), *filter(None, [self_absorption.remark(job)])]
    return {"signal": {"name": name, **facts, "remarks": remarks}}


def _edge(
    job: Job,
    energy: FloatArray,
    mean: FloatArray,
    samples: FloatArray,
    promised: Certificate,
    chosen: SpectrumSettings,
) -> tuple[EdgeFit | None, list[str]]:
    """The edge of the posterior mean (m,), or none and why: the measurement counts anyway.

    Its statistical sd are widened as the certificate's bounds are; after a stop unlike those
    that the bounds were tested on, to what they come to.
    """
    name = str(job.settings.get("edge", "unnamed"))
    try:
        edge = None if name == "unnamed" else named(name)
        mono_ev = job.settings.get("mono_resolution_ev")
        found = fit_edge(energy, mean, samples, edge=edge, chosen=chosen, resolution_ev=mono_ev)
    except InputError as fault:
        return None, [f"no edge was found: {fault}"]
    found = replace(found, warnings=(*found.warnings, *_suspicions(found, edge)))
    if promised.missing is None:
        return widened(found, promised.widened, {}), []
    return _of_early_stop(found, promised), []


def _suspicions(found: EdgeFit, edge: Edge | None) -> list[str]:
    """List doubts of the whole curve; single points were judged while they were counted."""
    of_scale = [] if edge is None else suspicions.of_scale(edge, found.e0_ev)
    return suspicions.other_edges(found.energy_ev, found.flat, found.e0_ev) + of_scale


def _of_early_stop(edge: EdgeFit, promised: Certificate) -> EdgeFit:
    """The edge with sd as wide as its untested bounds ask for: the posterior's own are too sure
    of themselves where points lie far apart.
    """
    bounds = {said.name: said.bound / BOUND_SIGMAS for said in promised.statements}
    sure = "standard deviations are widened for the gaps, and not calibrated"
    if math.isinf(bounds["e0"]):
        sure = "the uncertainty of E0 cannot be given"
    early = f"stopped early ({promised.missing}): {sure}"
    found = widened(edge, promised.widened, bounds)
    return replace(found, warnings=(*found.warnings, early))


def _not_established(edge: EdgeFit) -> str:
    """Say why there may be no edge at all; "" where its step is clear of its uncertainty."""
    if edge.edge_step >= ESTABLISHED * edge.edge_step_sd:
        return ""
    return (
        f"the edge step, {with_esd(edge.edge_step, edge.edge_step_sd)}, is less than "
        f"{ESTABLISHED:g} standard deviations: no edge is established"
    )


def plan(learner: SpectrumLearner) -> str:
    """Say whether the learner's sweeps or the expert's grid came after the first sweep, and why."""
    said = [] if learner.choice is None else [learner.choice.sentence()]
    library = learner.knowledge.library
    said += [] if library is None else [library.reason]
    return "; ".join(said) or "adaptive sweeps"


def beyond_edge(
    curve: Spectrum,
    samples: FloatArray,
    measured: Spectrum,
    edge: EdgeFit | None,
    standards: Mapping[str, Any] | None,
    chosen: SpectrumSettings = NOTHING_CHOSEN,
) -> AbsorptionFit:
    """Analyse `curve`, the posterior mean on the axis (m,) with samples (s, m), beyond `edge`.

    measured : the points (n,) themselves, which fractions are fitted to
    standards : as standards.of_mixture gives them, or None where there are none
    chosen : settings of normalisation, background and mixture
    """
    if edge is None:
        return AbsorptionFit(missing=("no χ(k) and no fractions: no edge was found",))
    missing: list[str] = []
    waves = _tried(
        "χ(k)",
        lambda: measured_oscillations(curve.energy_ev, curve.mu, edge, samples, chosen),
        missing,
    )
    if standards is None:
        return AbsorptionFit(waves, None, tuple(missing))
    mixed = _tried("fractions", lambda: _fractions(measured, edge, standards, chosen), missing)
    return AbsorptionFit(waves, mixed, tuple(missing))


def _tried(what: str, make: Callable[[], Part], missing: list[str]) -> Part | None:
    try:
        return make()
    except (MaterialsDockError, ValueError, ArithmeticError) as fault:
        words = str(fault).removeprefix(f"{what}: ") or type(fault).__name__
        missing.append(f"no {what}: {words}")
        return None


def _fractions(
    measured: Spectrum, edge: EdgeFit, standards: Mapping[str, Any], chosen: SpectrumSettings
) -> Combination:
    if "measured" not in standards:
        raise InputError(
            "only normalised standards are kept with this job",
            remedy="`materialsdock xas SPECTRUM --standards FILE` fits the files themselves",
        )
    curves = [
        XasCurve(name, np.asarray(each["energy_ev"], float), np.asarray(each["mu"], float))
        for name, each in standards["measured"].items()
    ]
    sample = XasCurve("sample", measured.energy_ev, measured.mu, measured.sigma)
    return explain(sample, curves, e0_ev=edge.origin_ev, chosen=chosen)
