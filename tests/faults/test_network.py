"""F03: the network between the night and its IOC is slow, cut, or reset."""

from __future__ import annotations

import sys
import time

import pytest
from support.faults.checker import FEW, breaks
from support.faults.proxy import HERE, proxy
from support.faults.rig import Rig, calm, profile, record, within

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")


@pytest.fixture(scope="module")
def going(tmp_path_factory):
    """A night whose processes reach the IOC by way of the proxy only; tests reach it directly."""
    detour = {"EPICS_CA_ADDR_LIST": HERE, "EPICS_CA_AUTO_ADDR_LIST": "NO", "EPICS_CA_CONN_TMO": "4"}
    words = ", ".join(f'{name} = "{value}"' for name, value in detour.items())
    changes = {**profile(10.0), "environment": f"{{ {words} }}"}
    made = Rig(tmp_path_factory.mktemp("network"), changes=changes, clients=detour)
    port = int(made.environment["EPICS_CA_SERVER_PORT"])
    try:
        made.start_ioc()
        with proxy(port) as network:
            made.network = network
            made.start_up()
            yield made
            made.end()
    finally:
        made.end()


@pytest.fixture
def night(going):
    going.network.heal()
    going.network.delay_s = going.network.bytes_s = 0.0
    calm(going)
    going.seen()
    return going


@pytest.mark.core
def test_partition(night):
    seq, began = night.last_note(), time.monotonic()
    night.network.cut()
    safe = night.safe_after(began, 5)  # the dead-man: nobody else can reach the shutter
    seen = night.told_after(seq, began, "'kind': 'hold'", within(10))
    time.sleep(max(0.0, began + 8.0 - time.monotonic()))
    healed = time.monotonic()
    night.network.heal()
    again = night.again_after(healed, 5)
    record("F03 partition", detect_s=seen, safe_s=safe, again_after_it_is_healed_s=again)


def test_reset(night):
    seq, began = night.last_note(), time.monotonic()
    night.network.reset()
    seen = night.told_after(seq, began, "'kind': 'hold'", within(5))
    again = night.again_after(began, 20)
    assert not [n for n in night.notes(seq) if n.severity == "critical"]
    record("F03 RST", detect_s=seen, again_s=again)


@pytest.mark.parametrize(
    ("delay_s", "bytes_s"),
    [(0.05, 0.0), (0.3, 0.0), (0.0, 1000.0)],
    ids=["50 ms", "0.3 s", "1 kB/s"],
)
def test_slowness_only_slows(night, delay_s, bytes_s):
    sample, seq = night.amid(), night.last_note()
    attempt = night.sample(sample).attempt
    night.network.delay_s, night.network.bytes_s = delay_s, bytes_s
    began = time.monotonic()
    night.measuring(2, within(20))
    took = time.monotonic() - began
    held = len([n for n in night.notes(seq, "condition") if n.body["kind"] == "hold"])
    record(f"F03 {delay_s:g} s each way, {bytes_s:g} B/s", two_points_s=took, holds=str(held))
    assert night.sample(sample).attempt == attempt
    assert not night.notes(seq, "safe_state")


@pytest.mark.core
def test_nothing_is_broken(night):
    night.finish()
    assert breaks(night.ledger, night.history, at_most=FEW) == []
