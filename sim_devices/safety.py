"""Safety records of the simulated IOC: dead-man, owner's epoch, and the log of every put."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import caproto as ca
from caproto import SkipWrite
from caproto.asyncio import server as ca_server
from caproto.server import PVGroup, pvproperty

DEAD_AFTER_S = 3.0  # wall clock without a new heartbeat
LOOK_S = 0.05


class DeadManRecords(PVGroup):
    """Closes the shutter when the heartbeat `HB` stops; wall clock, whatever the speed.

    The first heartbeat arms it.  A later one clears the trip; the shutter stays closed.
    """

    hb = pvproperty(value=0, name="HB")
    armed = pvproperty(value=0, name="Armed")
    tripped = pvproperty(value=0, name="Tripped", read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fed = time.monotonic()

    @hb.putter
    async def hb(self, instance: Any, value: int) -> int:
        if value != instance.value:
            self.fed = time.monotonic()
            if not self.armed.value:
                await self.armed.write(1, verify_value=False)
            if self.tripped.value:
                await self.tripped.write(0, verify_value=False)
        return value

    @armed.putter
    async def armed(self, instance: Any, value: int) -> int:
        self.fed = time.monotonic()
        if not value and self.tripped.value:
            await self.tripped.write(0, verify_value=False)
        return int(bool(value))

    @tripped.startup
    async def tripped(self, instance: Any, async_lib: Any) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            late = time.monotonic() - self.fed > DEAD_AFTER_S
            if late and self.armed.value and not instance.value:
                await instance.write(1, verify_value=False)
                self.parent.note("trip", 1)
                await self.parent.make_safe()


class Owner(PVGroup):
    """The owner of the instrument: an epoch that only rises; no other put changes anything."""

    epoch = pvproperty(value=0, name="epoch")

    @epoch.putter
    async def epoch(self, instance: Any, value: int) -> int:
        if value <= instance.value:
            self.parent.note("refused", f"epoch {value} after {instance.value}")
            raise SkipWrite
        return value


class PutLog:
    """Appends to a file, as JSON lines, every put of every client and every change of state.

    The file is written by the IOC alone, for checkers that believe nobody else.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", encoding="utf-8") if path else None

    def add(self, **facts: Any) -> None:
        """One line: the facts, wall clock and monotonic clock [s]."""
        if self._file is not None:
            self._file.write(json.dumps({**facts, "wall": time.time(), "mono": time.monotonic()}))
            self._file.write("\n")
            self._file.flush()


def circuit_that_logs(
    log: PutLog, heard: Callable[[str, Any], None] = lambda name, value: None
) -> type[ca_server.VirtualCircuit]:
    """A circuit class that calls `log`, and `heard`, for each put before it is carried out."""

    class Circuit(ca_server.VirtualCircuit):
        async def _process_command(self, command: Any) -> Any:
            if isinstance(command, ca.WriteRequest | ca.WriteNotifyRequest):
                channel, _ = self._get_db_entry_from_command(command)
                value = _plain(command.data)
                heard(channel.name, value)
                log.add(
                    kind="put",
                    pv=channel.name,
                    value=value,
                    host=self.client_hostname,
                    user=self.client_username,
                    client="{}:{}".format(*self.circuit.address),
                )
            return await super()._process_command(command)

    return Circuit


def _plain(data: Any) -> Any:
    values = [v.decode("latin-1") if isinstance(v, bytes) else v for v in list(data)]
    plain = [v.item() if hasattr(v, "item") else v for v in values]
    return plain[0] if len(plain) == 1 else plain
