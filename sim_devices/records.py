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
        """The position of the motor."""
        return float(self.axis.field_inst.user_readback_value.value)

    def heard(self, field: str, value: Any) -> None:
        """A put as it arrives: what carries puts out may swap a STOP and the move after it."""
        if field == "STOP" and value:
            self.halt.set()
        elif field in ("", "VAL"):
            self.halt.clear()

    async def put(self, instance: Any, value: float) -> float:
        """A write to .VAL: moving from here on, so that nobody sees the DMOV of before."""
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
        ):
            await field.write(value, verify_value=False)
        await self._moving(False)  # unless somebody has moved it meanwhile

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
        while not (self.halt.is_set() or self.wake.is_set()):
            elapsed, stalled = clock() - began, beamline.fault("motor_stall")
            if elapsed >= wall and not stalled:
                break
            await asyncio.sleep(max(SHORTEST_SLEEP_S, min(TICK_S, wall - elapsed)))
            if wall > TICK_S and not beamline.fault("motor_stall"):
                done = min(1.0, (clock() - began) / wall)
                await self.arrive(start + done * (target - start))
        else:
            return  # where it is
        slip = 0.05 * (target - start) if beamline.fault("motor_slip") else 0.0
        await self.arrive(target - slip)
        while beamline.fault("put_hang") and not (self.halt.is_set() or self.wake.is_set()):
            await asyncio.sleep(SHORTEST_SLEEP_S)

    async def arrive(self, position: float) -> None:
        """Set the readback."""
        await self.axis.field_inst.user_readback_value.write(position, verify_value=False)


async def _stop(fields: Any, instance: Any, value: int) -> int:
    return 0  # carried out as soon as it was heard


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


class ShutterRecords(PVGroup):
    """A photon shutter: commands Open and Close, and a Status of its own (1 = open).

    Opens only with `permit` and while the dead-man is not tripped; losing the permit closes it.
    """

    open = pvproperty(value=0, name="Open")
    close = pvproperty(value=0, name="Close")
    status = pvproperty(value=0, name="Status", read_only=True)
    permit = pvproperty(value=1, name="permit")
    travel_s = 0.2

    async def _travel(self, to: int) -> int:
        await self.parent.pass_time(self.travel_s)
        if to and (why := self._forbidden()):  # it may have been lost on the way
            self.parent.note("refused", f"open: {why}")
        elif not self.parent.fault("shutter_stuck"):
            await self.status.write(to, verify_value=False)
            self.parent.note("shutter", to)
        return 0

    def _forbidden(self) -> str:
        if self.parent.dead_man.tripped.value:
            return "the dead-man has tripped"
        return "" if self.permit.value else "no permit"

    async def shut(self) -> None:
        """Close, whoever wants it open."""
        await self._travel(0)

    @permit.putter
    async def permit(self, instance: Any, value: int) -> int:
        if not value:
            await instance.write(0, verify_value=False)
            await self.shut()
        return int(bool(value))

    @open.putter
    async def open(self, instance: Any, value: int) -> int:
        return await self._travel(1) if value else 0

    @close.putter
    async def close(self, instance: Any, value: int) -> int:
        return await self._travel(0) if value else 0


def _switch(name: str, dtype: type = int) -> Any:
    return pvproperty(value=dtype(0), name=name, dtype=dtype)


class Faults(PVGroup):
    """Switches: write 1 and the fault is there, 0 and it is gone; some take a size instead.

    detector_nan : 1 NaN, 2 minus one, 3 infinity; detector_constant : these counts, always
    put_hang : motors arrive and never say so; detector_hang : counting never ends by itself
    i0_drift : factor on the beam; energy_drift_ev : what the crystals let through beside the
    energy of their angle; beam_flicker : dumps per second of wall clock; sample_damage : share
    of what is left that an exposed second destroys; sample_missing : an empty holder
    element_dead : number, from 1, of the element of the fluorescence detector that shows nothing;
    fluorescence : factor on the photons that reach that detector
    """

    motor_stall = _switch("motor_stall")
    motor_slip = _switch("motor_slip")
    put_hang = _switch("put_hang")
    detector_nan = _switch("detector_nan")
    detector_dead = _switch("detector_dead")
    detector_constant = _switch("detector_constant", float)
    detector_hang = _switch("detector_hang")
    saturation = _switch("saturation")
    beam_dump = _switch("beam_dump")
    beam_flicker = _switch("beam_flicker", float)
    i0_drift = _switch("i0_drift", float)
    energy_drift_ev = _switch("energy_drift_ev", float)
    shutter_stuck = _switch("shutter_stuck")
    segment_hang = _switch("segment_hang")
    sample_damage = _switch("sample_damage", float)
    sample_missing = _switch("sample_missing")
    element_dead = _switch("element_dead")
    fluorescence = _switch("fluorescence", float)
