"""Records of the simulated IOC: a motor and a shutter that take their time, and can go wrong."""

from __future__ import annotations

import asyncio
from typing import Any

from caproto.server import PVGroup, pvproperty

TICK_S = 0.05  # wall clock between readback updates of a long move
SHORTEST_SLEEP_S = 5e-4


class MotorRecord(PVGroup):
    """A motor record complete enough for ophyd's EpicsMotor; `motor` makes its classes."""

    axis: Any
    units: str
    limits: tuple[float, float]
    velocity: float  # [units/s]
    settle_s: float
    at: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wake = asyncio.Event()
        self.halt = asyncio.Event()
        self.target = self.at
        self._reporting = asyncio.Lock()

    @property
    def readback(self) -> float:
        """Where the motor is."""
        return float(self.axis.field_inst.user_readback_value.value)

    async def put(self, instance: Any, value: float) -> float:
        """A write to .VAL: moving from here on, so that nobody sees the DMOV of before."""
        self.halt.clear()
        self.target = value
        self.wake.set()
        await self._moving(True)
        return value

    async def run(self, instance: Any, async_lib: Any) -> None:
        """Carry out moves for ever."""
        await self._describe()
        while True:
            await self.wake.wait()
            self.wake.clear()
            await self._move(self.target)
            await self._moving(False)

    async def _describe(self) -> None:
        fields = self.axis.field_inst
        for field, value in (
            (fields.velocity, self.velocity),
            (fields.seconds_to_velocity, self.settle_s),
            (fields.user_low_limit, self.limits[0]),
            (fields.user_high_limit, self.limits[1]),
            (fields.engineering_units, self.units),
            (fields.user_readback_value, self.at),
            (fields.done_moving_to_value, 1),
        ):
            await field.write(value, verify_value=False)

    async def _moving(self, moving: bool) -> None:
        fields = self.axis.field_inst
        async with self._reporting:  # else an end and a start that meet leave either
            if not moving and self.wake.is_set():
                return
            await fields.motor_is_moving.write(int(moving), verify_value=False)
            await fields.done_moving_to_value.write(int(not moving), verify_value=False)

    async def _move(self, target: float) -> None:
        fields, start, beamline = self.axis.field_inst, self.readback, self.parent
        await fields.direction_of_travel.write(int(target > start))
        speed = float(fields.velocity.value)
        wall = beamline.wall_s(abs(target - start) / speed + self.settle_s)
        clock = asyncio.get_running_loop().time
        began = clock()
        while (elapsed := clock() - began) < wall or beamline.fault("motor_stall"):
            if self.halt.is_set() or self.wake.is_set():
                return
            await asyncio.sleep(max(SHORTEST_SLEEP_S, min(TICK_S, wall - elapsed)))
            if wall > TICK_S and not beamline.fault("motor_stall"):
                done = min(1.0, (clock() - began) / wall)
                await self.arrive(start + done * (target - start))
        slip = 0.05 * (target - start) if beamline.fault("motor_slip") else 0.0
        await self.arrive(target - slip)

    async def arrive(self, position: float) -> None:
        """Set the readback."""
        await self.axis.field_inst.user_readback_value.write(position, verify_value=False)


async def _stop(fields: Any, instance: Any, value: int) -> int:
    if value:
        fields.parent.group.halt.set()
    return 0


def motor(
    units: str, low: float, high: float, velocity: float, settle_s: float, at: float = 0.0
) -> type[PVGroup]:
    """A motor record class with these soft limits, `velocity` [units/s] and start position."""
    axis = pvproperty(
        value=at,
        name="",
        record="motor",
        precision=6,
        units=units,
        lower_ctrl_limit=low,
        upper_ctrl_limit=high,
        put=MotorRecord.put,
        startup=MotorRecord.run,
    )
    axis.fields.stop.putter(_stop)
    facts = {"units": units, "limits": (low, high), "velocity": velocity, "settle_s": settle_s}
    return type("Motor", (MotorRecord,), {"axis": axis, "at": at, **facts})


class Shutter(PVGroup):
    """A photon shutter: commands Open and Close, and a Status of its own (1 = open)."""

    open = pvproperty(value=0, name="Open")
    close = pvproperty(value=0, name="Close")
    status = pvproperty(value=0, name="Status", read_only=True)
    travel_s = 0.2

    async def _travel(self, to: int) -> int:
        await self.parent.pass_time(self.travel_s)
        if not self.parent.fault("shutter_stuck"):
            await self.status.write(to, verify_value=False)
        return 0

    @open.putter
    async def open(self, instance: Any, value: int) -> int:
        return await self._travel(1) if value else 0

    @close.putter
    async def close(self, instance: Any, value: int) -> int:
        return await self._travel(0) if value else 0


class Faults(PVGroup):
    """Switches: write 1 and the fault is there, 0 and it is gone."""

    motor_stall = pvproperty(value=0, name="motor_stall")
    motor_slip = pvproperty(value=0, name="motor_slip")
    detector_nan = pvproperty(value=0, name="detector_nan")
    detector_dead = pvproperty(value=0, name="detector_dead")
    saturation = pvproperty(value=0, name="saturation")
    beam_dump = pvproperty(value=0, name="beam_dump")
    shutter_stuck = pvproperty(value=0, name="shutter_stuck")
    segment_hang = pvproperty(value=0, name="segment_hang")
