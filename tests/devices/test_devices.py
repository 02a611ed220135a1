"""Devices over Channel Access: what they read, and that a finished move is a correct move."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ophyd import EpicsMotor, EpicsScaler
from ophyd.utils import LimitError

from materialsdock.errors import DeviceFault, InputError
from materialsdock.model import Proposal
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release

PROFILE = config.load("sim", siteroot.find())


@pytest.fixture(scope="module")
def instrument(beamline):
    found = build_instrument(PROFILE)
    yield found
    release(found)


@pytest.fixture(autouse=True)
def _healthy(faults):
    """Faults are off, and the ring is full, after every test."""


def done(status, limit_s=10.0):
    status.wait(limit_s)
    return status.success


def test_every_device_of_the_profile_connects_and_describes_what_it_reads(instrument):
    for role in PROFILE.devices:
        device = instrument.devices[role]
        assert device.connected
        assert device.name == role
        assert set(device.describe()) == set(device.read())


@pytest.mark.parametrize(
    ("role", "keys"),
    [
        ("ion_chambers", {"i0", "it", "count_time_s"}),
        ("point_detector", {"counts", "monitor", "count_time_s"}),
        ("mono", {"mono_energy"}),
        ("two_theta", {"two_theta"}),
        ("ring", {"ring_current"}),
    ],
)
def test_event_keys_are_the_ones_that_learners_read(instrument, role, keys):
    assert keys <= set(instrument.devices[role].read())


def test_plain_ophyd_motor_and_scaler_connect_to_the_simulation(beamline):
    motor, scaler = EpicsMotor("SIM:tth", name="m"), EpicsScaler("SIM:scaler1", name="s")
    try:
        motor.wait_for_connection(timeout=10)
        scaler.wait_for_connection(timeout=10)
        motor.move(motor.position + 1.0, wait=True, timeout=10)
        scaler.preset_time.put(0.5, wait=True)
        assert done(scaler.trigger())
        assert scaler.read()["s_channels_chan1"]["value"] == pytest.approx(0.5e7)
    finally:
        motor.destroy()
        scaler.destroy()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(energy=st.floats(2300.0, 29000.0))
def test_energy_and_bragg_angle_are_inverse(instrument, energy):
    angle = instrument.mono.forward(energy=energy)
    assert instrument.mono.inverse(angle).energy == pytest.approx(energy, rel=1e-12)


def test_the_monochromator_arrives_at_its_energy(instrument):
    for energy in (7112.0, 7130.5, 7090.0):
        assert done(instrument.mono.set(energy))
        assert instrument.mono.energy.position == pytest.approx(energy, abs=1e-6)


def test_outside_the_limits_nothing_is_sent(instrument):
    before = instrument.two_theta.user_setpoint.get()
    for angle in (-6.0, 166.0, 1e6):
        with pytest.raises(LimitError):
            instrument.two_theta.set(angle)
    assert instrument.two_theta.user_setpoint.get() == before
    with pytest.raises((LimitError, ValueError)):
        instrument.mono.set(100.0)


def fails(status, limit_s=15.0):
    with pytest.raises(Exception):  # noqa: B017, PT011 - ophyd has several words for it
        status.wait(limit_s)
    return not status.success


def test_a_stopped_move_is_not_a_finished_one(instrument, faults):
    faults("motor_stall", 1)
    status = instrument.two_theta.set(instrument.two_theta.position + 5.0)
    time.sleep(0.2)
    instrument.two_theta.motor_stop.put(1, wait=False)
    assert fails(status)


@pytest.mark.parametrize("role", ["two_theta", "mono"])
def test_a_pause_leaves_the_move_after_it_alone(instrument, faults, role, caplog):
    device = instrument.devices[role]
    near, far = {"two_theta": (20.0, 60.0), "mono": (7000.0, 9000.0)}[role]

    def stopped_in_flight(success):
        faults("motor_stall", 1)  # it moves for as long as this test takes to stop it
        status = device.set(far)
        device.stop(success=success)
        faults("motor_stall", 0)
        return status

    done(device.set(near))
    for _ in range(3):
        assert done(stopped_in_flight(success=True), 1.0)
        assert device.fault == ""
        assert done(device.set(far))
        assert done(device.set(near))
    assert "instead of" not in caplog.text
    assert fails(stopped_in_flight(success=False))


def test_a_stall_ends_in_time(instrument, faults):
    faults("motor_stall", 1)
    began = time.monotonic()
    status = instrument.two_theta.set(instrument.two_theta.position + 1.0)
    assert fails(status)
    assert time.monotonic() - began < 12.0
    instrument.two_theta.stop()


def test_the_late_done_of_a_stopped_motion_does_not_end_the_next_one(instrument):
    motor = instrument.two_theta
    for step in (1.5, -1.5, 1.5, -1.5):
        target = motor.position + step
        status = motor.set(target)
        motor._done_moving(success=True)  # what ophyd calls on a stale DMOV
        assert done(status)
        assert abs(motor.user_readback.get(use_monitor=False) - target) < 1e-3


def test_a_move_right_after_a_stop_is_its_own_move(instrument):
    motor = instrument.two_theta
    for _ in range(5):
        stopped = motor.set(motor.position + 3.0)
        motor.stop()
        stopped._callback_thread.join(10)  # ophyd stops a motor once more whose move has failed
        assert done(motor.set(10.0))
        assert done(motor.set(12.0))


def test_a_move_that_a_busy_ioc_takes_up_late_is_not_judged_by_the_one_before(
    instrument, monkeypatch
):
    motor = instrument.two_theta
    done(motor.set(10.0))
    put = motor.user_setpoint.put
    late = lambda value, **how: threading.Timer(0.6, put, (value,), how).start()  # noqa: E731
    monkeypatch.setattr(motor.user_setpoint, "put", late)
    status = motor.set(12.0)
    motor._done_moving(success=True)  # what ophyd calls on a stale DMOV
    assert done(status)
    assert abs(motor.user_readback.get(use_monitor=False) - 12.0) < 1e-3


@pytest.mark.parametrize("role", ["two_theta", "mono"])
def test_a_slip_is_a_failed_move(instrument, faults, role):
    device = instrument.devices[role]
    away = {"two_theta": device.position, "mono": 7150.0}[role]
    done(device.set(away if role == "mono" else away + 0.5))
    faults("motor_slip", 1)
    assert fails(device.set(7100.0 if role == "mono" else away + 3.0))


def test_moves_and_counts_that_have_ended_leave_nothing_behind(instrument):
    device = instrument.devices
    done(device["shutter"].set("open"))

    def kept():
        for energy in (7000.0, 7001.0, 7002.0):
            done(device["mono"].set(energy))
            done(device["two_theta"].set(energy / 300))
            done(device["ion_chambers"].trigger())
        parts = [device["mono"].bragg, *device.values()]
        return sum(len(part._cid_to_event_mapping) for part in parts)

    assert kept() == kept()


def test_impossible_counts_fail_the_trigger(instrument, faults):
    faults("detector_nan", 1)
    status = instrument.ion_chambers.trigger()
    with pytest.raises(DeviceFault, match="impossible counts"):
        status.wait(10)


def test_a_shutter_that_is_stuck_is_noticed(instrument, faults):
    assert done(instrument.shutter.set("open"))
    faults("shutter_stuck", 1)
    assert fails(instrument.shutter.set("closed"))
    faults("shutter_stuck", 0)
    assert done(instrument.shutter.set("closed"))
    assert instrument.shutter.position == "closed"


def test_a_shutter_knows_two_words(instrument):
    with pytest.raises(InputError, match="ajar"):
        instrument.shutter.set("ajar")


SEGMENT = Proposal(30.0, 30.62, 0.5, points=32)


@pytest.fixture
def lit(instrument):
    done(instrument.sample_changer.set(0))
    done(instrument.shutter.set("open"))
    yield
    done(instrument.shutter.set("closed"))


def scan(scanner, segment):
    scanner.prepare(segment).wait(5)
    scanner.kickoff().wait(5)
    scanner.complete().wait(10)
    return [event["data"] for event in scanner.collect()]


@pytest.mark.usefixtures("lit")
def test_a_segment_gives_one_reading_per_step(instrument):
    rows = scan(instrument.segment_scanner, SEGMENT)
    np.testing.assert_allclose([row["two_theta"] for row in rows], SEGMENT.x, atol=1e-6)
    assert {row["count_time_s"] for row in rows} == {0.5}
    assert sum(row["counts"] for row in rows) > 0
    assert set(rows[0]) == set(instrument.segment_scanner.describe_collect()["primary"])


def test_a_segment_in_the_dark_is_refused(instrument):
    done(instrument.shutter.set("closed"))
    with pytest.raises(DeviceFault, match="no light"):
        scan(instrument.segment_scanner, SEGMENT)


@pytest.mark.usefixtures("lit")
def test_nothing_is_collected_twice_or_from_nowhere(instrument):
    scanner = instrument.segment_scanner
    scan(scanner, SEGMENT)
    with pytest.raises(DeviceFault, match="nothing to collect"):
        list(scanner.collect())
    with pytest.raises(DeviceFault, match="without prepare"):
        scanner.kickoff()


@pytest.mark.usefixtures("lit")
def test_a_segment_begun_again_is_measured_once(instrument, faults):
    scanner = instrument.segment_scanner
    faults("segment_hang", 1)
    scanner.prepare(SEGMENT).wait(5)
    scanner.kickoff().wait(5)
    time.sleep(0.1)
    faults("segment_hang", 0)
    other = Proposal(40.0, 40.3, 0.1, points=16)
    rows = scan(scanner, other)
    np.testing.assert_allclose([row["two_theta"] for row in rows], other.x, atol=1e-6)


def test_a_closed_shutter_and_a_dumped_beam_leave_darkness(instrument, faults):
    done(instrument.sample_changer.set(1))
    done(instrument.shutter.set("closed"))
    done(instrument.ion_chambers.trigger())
    assert instrument.ion_chambers.i0.get() == 0
    done(instrument.shutter.set("open"))
    faults("beam_dump", 1)
    done(instrument.ion_chambers.trigger())
    assert instrument.ion_chambers.i0.get() == 0
    faults("beam_dump", 0)
    done(instrument.ion_chambers.trigger())
    assert instrument.ion_chambers.i0.get() > 0
    done(instrument.shutter.set("closed"))


def test_pause_closes_the_shutter_and_resume_opens_it_again(instrument):
    shutter = instrument.shutter
    done(shutter.set("open"))
    shutter.stop()  # what a pausing RunEngine does first
    shutter.pause()
    assert shutter.position == "closed"
    shutter.resume()
    assert shutter.position == "open"
    done(shutter.set("closed"))
    shutter.pause()
    shutter.resume()
    assert shutter.position == "closed"


def test_motion_by_somebody_else_is_not_ours_to_judge(instrument, caplog):
    import epics

    done(instrument.two_theta.set(25.0))
    epics.caput("SIM:tth", 28.0, wait=True, timeout=5)
    deadline = time.monotonic() + 5
    while abs(instrument.two_theta.position - 28.0) > 1e-3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert instrument.two_theta.position == pytest.approx(28.0)
    assert "instead of" not in caplog.text
