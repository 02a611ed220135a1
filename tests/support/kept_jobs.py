"""Jobs that were measured, analysed and kept, of both techniques."""

from __future__ import annotations

import numpy as np
from support.places import ROOT
from support.refining import Here
from support.structures import simulated

from materialsdock.campaign import analysis, option_words, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.model import Measured, Outcome, Sample
from materialsdock.profile import config
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xrd.analysis import Found
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import LAB6

PROFILE = config.load("sim", ROOT)
ENERGY = np.linspace(6950.0, 7400.0, 901)
I0 = 40_000.0


def silent(*_):
    """Watch an analysis, and say nothing."""


def page(run, first, rows):
    """The event page of readings (k,), counted from event number `first`."""
    numbers = list(range(first, first + len(rows)))
    return "event_page", {
        "uid": [f"e{run}{number}" for number in numbers],
        "descriptor": f"d{run}",
        "seq_num": numbers,
        "data": {key: [row[key] for row in rows] for key in rows[0]},
        "time": [0.0] * len(rows),
    }


def measured(ledger, job, read):
    """The campaign of `job`, run to its stop without a beamline; `read` gives an event's data."""
    ledger.add_job(job)
    campaign = Campaign(job, ledger)
    campaign.receive("start", {"uid": f"r-{job.job_id}", "time": 1.79e9})
    run = job.job_id
    descriptor = {"uid": f"d{run}", "name": "primary", "run_start": f"r-{run}"}
    campaign.receive("descriptor", descriptor)
    proposal, first = campaign.ask(), 1
    while proposal is not None:
        rows = [read(x, proposal.count_time_s) for x in proposal.x.tolist()]
        campaign.receive(*page(run, first, rows))
        first += len(rows)
        proposal = campaign.judge(proposal).next
    campaign.receive("stop", {"uid": f"s{run}", "run_start": f"r-{run}"})
    return campaign


def kept(ledger, outcome):
    keep_outcome(ledger, outcome)
    return outcome


def absorption(ledger, profile=PROFILE):
    rng = np.random.default_rng(0)

    def read(energy, seconds):
        it = I0 * seconds * np.exp(-simulate_xanes(np.array([energy]))[0])
        return {
            "mono_energy": energy,
            "i0": float(rng.poisson(I0 * seconds)),
            "it": float(rng.poisson(it)),
            "count_time_s": seconds,
        }

    spectrum = Measured(technique="xas", x=ENERGY, y=simulate_xanes(ENERGY))
    sample = Sample("Fe₂O₃, 試料 1", "xas", 3, metadata={"owner": "A. Person", "comment": "x"})
    stop = option_words.stop_options(["maximum_points=60"])
    job = prepare.job_for(spectrum, sample, profile, stop=stop, seed=1)
    return kept(ledger, analysis.analyse(measured(ledger, job, read), silent, silent))


def diffraction(ledger):
    rng = np.random.default_rng(1)
    truth = simulated(((LAB6, 1.0),))
    keep = (truth.two_theta > 20) & (truth.two_theta < 50)
    x, rate = truth.two_theta[keep], truth.intensity[keep]

    def read(at, seconds):
        counts = rng.poisson(np.interp(at, x, rate) * seconds)
        return {"two_theta": at, "counts": float(counts), "count_time_s": seconds}

    scan = Measured(technique="xrd", x=x, y=rate, count_time_s=2.0)
    sample = Sample("LaB6", "xrd", 1, (LAB6,))
    stop = option_words.stop_options(["maximum_seconds=500"])
    job = prepare.job_for(scan, sample, PROFILE, stop=stop, seed=2)
    campaign = measured(ledger, job, read)
    pattern = campaign.learner.pattern()
    found = search(pattern, (LAB6,), Diffractometer(), trials=1, hold_out=False, executor=Here())
    mean, sd = campaign.learner.posterior(pattern.two_theta)
    curve = Pattern(pattern.two_theta, mean, sd, pattern.count_time_s)
    summary = analysis.summarise(campaign)
    refined = Found(found.fit, found.trials, found.solutions, found.assessment)
    decisions = tuple(campaign.decisions)
    return kept(ledger, Outcome(job, decisions, summary, pattern, refined, curve))
