"""Unit files for systemd: one target, the guard, the daemon, and a simulated beamline where it is.

Every choice that is no habit has its reason beside it in the unit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from materialsdock.errors import InputError
from materialsdock.night.system.process import SILENT_S

TARGET = """\
[Unit]
Description=materialsdock: a night of autonomous measurement
Wants={wants}

[Install]
WantedBy=multi-user.target
"""
SERVICE = """\
[Unit]
Description={description}
PartOf=materialsdock.target
{unit}StartLimitIntervalSec=0

[Service]
{kind}ExecStart={program} {arguments}
{more}User={user}
UMask=0027
Environment=OMP_NUM_THREADS=1
# what is compiled when it is first used has to be kept somewhere
CacheDirectory=materialsdock
Environment=NUMBA_CACHE_DIR=%C/materialsdock MPLCONFIGDIR=%C/materialsdock
Environment=XDG_CACHE_HOME=%C/materialsdock
Restart=always
RestartSec=1
# ended while it was still starting
SuccessExitStatus=130
# the main process is asked and ends its children in order, so that a plan closes its shutter;
# whatever is left of the group is killed: a worker that outlives its daemon is a second driver
KillMode=mixed
TimeoutStopSec=45
# the daemon mends the death of a child; it must not be taken down with it
OOMPolicy=continue
MemoryMax={memory}
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={data}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
# Channel Access asks the kernel for its interfaces over netlink
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=materialsdock.target
"""
NOTIFIES = f"""\
Type=notify
NotifyAccess=main
WatchdogSec={SILENT_S:g}
# a frozen process heeds nothing else
WatchdogSignal=SIGKILL
TimeoutStartSec=60
"""
BEAMLINE = "materialsdock-beamline.service"
GUARD = "materialsdock-guard.service"
DAEMON = "materialsdock.service"


def unit_files(
    profile: str, site: Path, data: Path, user: str, *, simulated: bool = False
) -> dict[str, str]:
    """Text by file name; `materialsdock.target` starts all services of a night.

    simulated : the profile's beamline is simulated, and is a service, too
    InputError for a data folder that a service would not see.
    """
    _refuse_hidden(data)
    program = f"{_word(sys.executable)} -m"
    where = f"--profile {_word(profile)} --site {_word(str(site))}"
    common = {"program": program, "user": _word(user), "data": _word(str(data))}
    out = f"{where} --out {common['data']}"
    # the order of the start; at the stop it is the other way round, the daemon first
    after = f"After={BEAMLINE}\n" if simulated else ""
    found = {
        DAEMON: SERVICE.format(
            description="materialsdock: queue, worker and analysis",
            arguments=f"materialsdock serve {out}",
            kind=NOTIFIES,
            unit=f"{after}After={GUARD}\n",
            more=f"ExecStopPost={program} materialsdock safe-state {out}\n",
            memory="75%",
            **common,
        ),
        GUARD: SERVICE.format(
            description="materialsdock: guard of the instrument",
            arguments=f"materialsdock guard {out}",
            kind=NOTIFIES,
            unit=after,
            # when memory or time is short, anything else has to give way
            more="Nice=-5\nOOMScoreAdjust=-900\n",
            memory="1G",
            **common,
        ),
    }
    if simulated:
        found[BEAMLINE] = SERVICE.format(
            description="materialsdock: simulated beamline",
            arguments="materialsdock.night.processes.simulated_beamline "
            f"{where} --data {common['data']}",
            kind="",
            unit="",
            more="",
            memory="2G",
            **common,
        )
    return {"materialsdock.target": TARGET.format(wants=" ".join(found)), **found}


def _refuse_hidden(data: Path) -> None:
    for hidden in ("/tmp", "/var/tmp"):
        if data.is_relative_to(hidden):
            raise InputError(
                f"{hidden} of a service is its own",
                where=str(data),
                remedy="name a folder elsewhere with --out, e.g. /var/lib/materialsdock",
            )


def _word(text: str) -> str:
    """One word of a unit file, where space, quotes, % and $ have a meaning."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return safe if safe == text and not set(text) & set(" '\t;") else f'"{safe}"'
