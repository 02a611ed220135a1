"""Unit files for systemd: one target, the guard and the daemon."""

from __future__ import annotations

import sys
from pathlib import Path

TARGET = """\
[Unit]
Description=materialsdock: a night of autonomous measurement
Wants=materialsdock-guard.service materialsdock.service

[Install]
WantedBy=multi-user.target
"""
SERVICE = """\
[Unit]
Description={description}
PartOf=materialsdock.target
StartLimitIntervalSec=0

[Service]
ExecStart={program} {verb} --profile {profile} --out {data}
{after}User={user}
Environment=OMP_NUM_THREADS=1
Restart=always
RestartSec=1
# all of it: a worker that outlives its daemon would be a second driver
KillMode=control-group
TimeoutStopSec=30
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ReadWritePaths={data}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryMax={memory}
{nice}
[Install]
WantedBy=materialsdock.target
"""


def unit_files(profile: str, data: Path, user: str) -> dict[str, str]:
    """Text by file name; `materialsdock.target` starts both services."""
    program = f"{sys.executable} -m materialsdock"
    common = {"program": program, "profile": profile, "data": data, "user": user}
    safe = f"ExecStopPost={program} safe-state --profile {profile} --out {data}\n"
    return {
        "materialsdock.target": TARGET,
        "materialsdock.service": SERVICE.format(
            description="materialsdock: queue, worker and analysis",
            verb="serve",
            after=safe,
            memory="16G",
            nice="",
            **common,
        ),
        "materialsdock-guard.service": SERVICE.format(
            description="materialsdock: guard of the instrument",
            verb="guard",
            after="",
            memory="1G",
            nice="Nice=-5\n",
            **common,
        ),
    }
