"""The simulated beamline of one data folder, under `materialsdock up` or a service manager."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from materialsdock.errors import InputError
from materialsdock.ledger.folder import DataDirectory
from materialsdock.profile import config, siteroot
from materialsdock.profile.sections import SimulationSettings
from materialsdock.profile.simulation import channel_access, free_port


def channel(data: DataDirectory) -> Mapping[str, str]:
    """Channel Access of this data folder's simulated beamline; the same ports at every start."""
    port, repeater = (_kept_port(data.path / "run" / name) for name in ("port", "repeater-port"))
    # of another port, a client would look for a caRepeater program and complain
    return {**channel_access(port), "EPICS_CA_REPEATER_PORT": str(repeater)}


def _kept_port(file: Path) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        file.write_text(str(free_port()))
    return int(file.read_text())


def command(simulation: SimulationSettings, data: DataDirectory) -> list[str]:
    """Return the command that serves the samples in this data folder's changer; puts are logged."""
    changer = data.scenes / "changer"
    changer.mkdir(parents=True, exist_ok=True)
    words = ["--prefix", simulation.prefix, "--speed", str(simulation.speed)]
    words += ["--scenes", str(changer), "--put-log", str(data.path / "run" / "puts.jsonl")]
    return [sys.executable, "-P", "-m", simulation.module, *words]  # as profile.simulation.command


def environment(data: DataDirectory, site: Path) -> dict[str, str]:
    """Return the environment: where it listens and is found, and the site that its module is of."""
    before = os.environ.get("PYTHONPATH")
    path = f"{site}{os.pathsep}{before}" if before else str(site)
    return {**channel(data), "PYTHONPATH": path}


def main() -> None:
    """`python -m` this module: becomes the simulated beamline."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", required=True)
    parser.add_argument("--site", type=Path, default=None)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    site = siteroot.activate(given.site)
    simulation, data = config.load(given.profile, site).simulated_by, DataDirectory(given.data)
    if simulation is None:
        raise InputError("is a real instrument", where=f"profile {given.profile}")
    words = command(simulation, data)
    os.execve(words[0], words, {**os.environ, **environment(data, site)})


if __name__ == "__main__":
    main()
