"""Counting on a scaler record: chambers and an electrometer for absorption, a point detector."""

from __future__ import annotations

import math
from typing import Any

from ophyd import Component, Device, EpicsScaler, EpicsSignal, EpicsSignalRO
from ophyd.status import DeviceStatus

from materialsdock.errors import DeviceFault, Saturated

MARGIN_S = 5.0


class Scaler(EpicsScaler):
    """The whole scaler record, for who wants all 32 channels."""


class CheckedScaler(Device):
    """Counts for `count_time` [s] and refuses readings that no counter can have shown.

    Subclasses name their channels; the status of a trigger fails with DeviceFault when one of
    them is not finite or negative, or all are those of the count before, so that such a reading
    is never saved; with Saturated when one of the `limited` channels is at `saturation_counts`.
    """

    count = Component(EpicsSignal, ".CNT", trigger_value=1, kind="omitted")
    count_time = Component(EpicsSignal, ".TP", kind="config")
    elapsed = Component(EpicsSignalRO, ".T", kind="normal", auto_monitor=False)
    checked: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()

    def __init__(self, *args: Any, saturation_counts: float = math.inf, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.saturation_counts = saturation_counts
        self.elapsed.name = "count_time_s"
        for channel in self.checked:
            getattr(self, channel).name = channel

    def trigger(self) -> DeviceStatus:
        """Count once; done when the scaler says so and its channels make sense."""
        limit = 2 * float(self.count_time.get()) + MARGIN_S
        status = DeviceStatus(self, timeout=limit)
        before = self._stamp()

        def finished(counting: Any) -> None:
            # reading from the callback's thread would wait for itself
            if counting.success:
                self._verify(status, before)
            else:
                fail(status, counting.exception())

        super().trigger().add_callback(finished)
        return status

    def _stamp(self) -> float:
        """The IOC's own time of the last count: all channels belong to one record."""
        self.elapsed.get()
        return float(self.elapsed.timestamp)

    def _verify(self, status: DeviceStatus, before: float) -> None:
        if self._stamp() == before:
            words = "says that it has counted, and shows the count before"
            fail(status, DeviceFault(words, where=self.name, remedy="check the scaler"))
            return
        values = {channel: float(getattr(self, channel).get()) for channel in self.checked}
        bad = {key: value for key, value in values.items() if not 0 <= value < math.inf}
        full = [key for key in self.limited if values[key] >= self.saturation_counts]
        if bad:
            fail(
                status,
                DeviceFault(f"impossible counts {bad}", where=self.name, remedy="check detector"),
            )
        elif full:
            words = f"{', '.join(full)} at the limit of {self.saturation_counts:g} counts"
            fail(status, Saturated(words, where=self.name, remedy="attenuate the beam"))
        elif not status.done:
            status.set_finished()

    def stop(self, *, success: bool = False) -> None:
        """End a count in progress."""
        self.count.put(0, wait=False)
        super().stop(success=success)


def fail(status: DeviceStatus, error: BaseException) -> None:
    """Fail a status that has not ended yet with `error`."""
    if not status.done:
        status.set_exception(error)


class IonChambers(CheckedScaler):
    """The chambers before and behind the sample: counts `i0` and `it`, and `count_time_s`."""

    i0 = Component(EpicsSignalRO, ".S2", kind="hinted", auto_monitor=False)
    it = Component(EpicsSignalRO, ".S3", kind="hinted", auto_monitor=False)
    checked = limited = ("i0", "it")


class IncidentBeam(CheckedScaler):
    """The chamber before the sample alone: counts `i0`, and `count_time_s`."""

    i0 = Component(EpicsSignalRO, ".S2", kind="hinted", auto_monitor=False)
    checked = limited = ("i0",)


class Electrometer(CheckedScaler):
    """The drain current of the sample, behind a voltage-to-frequency converter, and the beam.

    Counts `iey` of the electron yield and `i0` of the chamber before the sample, `count_time_s`.
    """

    i0 = Component(EpicsSignalRO, ".S2", kind="hinted", auto_monitor=False)
    iey = Component(EpicsSignalRO, ".S5", kind="hinted", auto_monitor=False)
    checked = limited = ("i0", "iey")


class PointDetector(CheckedScaler):
    """A point detector on the 2θ arm: `counts`, `monitor` and `count_time_s`."""

    counts = Component(EpicsSignalRO, ".S4", kind="hinted", auto_monitor=False)
    monitor = Component(EpicsSignalRO, ".S2", kind="normal", auto_monitor=False)
    checked = ("counts", "monitor")
    limited = ("counts",)
