"""Helpers of tests of exposures under conditions: acts on the beamline, checks of the outcome."""

from __future__ import annotations

import threading
import time

from support.beamline_jobs import XAS
from support.made_site import edge_mu

POINTS = 12
STOP = {**XAS["stop"], "maximum_points": POINTS}
QUICK = {"hold_proof_s": 0.3, "hysteresis_s": 1.0, "beam": ("ring", 50.0, 90.0)}


def put(name, value):
    import epics

    epics.caput(f"SIM:{name}", value, wait=True, timeout=5)


def later(seconds, action):
    threading.Timer(seconds, action).start()


def kinds(rig):
    return [kind for _, kind, _ in rig.told if kind != "late"]


def assert_sound(rig, campaign, points=POINTS):
    """Each point once, as the twin has it, and the shutter closed."""
    told = rig.ledger.observations("job")
    assert len(told) == len({o.uid for o in told}) == len(campaign.decisions) == points
    for o in told:
        assert abs(o.y - edge_mu(o.x)) < 6 * o.sigma + 1e-3
    assert rig.instrument.shutter.position == "closed"


def dump():
    put("ring:current", 3.0)
    later(0.7, lambda: put("ring:current", 100.0))


def until(condition, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
