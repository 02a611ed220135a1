"""Runs that are fed to a catalog: documents written by hand, and those of a RunEngine."""

from __future__ import annotations

import time
from pathlib import Path

import httpx


def documents(uid, *, pages=False, stop=True):
    """An event-model run of two points in `primary`, as events or as one page; plain JSON."""
    key = {"source": "here", "dtype": "number", "shape": []}
    descriptor = {
        "uid": f"d{uid[1:]}",
        "run_start": uid,
        "time": 2.0,
        "name": "primary",
        "data_keys": {"y": key},
        "configuration": {},
        "hints": {},
        "object_keys": {"d": ["y"]},
    }
    yield "start", {"uid": uid, "time": time.time(), "scan_id": 1, "sample": "made"}
    yield "descriptor", descriptor
    common = {"descriptor": descriptor["uid"]}
    if pages:
        page = {"uid": ["a", "b"], "seq_num": [1, 2], "time": [3.0, 4.0], "filled": {}}
        values = {"data": {"y": [0.1, 0.2]}, "timestamps": {"y": [3.0, 4.0]}}
        yield "event_page", page | values | common
    else:
        for n in (1, 2):
            event = {"uid": f"e{n}", "seq_num": n, "time": 2.0 + n, "filled": {}}
            values = {"data": {"y": 0.1 * n}, "timestamps": {"y": 2.0 + n}}
            yield "event", event | values | common
    if stop:
        end = {"uid": f"e{uid[1:]}", "run_start": uid, "time": 5.0, "exit_status": "success"}
        yield "stop", end | {"num_events": {"primary": 2}}


def uid_of(n):
    return f"00000000-0000-4000-8000-{n:012d}"


def measure(RE, ledger, sample="quartz", points=5):
    """A run with two streams whose documents go to the ledger, as a campaign's do."""
    import bluesky.plan_stubs as bps
    import bluesky.preprocessors as bpp
    from ophyd.sim import det, motor

    def plan():
        for i in range(points):
            yield from bps.mv(motor, i)
            yield from bps.trigger_and_read([det, motor])
            yield from bps.create("decision")
            yield from bps.read(motor)
            yield from bps.save()

    token = RE.subscribe(lambda name, doc: ledger.add_documents("job", [(name, doc)]))
    (uid,) = RE(bpp.run_wrapper(plan(), md={"sample": sample}))
    RE.unsubscribe(token)
    return uid


def wait_for_server(uri: str, log: Path) -> None:
    """Return as soon as the server at `uri` answers."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{uri}/", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(log.read_text())
