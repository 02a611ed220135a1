"""The simulated beamline as one Channel Access server on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from caproto.asyncio import server as ca_server
from caproto.server import PVGroup, SubGroup, pvproperty

from sim_devices import counting, multi_element
from sim_devices.detectors import MultiElement
from sim_devices.records import SHORTEST_SLEEP_S, Faults, ShutterRecords, motor
from sim_devices.safety import DeadManRecords, Owner, PutLog, circuit_that_logs
from sim_devices.scenes.xrd import diffracted
from sim_devices.world import Replay, World

NOMINAL_MA = 100.0
NO_COUNTS = {1: np.nan, 2: -1.0, 3: np.inf}  # what fault detector_nan shows


class Ring(PVGroup):
    """The storage ring; writable here, so that beam can be dumped."""

    current = pvproperty(value=NOMINAL_MA, name="current", units="mA", precision=3)

    @current.startup
    async def current(self, instance: Any, async_lib: Any) -> None:
        """Dump and refill for ever, as fault beam_flicker says how often."""
        flickering = False
        while True:
            hz = float(self.parent.faults.beam_flicker.value)
            if hz > 0 or flickering:
                flickering = hz > 0 and bool(instance.value)
                await instance.write(0.0 if flickering else NOMINAL_MA, verify_value=False)
            await asyncio.sleep(0.5 / hz if hz > 0 else 0.1)


class Beamline(PVGroup):
    """Motors, counters, shutter, ring and faults, over one World."""

    tth = SubGroup(motor("deg", -5.0, 165.0, 5.0, 0.1), prefix="tth")
    bragg = SubGroup(motor("deg", 3.0, 85.0, 1.0, 0.05, at=16.0), prefix="bragg")
    sample = SubGroup(motor("", 0.0, 99.0, 1.0, 0.5), prefix="sample")
    scaler = SubGroup(counting.Scaler, prefix="scaler1")
    segment = SubGroup(counting.SegmentScannerRecords, prefix="seg:")
    fluorescence = SubGroup(multi_element.MultiElementRecords, prefix="fluo:")
    shutter = SubGroup(ShutterRecords, prefix="shutter:")
    ring = SubGroup(Ring, prefix="ring:")
    faults = SubGroup(Faults, prefix="faults:")
    dead_man = SubGroup(DeadManRecords, prefix="deadman:")
    owner = SubGroup(Owner, prefix="owner:")
    speed = pvproperty(value=1.0, name="speed", precision=3)
    heartbeat = pvproperty(value=0, name="heartbeat", read_only=True)
    resampled = pvproperty(value=0.0, name="resampled", units="s", read_only=True)
    traverse_deg_s = 5.0
    monitor_rate_hz = 1e5

    def __init__(
        self, world: World, speed: float, log: PutLog | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.world = world
        self.put_log = log or PutLog(None)  # `log` is the logger of a PVGroup
        self.speed._data["value"] = speed

    def note(self, kind: str, value: Any) -> None:
        """Log what the IOC did by itself or refused to do."""
        self.put_log.add(kind=kind, value=value)

    def heard(self, name: str, value: Any) -> None:
        """A put of a client, in the order in which they arrive."""
        record, _, field = name.partition(".")
        for moved in (self.tth, self.bragg, self.sample):
            if record == moved.axis.pvname:
                moved.heard(field, value)

    async def make_safe(self) -> None:
        """Close the shutter and end all counting."""
        self.scaler.abort.set()
        self.segment.stopped.set()
        self.fluorescence.stopped.set()
        await self.shutter.shut()

    async def hang(self, fault: str, abort: asyncio.Event) -> None:
        """Do nothing while this fault is on, unless aborted."""
        while self.fault(fault) and not abort.is_set():
            await asyncio.sleep(0.01)

    @heartbeat.scan(period=1.0)
    async def heartbeat(self, instance: Any, async_lib: Any) -> None:
        await instance.write((instance.value + 1) % 2**31, verify_value=False)

    def fault(self, name: str) -> bool:
        """Return True if this fault is switched on."""
        return bool(getattr(self.faults, name).value)

    def wall_s(self, seconds: float) -> float:
        """Wall clock that `seconds` of the instrument take."""
        return seconds / float(self.speed.value)

    async def pass_time(self, seconds: float) -> None:
        """Let instrument time pass."""
        if (wall := self.wall_s(seconds)) > SHORTEST_SLEEP_S:
            await asyncio.sleep(wall)

    async def expose(self, seconds: float, abort: asyncio.Event) -> float:
        """Count for `seconds` unless aborted; the seconds really counted."""
        wall = self.wall_s(seconds)
        if wall <= SHORTEST_SLEEP_S:
            return seconds
        began = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(abort.wait(), wall)
        except TimeoutError:
            return seconds
        return seconds * min(1.0, (asyncio.get_running_loop().time() - began) / wall)

    @property
    def intensity(self) -> float:
        """Photons relative to an open shutter at nominal ring current."""
        if self.fault("beam_dump") or not self.shutter.status.value:
            return 0.0
        drift = float(self.faults.i0_drift.value) or 1.0
        return drift * max(0.0, float(self.ring.current.value)) / NOMINAL_MA

    @property
    def position(self) -> int:
        """The number of the sample in the beam."""
        return round(self.sample.readback)

    def detector(self, angles: np.ndarray, seconds: float) -> np.ndarray:
        """(n,) counts of the point detector at `angles` (n,), as the detector reports them."""
        counts = diffracted(self.sample_seen(), angles, seconds, self.intensity)
        return self.reported(counts.astype(float))

    def sample_seen(self) -> Replay | None:
        """The sample in the beam; None for an empty holder."""
        return None if self.fault("sample_missing") else self._sample()

    def _sample(self) -> Replay | None:
        self.world.damage_rate = float(self.faults.sample_damage.value)
        return self.world.sample(self.position)

    def monitor(self, seconds: Any) -> Any:
        """Counts of the beam monitor of the diffractometer in `seconds`, number or (n,)."""
        return seconds * self.monitor_rate_hz * self.intensity

    def channels(self, seconds: float) -> dict[int, float]:
        """Return what scaler channels 2, 3, 4 and those after them show after `seconds`."""
        sample = self._sample()  # even of an empty holder: it says what the channels are
        nothing = self.monitor(seconds), 0.0, 0.0
        counts = nothing if sample is None else sample.channels(self, seconds)
        values = self.reported(np.array(counts, dtype=float))
        return dict(enumerate(values.tolist(), start=2))

    def elements(self, detector: MultiElement, seconds: float) -> Sequence[np.ndarray]:
        """Counts, photons in and pulses out [1/s] of each element of the fluorescence detector."""
        sample = self._sample()
        if not hasattr(sample, "elements") or seconds <= 0 or self.intensity <= 0:
            return [np.zeros(len(detector.shares))] * 3
        roi, *rates = sample.elements(self, seconds, detector)
        return self.reported(roi), *rates

    def reported(self, counts: np.ndarray) -> np.ndarray:
        """(n,) counts as a detector shows them, with the faults that are on."""
        # a write from synchronous code: posted with the next scan of the record
        self.resampled._data["value"] = self.world.resampled_s
        return self._distort(counts)

    def _distort(self, counts: np.ndarray) -> np.ndarray:
        if impossible := NO_COUNTS.get(int(self.faults.detector_nan.value)):
            return np.full(counts.shape, impossible)
        if self.fault("detector_dead"):
            return np.zeros(counts.shape)
        if constant := float(self.faults.detector_constant.value):
            return np.full(counts.shape, constant)
        return np.minimum(counts, counting.SATURATED) if self.fault("saturation") else counts


async def _bound_without_delay(address: str, port: int) -> socket.socket:
    """A listening socket whose answers leave at once: Nagle costs 40 ms a move otherwise."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    sock.bind((address, port))
    return sock


async def serve(beamline: Beamline, ready: Callable[[int], None]) -> None:
    """Serve until cancelled; `ready` is called with the port once the server listens."""
    ca_server._create_bound_tcp_socket = _bound_without_delay
    context = ca_server.Context(beamline.pvdb, ["127.0.0.1"])
    context.CircuitClass = circuit_that_logs(beamline.put_log, beamline.heard)

    async def listening(async_lib: Any) -> None:
        while not context.udp_socks:
            await asyncio.sleep(0.005)
        ready(context.ca_server_port)

    await context.run(startup_hook=listening)
