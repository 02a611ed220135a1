"""A hardware 2θ segment scan as a Bluesky flyer: one event per step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from ophyd import Component, Device, EpicsSignal, EpicsSignalRO
from ophyd.status import DeviceStatus, Status, StatusBase

from devices.channel_access import WRITE_S
from materialsdock.errors import DeviceFault, NoLight, Saturated
from materialsdock.model import Proposal

MARGIN_S = 5.0
TRAVERSE_DEG_S = 1.0  # pessimistic: only for the time limit


class SegmentScanner(Device):
    """Continuous 2θ scan with a multichannel scaler: `prepare`, `kickoff`, `complete`, `collect`.

    A kickoff replayed after a pause aborts what still runs and starts the segment anew; nothing
    is collected but the segment that was completed last, and that only once.  None with a step at
    `saturation_counts` or above is: Saturated.
    """

    start = Component(EpicsSignal, "Start", kind="omitted")
    step = Component(EpicsSignal, "Step", kind="omitted")
    points = Component(EpicsSignal, "Points", kind="omitted")
    dwell = Component(EpicsSignal, "Dwell", kind="omitted")
    acquire = Component(EpicsSignal, "Acquire", kind="omitted")
    abort = Component(EpicsSignal, "Abort", kind="omitted")
    busy = Component(EpicsSignalRO, "Busy", kind="omitted", auto_monitor=True)
    two_theta = Component(EpicsSignalRO, "TwoTheta", kind="omitted", auto_monitor=False)
    counts = Component(EpicsSignalRO, "Counts", kind="omitted", auto_monitor=False)
    time = Component(EpicsSignalRO, "Time", kind="omitted", auto_monitor=False)
    monitor = Component(EpicsSignalRO, "Monitor", kind="omitted", auto_monitor=False)
    stream = "primary"
    units = {"two_theta": "deg", "counts": "", "count_time_s": "s", "monitor": ""}  # noqa: RUF012

    def __init__(self, *args: Any, saturation_counts: float = math.inf, **kwargs: Any) -> None:
        self.saturation_counts = saturation_counts
        self._segment: Proposal | None = None
        self._scan: DeviceStatus | None = None
        self._before = 0.0  # the IOC's own time of the scan before
        super().__init__(*args, **kwargs)

    def prepare(self, segment: Proposal) -> StatusBase:
        """Set start, step, points and seconds per step; ends a scan that is still running."""
        self._segment = segment
        x = segment.x
        writing = _written(self.start, x[0])
        writing &= _written(self.step, x[1] - x[0] if segment.points > 1 else 0.0)
        writing &= _written(self.points, segment.points)
        writing &= _written(self.dwell, segment.count_time_s)
        return writing & _written(self.abort, 1) if self.busy.get() else writing

    def kickoff(self) -> DeviceStatus:
        """Start the prepared segment."""
        if self._segment is None:
            raise DeviceFault("kickoff without prepare", where=self.name)
        counting = self._segment.points * self._segment.count_time_s
        scan = DeviceStatus(self, timeout=2 * counting + 180.0 / TRAVERSE_DEG_S + MARGIN_S)
        self._scan, self._before = scan, self._stamp()
        self.acquire.put(1, wait=False, callback=lambda **_: scan.done or scan.set_finished())
        return _finished(DeviceStatus(self))

    def _stamp(self) -> float:
        self.counts.get()
        return float(self.counts.timestamp)

    def complete(self) -> DeviceStatus:
        """Done when the hardware has scanned the whole segment."""
        if self._scan is None:
            raise DeviceFault("complete without kickoff", where=self.name)
        return self._scan

    def describe_collect(self) -> dict[str, dict[str, Any]]:
        """One stream of scalars: two_theta [deg], counts, count_time_s [s], monitor."""
        source = f"PV:{self.prefix}"
        return {
            self.stream: {
                key: {"source": source, "dtype": "number", "shape": [], "units": unit}
                for key, unit in self.units.items()
            }
        }

    def collect(self) -> Iterator[dict[str, Any]]:
        """One partial event per step of the completed segment.

        Raises DeviceFault when the hardware scanned anything else than it was asked to, or nothing
        since the scan before, or shows counts that cannot be.
        """
        if self._segment is None:
            raise DeviceFault("nothing to collect", where=self.name)
        asked, self._segment = self._segment.x, None
        n = asked.size
        if self._stamp() == self._before:
            raise DeviceFault("shows the scan before this one", where=self.name)
        arrays = {
            "two_theta": self._read(self.two_theta, n),
            "counts": self._read(self.counts, n),
            "count_time_s": self._read(self.time, n),
            "monitor": self._read(self.monitor, n),
        }
        self._verify(asked, arrays)
        now = time.time()
        for row in zip(*arrays.values(), strict=True):
            data = dict(zip(arrays, map(float, row), strict=True))
            yield {"time": now, "data": data, "timestamps": dict.fromkeys(data, now)}

    def _read(self, signal: EpicsSignalRO, n: int) -> np.ndarray:
        return np.atleast_1d(np.asarray(signal.get(), dtype=float))[:n]

    def _verify(self, asked: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
        if any(values.size != asked.size for values in arrays.values()):
            raise DeviceFault(
                f"{asked.size} steps asked, {arrays['counts'].size} scanned", where=self.name
            )
        off = np.abs(arrays["two_theta"] - asked)
        if off.size and off.max() > 1e-3:
            raise DeviceFault(f"scanned {off.max():g}° beside the segment asked", where=self.name)
        counts = arrays["counts"]
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise DeviceFault("impossible counts", where=self.name, remedy="check detector")
        if not (arrays["monitor"] > 0).all():
            raise NoLight("no light on the monitor", where=self.name, remedy="check the beam")
        if full := np.count_nonzero(counts >= self.saturation_counts):
            words = (
                f"{full} of {counts.size} steps at the limit of {self.saturation_counts:g} counts"
            )
            raise Saturated(words, where=self.name, remedy="attenuate the beam")

    def stop(self, *, success: bool = False) -> None:
        """End a scan in progress."""
        self.abort.put(1, wait=False)
        super().stop(success=success)


def _written(signal: EpicsSignal, value: float) -> StatusBase:
    """Write without stalling who waits for it."""
    written = Status(signal, timeout=WRITE_S)
    signal.put(value, wait=False, callback=lambda **_: written.done or written.set_finished())
    return written


def _finished(status: DeviceStatus) -> DeviceStatus:
    status.set_finished()
    return status
