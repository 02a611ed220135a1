"""All devices of a profile connect within one time, and who did not is named."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from materialsdock.errors import Unreachable
from materialsdock.profile import instrument

LIMIT_S = 0.3


class Silent:
    """A device that never answers, and does not give up before its time."""

    def __init__(self, prefix, name):
        self.name = name

    def wait_for_connection(self, timeout):
        time.sleep(timeout)
        raise TimeoutError


class Slow(Silent):
    """A device that answers after two thirds of the time that all have."""

    def wait_for_connection(self, timeout):
        if timeout < LIMIT_S * 2 / 3:
            super().wait_for_connection(timeout)
        time.sleep(LIMIT_S * 2 / 3)


def dark(monkeypatch, *kinds):
    """A profile whose devices d0, d1... are of these kinds."""
    monkeypatch.setattr(instrument, "prepare_channel_access", lambda profile: None)
    monkeypatch.setattr(instrument, "resolved", {"Silent": Silent, "Slow": Slow}.__getitem__)
    return SimpleNamespace(
        name="dark",
        devices={
            f"d{n}": SimpleNamespace(cls=kind.__name__, prefix="X:", options={})
            for n, kind in enumerate(kinds)
        },
        epics=SimpleNamespace(connection_timeout_s=LIMIT_S),
    )


def test_devices_of_a_slow_server_have_time_from_the_last_answer_on(monkeypatch):
    assert set(instrument.build_instrument(dark(monkeypatch, Slow, Slow, Slow)).devices) == {
        "d0",
        "d1",
        "d2",
    }
    with pytest.raises(Unreachable, match="no answer from d2 in"):
        instrument.build_instrument(dark(monkeypatch, Slow, Slow, Silent))


def test_silent_devices_share_one_time(monkeypatch):
    profile = dark(monkeypatch, *5 * [Silent])
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer from d0, d1, d2, d3, d4 in 0\.\d s"):
        instrument.build_instrument(profile)
    assert time.monotonic() - began < 5 * LIMIT_S
