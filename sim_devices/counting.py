"""Counting hardware of the simulated IOC: a scaler record and a hardware segment scanner."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from caproto.server import PVGroup, pvproperty

CLOCK_HZ = 1e7
CHANNELS = range(1, 33)
SEGMENT_MAX = 512
SATURATED = 2**20


class _Scaler(PVGroup):
    """A scaler record: the clock, the two ion chambers, the point detector, the electrometer."""

    count = pvproperty(value=0, name=".CNT")
    mode = pvproperty(value=0, name=".CONT", dtype=int)
    delay = pvproperty(value=0.0, name=".DLY")
    auto_delay = pvproperty(value=0.0, name=".DLY1")
    time = pvproperty(value=0.0, name=".T", read_only=True)
    frequency = pvproperty(value=CLOCK_HZ, name=".FREQ")
    preset = pvproperty(value=1.0, name=".TP")
    auto_preset = pvproperty(value=1.0, name=".TP1")
    rate = pvproperty(value=10.0, name=".RATE")
    auto_rate = pvproperty(value=10.0, name=".RAT1")
    units = pvproperty(value="counts", name=".EGU", dtype=str)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.abort = asyncio.Event()
        self.counting = asyncio.Lock()

    @count.putter
    async def count(self, instance: Any, value: int) -> int:
        if not value:
            self.abort.set()
            return 0
        self.abort.set()  # a second start ends the first count
        async with self.counting:
            self.abort.clear()
            await self.parent.hang("detector_hang", self.abort)
            seconds = await self.parent.expose(float(self.preset.value), self.abort)
            await self._show(seconds)
        return 0

    async def _show(self, seconds: float) -> None:
        counts = {1: seconds * CLOCK_HZ, **self.parent.channels(seconds)}
        for channel, value in counts.items():
            await getattr(self, f"s{channel}").write(float(value), verify_value=False)
        await self.time.write(seconds, verify_value=False)


def _scaler_class() -> type[PVGroup]:
    body: dict[str, Any] = {"__doc__": _Scaler.__doc__}
    for i in CHANNELS:
        body[f"s{i}"] = pvproperty(value=0.0, name=f".S{i}", read_only=True)
        body[f"nm{i}"] = pvproperty(value="", name=f".NM{i}", dtype=str)
        body[f"pr{i}"] = pvproperty(value=0, name=f".PR{i}")
        body[f"g{i}"] = pvproperty(value=0, name=f".G{i}")
    return type("Scaler", (_Scaler,), body)


Scaler = _scaler_class()


class SegmentScannerRecords(PVGroup):
    """A continuous 2θ scan with a multichannel scaler: start, step, points, dwell, acquire."""

    start = pvproperty(value=0.0, name="Start")
    step = pvproperty(value=0.02, name="Step", precision=6)
    points = pvproperty(value=1, name="Points")
    dwell = pvproperty(value=1.0, name="Dwell", precision=6)
    acquire = pvproperty(value=0, name="Acquire")
    busy = pvproperty(value=0, name="Busy", read_only=True)
    abort = pvproperty(value=0, name="Abort")
    two_theta = pvproperty(value=[0.0], name="TwoTheta", max_length=SEGMENT_MAX, read_only=True)
    counts = pvproperty(value=[0.0], name="Counts", max_length=SEGMENT_MAX, read_only=True)
    time = pvproperty(value=[0.0], name="Time", max_length=SEGMENT_MAX, read_only=True)
    monitor = pvproperty(value=[0.0], name="Monitor", max_length=SEGMENT_MAX, read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopped = asyncio.Event()
        self.scanning = asyncio.Lock()

    @abort.putter
    async def abort(self, instance: Any, value: int) -> int:
        if value:
            self.stopped.set()
        return 0

    @acquire.putter
    async def acquire(self, instance: Any, value: int) -> int:
        if not value:
            return 0
        self.stopped.set()
        async with self.scanning:
            self.stopped.clear()
            await self.busy.write(1, verify_value=False)
            await self._scan()
            await self.busy.write(0, verify_value=False)
        return 0

    async def _scan(self) -> None:
        n = int(np.clip(self.points.value, 1, SEGMENT_MAX))
        angles = float(self.start.value) + float(self.step.value) * np.arange(n)
        dwell = float(self.dwell.value)
        for fault in ("segment_hang", "detector_hang"):
            await self.parent.hang(fault, self.stopped)
        travel = abs(angles[0] - self.parent.tth.readback) / self.parent.traverse_deg_s
        await self.parent.expose(travel + n * dwell, self.stopped)
        if self.stopped.is_set():
            return
        await self.parent.tth.arrive(float(angles[-1]))
        counts = self.parent.detector(angles, dwell)
        seconds = np.full(n, dwell)
        for prop, values in (
            (self.two_theta, angles),
            (self.counts, counts),
            (self.time, seconds),
            (self.monitor, self.parent.monitor(seconds)),
        ):
            await prop.write(np.asarray(values, dtype=float), verify_value=False)
