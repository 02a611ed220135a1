"""Memory of the processes of a night, for the benchmark of nights."""

from __future__ import annotations

import numpy as np
import psutil
from support.faults.rig import Rig

ROLES = ("daemon", "worker", "analyst", "guard", "librarian")
NIGHT_H, NIGHT_SAMPLES = 10.0, 1000  # for slopes


def resident_mb(made: Rig) -> dict[str, float]:
    """Resident anonymous memory [MB] of every role that lives.

    Pages of files (libraries) are left out: the kernel takes and gives them as it likes.
    """
    found = {}
    for role in ROLES:
        pid = made.pid(role)
        if pid is not None:
            try:
                memory = psutil.Process(pid).memory_info()
                found[role] = (memory.rss - memory.shared) / 1e6
            except psutil.NoSuchProcess:
                continue
    return found


def slopes(memory: list[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Growth [MB/h] by role, as if so many samples filled a night; a fifth is warm-up."""
    found = {}
    last = memory[-1][0] if memory else 0
    for role in ROLES:
        series = np.array([(n, m[role]) for n, m in memory if role in m and n > last * 0.2])
        if len(series) > 10 and np.ptp(series[:, 0]) > 0:
            per_sample = np.polyfit(series[:, 0], series[:, 1], 1)[0]
            found[role] = float(per_sample * NIGHT_SAMPLES / NIGHT_H)
    return found


def courses(memory: list[tuple[int, dict[str, float]]]) -> dict[str, list[list[float]]]:
    """[samples settled, anonymous memory [MB]] by role, about forty of each night."""
    kept = memory[:: max(1, len(memory) // 40)]
    return {role: [[n, round(m[role], 2)] for n, m in kept if role in m] for role in ROLES}
