"""The work of the commands of the night's processes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError, LedgerFault, MaterialsDockError, Refused
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night import people
from materialsdock.night.control import audit, intents
from materialsdock.night.processes import daemon, simulated_beamline, supervisor
from materialsdock.night.processes import guard as guarding
from materialsdock.night.status import state
from materialsdock.night.system.systemd_units import unit_files
from materialsdock.profile import config, siteroot
from materialsdock.profile.instrument import build_instrument, release

FORMAT = "%(asctime)s %(levelname)s %(message)s"


def _site(profile_name: str, site: Path | None) -> tuple[config.Profile, Path]:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=FORMAT)
    root = siteroot.activate(site)
    return config.load(profile_name, root), root


def _beamline_of(profile: config.Profile, out: Path) -> None:
    """Point this process at the simulated beamline of this data folder, unless the caller does."""
    if profile.simulated_by is None or "EPICS_CA_SERVER_PORT" in os.environ:
        return
    if not (out / "run" / "port").is_file():
        raise InputError(
            "no simulated beamline runs for this data folder",
            where=str(out),
            remedy="start everything with `materialsdock up`, or `materialsdock sim up` and the "
            "environment it prints",
        )
    os.environ.update(simulated_beamline.channel(DataDirectory(out)))


def serve(profile_name: str, site: Path | None, out: Path) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    profile, root = _site(profile_name, site)
    _beamline_of(profile, out)
    daemon.serve(profile, root, DataDirectory(out))


def guard(profile_name: str, site: Path | None, out: Path) -> None:
    """Run the guard until SIGTERM or SIGINT."""
    profile, _ = _site(profile_name, site)
    _beamline_of(profile, out)
    guarding.serve(profile, DataDirectory(out))


def up(profile_name: str, site: Path | None, out: Path, with_beamline: bool) -> None:
    """Run everything until SIGTERM or SIGINT."""
    profile, root = _site(profile_name, site)
    data = DataDirectory(out.resolve())
    simulated = with_beamline and profile.simulated_by is not None
    what = ["simulated beamline, "] * simulated + ["guard and daemon"]
    look = f"`materialsdock status --watch --out {out}`"
    words = f"starting {''.join(what)}; {look} shows what they do, Ctrl-C ends them"
    print(words, file=sys.stderr, flush=True)
    supervisor.up(profile, root, data, beamline=with_beamline)


def safe_state(profile_name: str, site: Path | None, out: Path) -> dict[str, Any]:
    """Reach the safe state, and keep a night that runs from leaving it again.

    safe, failed : what could not be done at the instrument; untold : what of the rest;
    night : what it was asked, "" where none runs
    """
    root = siteroot.activate(site)
    profile = config.load(profile_name, root)
    _beamline_of(profile, out)
    data = DataDirectory(out)
    instrument = build_instrument(profile)
    try:
        failed = guarding.safe_state(instrument)
        night, untold = _halted(data)
        if night:  # it may have opened the shutter once more before it heard
            failed = guarding.safe_state(instrument)
    finally:
        release(instrument)
    try:
        with Ledger(data.ledger) as ledger:
            audit.record(ledger, audit.me(), "safe_state", {}, "; ".join(failed) or "done")
    except LedgerFault as fault:
        untold.append(f"not recorded in the audit: {fault}")
    return {"safe": not failed, "failed": failed, "untold": untold, "night": night}


def _halted(data: DataDirectory) -> tuple[str, list[str]]:
    """Tell a night that runs to hold and to pause, and say what it could not be asked."""
    if not state.online(data):
        return "", []
    halts: tuple[intents.Verb, ...] = ("hold_queue", "pause")
    untold = []
    for verb in halts:
        try:
            people.ask(data.path, verb, {"reason": "safe-state"})
        except Refused:  # nothing is being measured
            pass
        except MaterialsDockError as fault:
            untold.append(f"the night could not be paused: {fault}")
    night = "begins no further sample and pauses; `materialsdock release` and `resume` go on"
    return night, untold


def made_safe(said: Mapping[str, Any]) -> str:
    """Put the result of `safe_state` into words."""
    done = "shutter closed and verified; motors and detectors stopped"
    words = ["; ".join(said["failed"]) or done, *said["untold"]]
    if said["night"]:
        words.append(f"the night {said['night']}")
    return "\n".join(words)


def install(to: Path, profile_name: str, site: Path | None, out: Path, user: str) -> list[Path]:
    """Write the systemd units; InputError when the folder cannot be written."""
    root, data = siteroot.find(site), out.resolve()
    simulated = config.load(profile_name, root).simulated_by is not None
    if not data.is_dir():
        remedy = f"make it with `install -d -o {user} {data}`"
        raise InputError("this folder does not exist", where=str(data), remedy=remedy)
    written = []
    for name, text in unit_files(profile_name, root, data, user, simulated=simulated).items():
        try:
            (to / name).write_text(text)
        except OSError as error:
            raise InputError(str(error), where=str(to), remedy="name --to a folder") from error
        written.append(to / name)
    return written
