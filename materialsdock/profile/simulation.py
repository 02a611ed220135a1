"""Start the simulated beamline as a process of its own, and end it whatever happens."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import Unreachable

START_LIMIT_S = 30.0
END_LIMIT_S = 5.0


@dataclass(frozen=True)
class RunningSimulation:
    """A running simulated beamline: its Channel Access port and process id."""

    port: int
    pid: int
    environment: Mapping[str, str]


def save_scene(path: Path, *, technique: str, **arrays: Any) -> Path:
    """Write what the simulated beamline shall replay (npz), whole or not at all; its path.

    See sim_devices.world for what it holds.
    """
    return _written(path, {"technique": technique, **arrays})


def add_to_scene(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write a scene file anew with `arrays`, in place of those of the same names.

    Whole or not at all: the beamline may read it meanwhile, and without it no job goes on.
    """
    with np.load(path) as stored:
        known = {key: stored[key] for key in stored.files}
    _written(path, {**known, **arrays})


def _written(path: Path, arrays: Mapping[str, Any]) -> Path:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def free_port() -> int:
    """A port of loopback that nobody listens on, neither by TCP nor by UDP."""
    while True:
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as other:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def channel_access(port: int) -> dict[str, str]:
    """Client and server environment for Channel Access on loopback and one port only."""
    return {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_CONN_TMO": "4",
        "EPICS_CA_MAX_ARRAY_BYTES": "1000000",
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CA_REPEATER_PORT": str(free_port()),
        "EPICS_CAS_SERVER_PORT": str(port),
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "",
    }


def command(
    module: str,
    scenes: Mapping[int, Path],
    *,
    prefix: str = "SIM:",
    speed: float = 1.0,
    seed: int = 0,
    folder: Path | None = None,
    put_log: Path | None = None,
) -> list[str]:
    """The command line of the simulated beamline; see `running`.  It prints READY and its port."""
    # -P: else the site of the folder that we stand in would go before the one that is asked for
    words = [sys.executable, "-P", "-m", module, "--prefix", prefix, "--speed", str(speed)]
    words += ["--seed", str(seed)]
    words += [word for at, path in scenes.items() for word in ("--scene", f"{at}={path}")]
    words += ["--scenes", str(folder)] if folder else []
    return words + (["--put-log", str(put_log)] if put_log else [])


@contextlib.contextmanager
def running(
    module: str,
    site_root: Path,
    scenes: Mapping[int, Path],
    *,
    prefix: str = "SIM:",
    speed: float = 1.0,
    seed: int = 0,
    port: int = 0,
    folder: Path | None = None,
    put_log: Path | None = None,
) -> Iterator[RunningSimulation]:
    """Run `python -m module` until the context ends; it also ends with this process.

    scenes : what lies at each sample position; folder : where N.npz, which may come and go while
    it runs, lies at position N; put_log : file that gets every put as a JSON line
    speed : instrument seconds per second; port : of Channel Access, 0 for any free one

    The client side of `channel_access` is put into os.environ, so enter this context before
    epics is imported.  Raises Unreachable, with the end of the child's complaints, when the
    beamline does not answer in time.
    """
    environment = channel_access(port or free_port())
    os.environ.update(environment)
    options: dict[str, Any] = {"prefix": prefix, "speed": speed, "seed": seed}
    words = command(module, scenes, **options, folder=folder, put_log=put_log)
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            [*words, "--with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            # a child of its own session: Ctrl-C is for us, who then end the child in order
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": _path(site_root)},
        )
        try:
            _wait_until_ready(child, complaints, " ".join(words))
            yield RunningSimulation(
                int(environment["EPICS_CA_SERVER_PORT"]), child.pid, environment
            )
        finally:
            _end(child)


def _path(site_root: Path) -> str:
    before = os.environ.get("PYTHONPATH")
    return f"{site_root}{os.pathsep}{before}" if before else str(site_root)


def _wait_until_ready(child: subprocess.Popen[bytes], complaints: Any, command: str) -> None:
    assert child.stdout is not None
    deadline = time.monotonic() + START_LIMIT_S
    line = b""
    while time.monotonic() < deadline and child.poll() is None and not line:
        if select.select([child.stdout], [], [], 0.1)[0]:
            line = child.stdout.readline()
    if not line.startswith(b"READY"):
        complaints.seek(0)
        tail = complaints.read().decode(errors="replace").strip()[-500:]
        raise Unreachable(
            f"the simulated beamline did not start: {tail or 'no answer'}",
            where=command,
            remedy="run that command by hand to see why",
        )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
