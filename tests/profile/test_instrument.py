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


def test_silent_devices_share_one_time(monkeypatch):
    monkeypatch.setattr(instrument, "prepare_channel_access", lambda profile: None)
    monkeypatch.setattr(instrument, "resolved", lambda name: Silent)
    device = SimpleNamespace(cls="any", prefix="X:", options={})
    profile = SimpleNamespace(
        name="dark",
        devices={f"d{n}": device for n in range(5)},
        epics=SimpleNamespace(connection_timeout_s=LIMIT_S),
    )
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"no answer from d0, d1, d2, d3, d4 in 0\.\d s"):
        instrument.build_instrument(profile)
    assert time.monotonic() - began < 5 * LIMIT_S
