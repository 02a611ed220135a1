"""A multi-element fluorescence detector of the simulated IOC."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from caproto.server import PVGroup, pvproperty

from sim_devices.detectors import SHARES, MultiElement

NONE = [0.0] * len(SHARES)


class MultiElementRecords(PVGroup):
    """Counts of each element in a region of interest, photons in and pulses out [1/s].

    DeadTime [s] and Paralysable say how elements lose counts; an element that is not Enabled
    shows nothing.
    """

    acquire = pvproperty(value=0, name="Acquire")
    preset = pvproperty(value=1.0, name="PresetTime", precision=6)
    real_time = pvproperty(value=0.0, name="RealTime", precision=6, read_only=True)
    enabled = pvproperty(value=[1] * len(SHARES), name="Enabled")
    roi = pvproperty(value=NONE, name="ROI", read_only=True)
    icr = pvproperty(value=NONE, name="ICR", read_only=True)
    ocr = pvproperty(value=NONE, name="OCR", read_only=True)
    dead_time = pvproperty(value=1e-6, name="DeadTime", precision=9)
    paralysable = pvproperty(value=0, name="Paralysable")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopped = asyncio.Event()
        self.counting = asyncio.Lock()

    @acquire.putter
    async def acquire(self, instance: Any, value: int) -> int:
        self.stopped.set()  # a second start ends the first count
        if not value:
            return 0
        async with self.counting:
            self.stopped.clear()
            await self.parent.hang("detector_hang", self.stopped)
            seconds = await self.parent.expose(float(self.preset.value), self.stopped)
            await self._show(seconds)
        return 0

    async def _show(self, seconds: float) -> None:
        shown = self.parent.elements(self._detector(), seconds)
        on = np.resize(np.asarray(self.enabled.value, dtype=float), len(SHARES))
        for record, values in zip((self.roi, self.icr, self.ocr), shown, strict=True):
            await record.write((on * values).tolist(), verify_value=False)
        await self.real_time.write(seconds, verify_value=False)

    def _detector(self) -> MultiElement:
        faults = self.parent.faults
        return MultiElement(
            dead_time_s=float(self.dead_time.value),
            paralysable=bool(self.paralysable.value),
            dead=int(faults.element_dead.value),
            factor=float(faults.fluorescence.value) or 1.0,
        )
