"""F06, F30, F37: faults that need no night: limits, clocks, refinements without a number."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from support.faults.garbage import Garbage
from support.faults.rig import edge_mu, record, until, within
from support.places import ROOT
from support.readings import readings, transmitted
from support.structures import simulated

from materialsdock.errors import ModelFault
from materialsdock.ledger.facts import fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue
from materialsdock.night.sentinels.proofs import still_weak
from materialsdock.night.system.clock_and_disk import ClockWatch
from materialsdock.night.system.heartbeats import alive
from materialsdock.night.system.process import holder
from materialsdock.profile.sections import Motion, NightSettings
from materialsdock.soundness import judges
from materialsdock.techniques.xas.revisits import Revisits
from materialsdock.techniques.xrd.model import Diffractometer, PhaseFit
from materialsdock.techniques.xrd.rietveld import limits
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import FLUORITE

REQUESTS = 1_000_000 if os.environ.get("MATERIALSDOCK_SLOW") == "1" else 20_000

# F06


@pytest.mark.parametrize("kind", ["two_theta", "bragg", "changer"])
def test_nothing_beyond_the_limits_is_sent(beamline, kind, monkeypatch):
    from ophyd.utils import LimitError

    from devices.mono import BraggMotor
    from devices.stage import SampleChanger, TwoTheta

    made = {
        "two_theta": (TwoTheta, "SIM:tth"),
        "bragg": (BraggMotor, "SIM:bragg"),
        "changer": (SampleChanger, "SIM:sample"),
    }
    device, prefix = made[kind]
    motor = device(prefix, name=kind)
    motor.wait_for_connection(timeout=10)
    low, high = motor.limits
    assert low < high
    rng, sent = np.random.default_rng(6), []
    span = high - low
    wanted = rng.uniform(low - span, high + span, REQUESTS)
    wanted[:6] = np.nan, np.inf, -np.inf, 1e300, np.nextafter(high, np.inf), high + 1e-9
    for value in wanted.tolist():
        try:
            motor.check_value(value)
        except (LimitError, ValueError):
            continue
        sent.append(value)
    assert low <= min(sent)
    assert max(sent) <= high
    inside = ((wanted >= low) & (wanted <= high)).sum()
    assert len(sent) == inside, "and what is within them is not refused"
    with pytest.raises((LimitError, ValueError)):
        motor.move(high + 1.0, wait=False)
    record(f"F06 limits of {kind}", requests=str(REQUESTS), beyond_s=0.0)


@pytest.mark.core
@pytest.mark.parametrize(
    ("motor", "low", "high"), [("tth", -5.0, 165.0), ("bragg", 3.0, 85.0), ("sample", 0.0, 99.0)]
)
def test_the_ioc_refuses_what_a_client_without_manners_sends(beamline, motor, low, high):
    import epics

    def now(field):
        return epics.caget(f"SIM:{motor}.{field}", use_monitor=False)

    at, target = now("RBV"), now("VAL")
    for beyond in (low - 0.5, high + 0.5, 1e300):
        epics.caput(f"SIM:{motor}.VAL", beyond, wait=True, timeout=2)
    time.sleep(0.2)  # it would be on its way by now
    assert (now("RBV"), now("VAL"), now("DMOV")) == (at, target, 1)
    for possible in (target + 1.0, target):
        epics.caput(f"SIM:{motor}.VAL", possible, wait=True, timeout=10)
        assert now("VAL") == possible


# F10, F16

ENERGY = np.linspace(7060.0, 7200.0, 71)
MU = edge_mu(ENERGY, white=0.0)
MOTION = Motion(velocity=50.0, settle_s=0.1)


def counted(energy, mu):
    i0 = np.full(np.size(energy), 1e5)
    return transmitted(energy, i0 * np.exp(-np.atleast_1d(mu)), i0)


def visited(revisits, recorded, mu_of):
    """Make the next visit, where the absorption is that of `mu_of`, and judge it."""
    at = revisits.due(recorded, 1e6).start
    return at, revisits.seen(counted(at, mu_of(at)), recorded)


def true_mu(at):
    return float(np.interp(at, ENERGY, MU))


def test_what_looks_like_damage_is_believed_after_a_look_at_the_edge():
    revisits, recorded = Revisits(MOTION, 0.05, 1.0, 16, 1.5), counted(ENERGY, MU)
    edge, said = visited(revisits, recorded, true_mu)
    assert said is None
    top, said = visited(revisits, recorded, lambda at: 0.5 * true_mu(at))
    assert (top != edge, said) == (True, None)
    again, said = visited(revisits, recorded, true_mu)
    assert (again, said.kind) == (edge, "damage")


def test_a_dead_detector_is_no_damage():
    revisits, recorded = Revisits(MOTION, 0.05, 1.0, 16, 1.5), counted(ENERGY, MU)
    visited(revisits, recorded, true_mu)
    for _ in range(3):  # then three equal counts have shown what it is
        assert visited(revisits, recorded, lambda at: 0.0)[1] is None


def test_a_beam_that_is_back_is_proven_though_it_went_soon_after_another_hold():
    rates = np.r_[np.full(3, 1e5), np.full(3, 3e4)]
    recorded = readings(ENERGY[:6], rates, rates)
    alarm = judges.intensity_drift(recorded.monitor_hz, recorded.seconds)
    for rate, found in ((1e5, None), (3e4, "intensity")):
        new = readings(ENERGY[:1], *(np.array([rate]),) * 2)
        said = still_weak(alarm, recorded, new, 0.2)
        assert (said and said.kind) == found


# F30

LABELS = {
    # where the wall clock is read, and what for: to say when something was, never how long
    "materialsdock/ledger/ledger.py",
    "materialsdock/night/control/audit.py",
    "materialsdock/night/control/intents.py",
    "materialsdock/night/status/digest.py",
    "materialsdock/night/status/notices.py",
    "materialsdock/night/queue/queue.py",
    "materialsdock/night/status/state.py",  # how long ago a daemon began, in words
    "materialsdock/night/status/snapshot.py",
    "materialsdock/night/people.py",
    "materialsdock/night/status/terminal.py",
    "materialsdock/night/system/clock_and_disk.py",  # compares it with the monotonic one
    "devices/channel_access.py",  # in place of the one that pyepics measures time limits with
    "devices/segment.py",
    "plans/stubs.py",
}
DRIVING = (
    "materialsdock/night",
    "plans",
    "devices",
    "materialsdock/ledger/ledger.py",
    "materialsdock/ledger/database.py",
    "materialsdock/campaign/campaign.py",
    "materialsdock/campaign/run.py",
    "materialsdock/profile/simulation.py",
)
CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "localtime"),
}


def reads_the_wall_clock(path):
    return any(
        (node.value.id, node.attr) in CLOCKS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    )


def test_the_wall_clock_is_a_label_only():
    paths = [
        p
        for name in DRIVING
        for p in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]
    found = {str(path.relative_to(ROOT)) for path in paths if reads_the_wall_clock(path)}
    assert "materialsdock/night/queue/queue.py" in found
    assert found <= LABELS, "use time.monotonic() for durations; add here what is a label"


@pytest.mark.parametrize("jump_s", [8, -8, 3600, -3600, 86400, -86400])
def test_a_jump_of_the_wall_clock_is_told_once_and_ends_nothing(tmp_path, jump_s):
    now = {"wall": 1.8e9, "steady": 100.0}
    night = NightSettings(maximum_hours=10.0, disk_free_gb=1.0)
    watch = ClockWatch(
        tmp_path, night, wall=lambda: now["wall"], steady=lambda: now["steady"], free=lambda: 50.0
    )
    told = []
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        queue.submit(ledger, [(f"S{n}", 0, {}) for n in range(40)])
        for second in range(30):
            now["steady"] += 1.0
            now["wall"] += 1.0 + (jump_s if second == 10 else 0.0)
            told += watch.look()
            assert watch.next_sample(ledger) is not None
        ((kind, severity, body),) = told
        assert (kind, severity) == ("clock_jump", "warn")
        assert body["seconds"] == pytest.approx(jump_s)
        now["steady"] += 36_000.0
        assert watch.next_sample(ledger) is None
        assert "10 h are over" in str(fact(ledger, "hold"))


def jumping(monkeypatch, jump_s):
    """From now on the wall clock jumps whenever it is looked at."""
    real, looks = time.time, []
    monkeypatch.setattr(time, "time", lambda: looks.append(1) or real() + jump_s * len(looks))


def test_a_read_under_way_when_the_wall_clock_jumps_gives_its_value(beamline, monkeypatch):
    from devices.mono import BraggMotor

    motor = BraggMotor("SIM:bragg", name="bragg")
    motor.wait_for_connection(timeout=10)
    jumping(monkeypatch, 86400.0)
    for _ in range(20):
        assert np.isfinite(motor.user_readback.get(use_monitor=False))


def test_a_write_that_is_never_done_ends_though_the_wall_clock_jumps(faults, monkeypatch):
    from ophyd import EpicsSignal

    count = EpicsSignal("SIM:scaler1.CNT", name="count")
    count.wait_for_connection(timeout=10)
    faults("detector_hang", 1)
    jumping(monkeypatch, -86400.0)
    began = time.monotonic()
    count._write_pv.put(1, wait=True, timeout=0.5)
    assert 0.4 < time.monotonic() - began < within(1.0)


# F37

BACKGROUNDS = ("chebyshev", "envelope", "envelope+chebyshev")


@pytest.fixture(scope="module")
def pattern():
    return simulated(((FLUORITE, 1.0),))


def searched(pattern, engine, trials=6):
    return search(pattern, (FLUORITE,), Diffractometer(), engine=engine, trials=trials)


def test_a_refinement_without_a_number_is_a_failed_trial_and_the_others_count(pattern):
    found = searched(pattern, Garbage(BACKGROUNDS[1:]))
    failed = [t for t in found.trials if t.state == "fail"]
    assert 0 < len(failed) < 6
    assert {t.reason for t in failed} == {"Rwp is not finite"}
    assert np.isfinite(found.fit.rwp)
    with pytest.raises(ModelFault, match="all 3 trials failed; 3 of them: Rwp is not finite"):
        searched(pattern, Garbage(BACKGROUNDS), trials=3)


def test_a_final_refinement_without_a_number_is_not_the_answer(pattern):
    found = searched(pattern, Garbage(final=True))
    assert np.isfinite(found.fit.rwp)
    assert "not refined to the end: Rwp is not finite" in found.fit.warnings


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((120.0, -20.0), "b is -20 wt% of the sample"),
        ((60.0, 30.0), "the phases are 90 wt% together"),
        ((np.nan, 50.0), "a is nan wt% of the sample"),
        ((60.0, 40.05), None),
    ],
)
def test_fractions_that_cannot_be_are_no_acceptable_answer(shares, words):
    phases = [PhaseFit(name, "P 1", {}, share) for name, share in zip("ab", shares, strict=True)]
    found = limits.violations(np.linspace(20.0, 60.0, 50), (), phases, {"a": {}, "b": {}})
    assert words in found if words else found == ()


# the rig itself

PARENT = """
import os, subprocess, sys, time
name = "materialsdock.night.processes.supervisor"
command = [sys.executable, "-m", name, "--parent", str(os.getpid())]
command += ["--profile", "sim", "--no-beamline", "--data", sys.argv[1], "--site", sys.argv[2]]
print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends it there only")
def test_a_supervisor_ends_with_its_parent_and_takes_the_guard_along(tmp_path):
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            pids = [int(parent.stdout.readline())]
            kept = tmp_path / "run" / "guard.lock"  # taken before it looks for its instrument
            until(lambda: holder(kept), within(10), "a guard")
            pids.append(holder(kept))
        finally:
            parent.kill()
        until(lambda: not any(map(alive, pids)), within(2), "nobody left")
