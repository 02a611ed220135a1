"""The beginning of every child of the daemon: its arguments, its log, its lock, its line."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from materialsdock.ledger.folder import DataDirectory
from materialsdock.night.system import logs
from materialsdock.night.system.process import Line, Lock, die_with
from materialsdock.profile import config, siteroot

LOCK_WAIT_S = 5.0


@dataclass(frozen=True)
class Role:
    """The belongings of a child of the daemon: its line to it, profile, site and data folder."""

    line: Line
    profile: config.Profile
    site: Path
    data: DataDirectory

    @property
    def beat(self) -> Path:
        """The folder of heartbeats and locks."""
        return self.data.path / "run"


@contextlib.contextmanager
def child(name: str) -> Iterator[Role]:
    """This process as the daemon's child `name`: it ends with the daemon, and is the only one."""
    parser = argparse.ArgumentParser(prog=f"materialsdock.night.processes.{name}")
    parser.add_argument("--parent", type=int, required=True, help="process id of the daemon")
    parser.add_argument("--answers", type=int, required=True, help="descriptor for answers")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--site", type=Path, default=None)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    die_with(given.parent)
    line, data = Line(given.answers), DataDirectory(given.data)
    lock = Lock(data.path / "run" / f"{name}.lock", wait_s=LOCK_WAIT_S)
    site = siteroot.activate(given.site)
    profile = config.load(given.profile, site)
    logs.begin(data, name, secrets=logs.secrets_in(profile.night.notify_file))
    yield Role(line, profile, site, data)
    lock.release()
