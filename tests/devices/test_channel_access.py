"""Repairs of pyepics: refused reads, jumps of the clock, devices that share a PV."""

import epics
import pytest
from epics import ca, dbr

from devices.channel_access import forgetting_refused, telling_latecomers

DISCONNECTED = 192  # ECA_DISCONN


@pytest.fixture
def channel(beamline):
    found = epics.PV("SIM:bragg.DMOV", auto_monitor=False)
    assert found.wait_for_connection(timeout=5)
    assert found.get() == 1
    yield found
    found.disconnect()


def refuse_once(monkeypatch):
    """The circuit is lost just when a read is asked for."""
    asked = ca.libca.ca_array_get_callback

    def refused(*_):
        monkeypatch.setattr(ca.libca, "ca_array_get_callback", asked)
        return DISCONNECTED

    monkeypatch.setattr(ca.libca, "ca_array_get_callback", refused)


def test_a_channel_can_be_read_again_after_a_read_that_was_refused(channel, monkeypatch):
    refuse_once(monkeypatch)
    with pytest.raises(ca.CASeverityException):
        channel.get(use_monitor=False, timeout=1.0)
    assert channel.get(use_monitor=False, timeout=1.0) == 1


def test_an_answer_that_is_owed_is_still_waited_for(channel):
    reading = forgetting_refused(ca.get_with_metadata)
    kind = dbr.DOUBLE
    assert reading(channel.chid, kind, wait=False) is None
    assert reading(channel.chid, kind, timeout=1.0)["value"] == 1


@pytest.fixture
def connecting(channel):
    """A PV that libca has connected and whose listeners pyepics has called, but not noted."""
    channel.connected = False
    yield lambda pvname, **listeners: channel
    channel.connected = True


def test_who_asks_for_a_pv_while_it_connects_is_told(connecting):
    told = []
    pv = telling_latecomers(connecting)(
        "SIM:bragg.DMOV",
        connection_callback=lambda **now: told.append(now["conn"]),
        access_callback=lambda read, write, pv: told.append((read, pv.pvname)),
    )
    assert told == [(True, "SIM:bragg.DMOV"), True]
    assert telling_latecomers(connecting)("SIM:bragg.DMOV") is pv


def test_who_asks_for_a_pv_that_is_not_there_is_told_nothing(beamline):
    told = []
    pv = telling_latecomers(epics.get_pv)("SIM:nothing", connection_callback=told.append)
    assert not pv.connected
    assert told == []
