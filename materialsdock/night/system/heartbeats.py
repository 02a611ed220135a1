"""Heartbeats: small files that a process writes and its watchers read, without a lock.

Ages are on the monotonic clock, which all processes of one boot share.  A torn or old file reads
as no heartbeat at all.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

FORM = struct.Struct("<qqddd8s16s")  # pid, epoch, loop, progress, expected, phase, boot
SIZE = FORM.size + 4
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
Phase = Literal["idle", "busy", "paused", "holding", "ended"]


@dataclass(frozen=True)
class Beat:
    """The last heartbeat of a process.

    loop, progress : monotonic clock [s] when its loop turned and when it last got on
    expected_s : within which it expects to get on next
    """

    pid: int
    epoch: int
    loop: float
    progress: float
    expected_s: float
    phase: Phase

    def loop_age_s(self) -> float:
        """Seconds since its loop turned."""
        return time.monotonic() - self.loop

    def progress_age_s(self) -> float:
        """Seconds since it got on."""
        return time.monotonic() - self.progress

    @property
    def alive(self) -> bool:
        """True if its process exists and is no zombie."""
        return alive(self.pid)


def alive(pid: int) -> bool:
    """Return True if a process exists and has not ended (a zombie has)."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self").exists()


def boot() -> str:
    """Identify this boot of the machine: monotonic clocks of another mean nothing."""
    return BOOT_ID.read_text().strip() if BOOT_ID.is_file() else "unknown"


def _boot() -> bytes:
    return boot().encode()[:16].ljust(16, b"\0")


class Heart:
    """Writes the heartbeats of this process into `path`; each write replaces the one before."""

    def __init__(self, path: Path, epoch: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._epoch = epoch
        self._boot = _boot()
        now = time.monotonic()
        self._loop, self._progress, self._expected_s = now, now, 0.0
        self._phase: Phase = "idle"
        self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.phase("ended")
        os.close(self._file)

    def beat(self) -> None:
        """Note that the loop turns."""
        self._loop = time.monotonic()
        self._write()

    def progress(self, expected_s: float) -> None:
        """Note that something got done; the next is expected within `expected_s`."""
        self._progress, self._expected_s = time.monotonic(), expected_s
        self._write()

    def phase(self, phase: Phase) -> None:
        """Set the phase that the process is in now."""
        self._phase = phase
        self.progress(self._expected_s)

    def _write(self) -> None:
        body = FORM.pack(
            os.getpid(),
            self._epoch,
            self._loop,
            self._progress,
            self._expected_s,
            self._phase.encode(),
            self._boot,
        )
        os.pwrite(self._file, body + zlib.crc32(body).to_bytes(4, "little"), 0)


def read(path: Path) -> Beat | None:
    """The last heartbeat in `path`; None for none, a torn one, or one of another boot."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    body, check = raw[: FORM.size], raw[FORM.size : SIZE]
    if len(raw) < SIZE or zlib.crc32(body).to_bytes(4, "little") != check:
        return None
    pid, epoch, loop, progress, expected_s, phase, born = FORM.unpack(body)
    if born != _boot():
        return None
    return Beat(pid, epoch, loop, progress, expected_s, phase.rstrip(b"\0").decode())


def overdue(path: Path, pid: int, limit_s: float) -> bool:
    """Return True if process `pid` is busy and its heartbeats show no progress for `limit_s`."""
    beat = read(path)
    if beat is None or beat.pid != pid or beat.phase != "busy":
        return False
    return beat.progress_age_s() > limit_s
