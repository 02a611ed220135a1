"""Campaigns in memory that are steered while they measure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.steering import Steering
from materialsdock.model import Job, Observation, Sample

ANNA = "anna@beamline"
XAS = Job(
    "xas",
    Sample("s", "xas"),
    {
        "axis": {
            "name": "energy",
            "unit": "eV",
            "resolution": 2.0,
            "start": 7080.0,
            "step": 0.5,
            "points": 161,
        },
        "learner": {"count_time_s": 1.0, "velocity": 50.0},
        "stop": {"maximum_points": 60},
    },
    3,
)
XRD = Job(
    "xrd",
    Sample("s", "xrd"),
    {
        "axis": {
            "name": "two_theta",
            "unit": "deg",
            "resolution": 0.1,
            "start": 20.0,
            "step": 0.02,
            "points": 400,
        },
        "learner": {"full_time_s": 10.0, "fwhm_deg": 0.1, "segment_points": 32},
        "stop": {"per_observation": True},
    },
    3,
)
JOBS = {"xas": XAS, "xrd": XRD}


def stopping(job, **keys):
    return replace(job, settings={**job.settings, "stop": {**job.settings["stop"], **keys}})


def truth(job, x):
    if job.sample.technique == "xas":
        return 0.7 + np.arctan((x - 7112.0) / 1.5) / np.pi
    return 20.0 + 900.0 * np.exp(-0.5 * ((x - 24.0) / 0.05) ** 2)


def observed(job, step, proposal):
    """Equal for equal step and proposal."""
    rng = np.random.default_rng([9, step])
    t, found = proposal.count_time_s, []
    for i, x in enumerate(proposal.x):
        y, sigma = float(truth(job, x)), 0.005
        if job.sample.technique == "xas":
            y += sigma * rng.standard_normal()
        else:
            y = float(rng.poisson(y * t)) / t
        found.append(Observation(f"r/{step}-{i:03d}", step, float(x), y, sigma, t, "r"))
    return found


def record(campaign, proposal):
    """Do what a plan does between `ask` and `judge`."""
    found = observed(campaign.job, len(campaign.decisions), proposal)
    campaign._ledger.add_documents(campaign.job.job_id, [], found)
    campaign._waiting.extend(found)


def take_step(campaign):
    proposal = campaign.ask()
    if proposal is None:
        return None
    campaign.look_ahead()
    record(campaign, proposal)
    return campaign.judge(proposal)


def run(campaign, steps=10**4):
    while steps and take_step(campaign) is not None:
        steps -= 1
    return campaign


def begun(job, ledger, steps=0):
    ledger.add_job(job)
    return run(Campaign(job, ledger), steps) if steps else Campaign(job, ledger)


def veto(low, high, **more):
    return Steering("veto", ANNA, interval=(low, high), **more)


def force(x):
    return Steering("force", ANNA, x=x)


def positions(decisions):
    return np.concatenate([d.proposal.x for d in decisions]) if decisions else np.empty(0)


def timeless(decisions):
    return [replace(d, seconds_deciding=0.0) for d in decisions]
