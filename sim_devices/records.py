"""Records of the simulated IOC: a motor and a shutter that take their time, and can go wrong."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from caproto.server import PVGroup, pvproperty

TICK_S = 0.05  # wall clock between readback updates of a long move
SHORTEST_SLEEP_S = 5e-4


class Beamline(Protocol):
    """What a record must know of the rest."""

    def fault(self, name: str) -> bool: ...

    async def pass_time(self, seconds: float) -> None: ...

    def wall_s(self, seconds: float) -> float: ...


def motor(
    units: str, low: float, high: float, velocity: float, settle_s: float, at: float = 0.0
) -> type[PVGroup]:
    """A motor record class, complete enough for ophyd's EpicsMotor; velocity [units/s]."""

    class Motor(PVGroup):
        axis = pvproperty(
            value=at,
            name="",
            record="motor",
            precision=6,
            units=units,
            lower_ctrl_limit=low,
            upper_ctrl_limit=high,
        )

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.wake = asyncio.Event()
            self.halt = asyncio.Event()

        @property
        def beamline(self) -> Any:
            return self.parent

        @property
        def readback(self) -> float:
            return float(self.axis.field_inst.user_readback_value.value)

        @axis.putter
        async def axis(self, instance: Any, value: float) -> float:
            self.halt.clear()
            # moving from here on: whoever waits for DMOV must not see the old 1
            await self._moving(True)
            self.wake.set()
            return value

        @axis.fields.stop.putter
        async def axis(self, instance: Any, value: int) -> int:  # noqa: F811
            if value:
                self.parent.group.halt.set()
            return 0

        @axis.startup
        async def axis(self, instance: Any, async_lib: Any) -> None:  # noqa: F811
            await self._describe()
            while True:
                await self.wake.wait()
                self.wake.clear()
                await self._move(float(self.axis.value))
                if not self.wake.is_set():
                    await self._moving(False)

        async def _describe(self) -> None:
            fields = self.axis.field_inst
            for field, value in (
                (fields.velocity, velocity),
                (fields.seconds_to_velocity, settle_s),
                (fields.user_low_limit, low),
                (fields.user_high_limit, high),
                (fields.engineering_units, units),
                (fields.user_readback_value, at),
                (fields.done_moving_to_value, 1),
            ):
                await field.write(value, verify_value=False)

        async def _moving(self, moving: bool) -> None:
            fields = self.axis.field_inst
            await fields.motor_is_moving.write(int(moving), verify_value=False)
            await fields.done_moving_to_value.write(int(not moving), verify_value=False)

        async def _move(self, target: float) -> None:
            fields, start = self.axis.field_inst, self.readback
            await fields.direction_of_travel.write(int(target > start))
            speed = float(fields.velocity.value)
            wall = self.beamline.wall_s(abs(target - start) / speed + settle_s)
            clock = asyncio.get_running_loop().time
            began = clock()
            while (elapsed := clock() - began) < wall or self.beamline.fault("motor_stall"):
                if self.halt.is_set() or self.wake.is_set():
                    return
                await asyncio.sleep(max(SHORTEST_SLEEP_S, min(TICK_S, wall - elapsed)))
                if wall > TICK_S and not self.beamline.fault("motor_stall"):
                    done = min(1.0, (clock() - began) / wall)
                    await self.arrive(start + done * (target - start))
            slip = 0.05 * (target - start) if self.beamline.fault("motor_slip") else 0.0
            await self.arrive(target - slip)

        async def arrive(self, position: float) -> None:
            await self.axis.field_inst.user_readback_value.write(position, verify_value=False)

    return Motor


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
