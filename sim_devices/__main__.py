"""`python -m sim_devices`: the simulated beamline alone; prints `READY <port>` when it answers."""

from __future__ import annotations

import os

# read when caproto is imported: monitors are otherwise held back 10 ms
os.environ.setdefault("CAPROTO_SERVER_HIGH_LOAD_TIMEOUT_SEC", "0.001")

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import struct
import sys
import threading
from pathlib import Path

from materialsdock.errors import InputError
from sim_devices.ioc import Beamline, serve
from sim_devices.safety import PutLog
from sim_devices.world import World, load_scene

ENDING_S = 2.0  # of caproto's own shutdown, then the process ends without it


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sim_devices", description=__doc__)
    parser.add_argument("--prefix", default="SIM:", help="of every PV")
    parser.add_argument("--speed", type=float, default=1.0, help="instrument seconds per second")
    parser.add_argument("--seed", type=int, default=0, help="of the counting statistics")
    parser.add_argument(
        "--scene", action="append", default=[], metavar="POSITION=FILE", help="sample in changer"
    )
    parser.add_argument("--scenes", type=Path, metavar="DIR", help="N.npz is sample position N")
    parser.add_argument("--put-log", type=Path, metavar="FILE", help="every put, as JSON lines")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin closes")
    return parser.parse_args()


def ready(port: int) -> None:
    """Tell the parent that clients may connect."""
    print(f"READY {port}", flush=True)


class Registrar(asyncio.DatagramProtocol):
    """Confirms registrations as a caRepeater does; there are no beacons here to repeat.

    Without it every client looks for a caRepeater program, and complains that there is none.
    """

    CONFIRM = struct.pack(">HHHHI4s", 17, 0, 0, 0, 0, socket.inet_aton("127.0.0.1"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to answer on."""
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Confirm."""
        self.transport.sendto(self.CONFIRM, address)


async def answer_registrations() -> None:
    """Serve the repeater's port, unless a repeater of this machine already does."""
    port = int(os.environ.get("EPICS_CA_REPEATER_PORT", "5065"))
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        await loop.create_datagram_endpoint(Registrar, local_addr=("127.0.0.1", port))


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, SIGINT or, with a parent, until that is gone."""
    scenes = {
        int(position): load_scene(Path(file))
        for position, _, file in (word.partition("=") for word in options.scene)
    }
    logging.basicConfig(format="%(levelname)s %(message)s")
    world = World(scenes, options.seed, options.scenes)
    log = PutLog(options.put_log)
    beamline = Beamline(world, options.speed, log, prefix=options.prefix)
    await answer_registrations()
    serving = asyncio.ensure_future(serve(beamline, ready))
    loop = asyncio.get_running_loop()

    def end() -> None:
        serving.cancel()
        # caproto may wait for a client that is gone for good; every put is logged already
        loop.call_later(ENDING_S, os._exit, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    if options.with_parent:
        threading.Thread(
            target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(end)),
            daemon=True,
        ).start()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    try:
        asyncio.run(run(arguments()))
    except (InputError, OSError) as error:  # for whoever started us: one sentence
        sys.exit(str(error))
