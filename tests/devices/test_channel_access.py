"""Repairs of pyepics: reads that libca refuses, and time limits when the clock jumps."""

import epics
import pytest
from epics import ca, dbr

from devices.channel_access import forgetting_refused

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
