"""A multi-element fluorescence detector, counted together with the chamber before the sample."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from ophyd import Component, Device, EpicsSignal, EpicsSignalRO, FormattedComponent, Signal
from ophyd.status import DeviceStatus, StatusBase

from devices.counters import MARGIN_S, IncidentBeam, fail
from materialsdock.errors import DeviceFault, InputError, Saturated

COUNTED = ("roi", "icr", "ocr")  # of each element
FEWEST = 100  # photons in from which a dead time is judged


class BothPresets(Signal):
    """The counting time [s] of the detector and of the scaler, which count together."""

    def set(self, value: float, **kwargs: Any) -> StatusBase:
        """Set both; done when both say so."""
        written = self.parent.preset.set(value) & self.parent.incident.count_time.set(value)
        self.put(value)
        return written


class FluorescenceDetector(Device):
    """Counts of each element in a region of interest, with what its dead time is corrected by.

    Data keys, element n counted from 1: roi<n>, counts in the region; icr<n> and ocr<n>, photons
    in and pulses out [1/s]; roi_sum, all roi<n> together; real_time_s; and `i0`, `count_time_s`
    of the chamber before the sample.  Counts are recorded as they are read, not corrected.

    elements : how many there are; off : the numbers of those that are not read
    scaler : PV of the scaler record that counts the chamber before the sample
    dead_time_limit : most of the time that more than half of the elements may be dead

    A trigger fails with Saturated when an element is at `saturation_counts`, and with DeviceFault
    for counts that cannot be, too much dead time, or an element switched off that is not `off`.
    """

    acquire = Component(EpicsSignal, "Acquire", trigger_value=1, kind="omitted")
    preset = Component(EpicsSignal, "PresetTime", kind="omitted")
    count_time = Component(BothPresets, value=1.0, kind="config")
    real_time = Component(EpicsSignalRO, "RealTime", kind="normal", auto_monitor=False)
    enabled = Component(EpicsSignalRO, "Enabled", kind="omitted", auto_monitor=False)
    roi = Component(EpicsSignalRO, "ROI", kind="omitted", auto_monitor=False)
    icr = Component(EpicsSignalRO, "ICR", kind="omitted", auto_monitor=False)
    ocr = Component(EpicsSignalRO, "OCR", kind="omitted", auto_monitor=False)
    incident = FormattedComponent(IncidentBeam, "{scaler}", kind="normal")

    def __init__(
        self,
        *args: Any,
        elements: int,
        scaler: str,
        off: Sequence[int] = (),
        dead_time_limit: float = 0.5,
        saturation_counts: float = math.inf,
        **kwargs: Any,
    ) -> None:
        self.scaler, self.elements = scaler, elements
        self.on = [n for n in range(1, elements + 1) if n not in off]
        self.dead_time_limit, self.saturation_counts = dead_time_limit, saturation_counts
        if not self.on or not set(off) <= set(range(1, elements + 1)):
            raise InputError(
                f"off = {list(off)} of {elements} elements",
                where=str(kwargs.get("name", "")),
                remedy="name elements from 1 on, and leave one or more",
            )
        super().__init__(*args, **kwargs)
        self.real_time.name = "real_time_s"

    def trigger(self) -> DeviceStatus:
        """Count once; done when detector and scaler say so, and what they show makes sense."""
        status = DeviceStatus(self, timeout=2 * float(self.count_time.get()) + MARGIN_S)
        before = self._stamp()
        counting = [super().trigger(), self.incident.trigger()]
        ended = itertools.count(1)  # counts in one step, whichever threads call

        def finished(one: Any) -> None:
            if not one.success:
                fail(status, one.exception())  # its own: a status of both would not have it
            elif next(ended) == len(counting):
                self._verify(status, before)

        for one in counting:
            one.add_callback(finished)
        return status

    def _stamp(self) -> float:
        self.roi.get()
        return float(self.roi.timestamp)

    def _verify(self, status: DeviceStatus, before: float) -> None:
        try:
            if self._stamp() == before:
                words = "says that it has counted, and shows the count before"
                raise DeviceFault(words, where=self.name, remedy="check the detector")
            self._sound(self._arrays())
        except Exception as error:  # noqa: BLE001 - raised where the status is waited for
            fail(status, error)
        else:
            if not status.done:
                status.set_finished()

    def _arrays(self) -> dict[str, np.ndarray]:
        """The (k,) numbers of the elements that are on; DeviceFault where there are fewer."""
        found = {}
        for key in COUNTED:
            values = np.atleast_1d(np.asarray(getattr(self, key).get(), dtype=float))
            if values.size < self.elements:
                raise DeviceFault(
                    f"{key.upper()} has {values.size} elements, the profile says {self.elements}",
                    where=self.name,
                    remedy="mend `elements` in the options of the device",
                )
            found[key] = values[np.array(self.on) - 1]
        return found

    def _sound(self, shown: dict[str, np.ndarray]) -> None:
        """Raises DeviceFault or Saturated for what must not be saved."""
        for key, values in shown.items():
            if not (np.isfinite(values) & (values >= 0)).all():
                words = f"impossible {key.upper()} {values.tolist()}"
                raise DeviceFault(words, where=self.name, remedy="check the detector")
        enabled = np.atleast_1d(np.asarray(self.enabled.get()))
        if idle := [n for n in self.on if n <= enabled.size and not enabled[n - 1]]:
            words = f"element {', '.join(map(str, idle))} is switched off"
            remedy = f"switch it on, or write off = {idle} in the options of the device"
            raise DeviceFault(words, where=self.name, remedy=remedy)
        if full := self._numbers(shown["roi"] >= self.saturation_counts):
            words = f"element {full} at the limit of {self.saturation_counts:g} counts"
            raise Saturated(words, where=self.name, remedy="attenuate the beam")
        seconds, limit = float(self.real_time.get()), self.dead_time_limit
        dead = 1 - shown["ocr"] / np.maximum(shown["icr"], 1e-9)
        busy = (shown["icr"] * seconds >= FEWEST) & (dead > limit)
        if 2 * np.count_nonzero(busy) > len(self.on):
            words = (
                f"element {self._numbers(busy)} is dead for {100 * dead[busy].min():.0f} to "
                f"{100 * dead[busy].max():.0f} % of the time, more than {100 * limit:.0f} %"
            )
            remedy = "attenuate the beam or move the detector back, then retry the sample"
            raise DeviceFault(words, where=self.name, remedy=remedy)

    def _numbers(self, which: np.ndarray) -> str:
        return ", ".join(str(self.on[i]) for i in np.flatnonzero(which))

    def read(self) -> dict[str, dict[str, Any]]:
        """The numbers of each element and of the chamber, keys as in `describe`."""
        found, shown = dict(super().read()), self._arrays()
        values = {
            f"{key}{n}": float(value)
            for key in COUNTED
            for n, value in zip(self.on, shown[key], strict=True)
        }
        values["roi_sum"] = float(shown["roi"].sum())
        at = float(self.roi.timestamp)
        return found | {key: {"value": v, "timestamp": at} for key, v in values.items()}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Data keys: numbers; counts have no unit, rates are in 1/s."""
        keys = {f"{key}{n}": key for key in COUNTED for n in self.on} | {"roi_sum": "roi"}
        own = {
            name: {
                "source": f"PV:{getattr(self, key).pvname}",
                "dtype": "number",
                "shape": [],
                "units": "" if key == "roi" else "1/s",
            }
            for name, key in keys.items()
        }
        return dict(super().describe()) | own

    @property
    def hints(self) -> dict[str, Any]:
        """The keys that are worth a column or a plot."""
        return {"fields": ["roi_sum", "i0"]}

    def stop(self, *, success: bool = False) -> None:
        """End a count in progress."""
        self.acquire.put(0, wait=False)
        super().stop(success=success)
