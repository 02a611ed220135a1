"""F25, F27: power is lost or the disk is full, and what was acknowledged is there."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from support.faults.checker import FEW, breaks
from support.faults.rig import profile, record, rig, until, within

from materialsdock.ledger.ledger import Ledger
from materialsdock.night.queue import queue

EVERY = 997


def facts(ledger):
    """All rows that a night has acknowledged so far, in the order in which they were."""
    rows = ledger.rows("SELECT seq, kind, body FROM events ORDER BY seq")
    return rows, queue.samples(ledger)


@pytest.mark.parametrize("every", [7 * EVERY, pytest.param(EVERY, marks=pytest.mark.slow)])
def test_wal_truncated_anywhere_is_a_clean_prefix(tmp_path, every):
    """F25: what the disk had not written yet is lost from the end, never from the middle."""
    path, ends = tmp_path / "night" / "ledger.sqlite", []
    path.parent.mkdir()
    wal = path.with_name(f"{path.name}-wal")
    with Ledger(path) as ledger:
        queue.submit(ledger, [(f"S{n}", 0, {}) for n in range(5)])
        for n in range(120):
            queue.note(ledger, "point", {"n": n, "x": "y" * 300})
            ends.append((wal.stat().st_size, n))  # acknowledged once the log is this long
        whole, samples = facts(ledger)
        shutil.copytree(path.parent, tmp_path / "lost")
    size = ends[-1][0]
    for cut in range(0, size + 1, every):
        folder = tmp_path / f"cut{cut}"
        shutil.copytree(tmp_path / "lost", folder)
        (folder / f"{path.name}-shm").unlink(missing_ok=True)
        os.truncate(folder / wal.name, cut)
        with Ledger(folder / path.name) as ledger:
            rows, queued = facts(ledger)
            assert rows == whole[: len(rows)]
            assert queued in ([], samples)
            kept = [n for end, n in ends if end <= cut]
            assert sum(kind == "point" for _, kind, _ in rows) >= len(kept)
            with closing(sqlite3.connect(folder / path.name)) as db:
                assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
            db.close()
        shutil.rmtree(folder)


@pytest.fixture
def small(tmp_path):
    """A rig's folder whose data lie on a small disk of their own; (folder, fill, free)."""
    data = tmp_path / "data"
    data.mkdir()
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(data)],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip("only root may mount; the limit of a file's size is tested instead")

    def fill():
        with contextlib.suppress(OSError), (data / "filler").open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()

    try:
        yield tmp_path, fill, (data / "filler").unlink
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


def suffered(night, row, fill, free):
    """Fill, see that nothing is measured and the shutter is closed; free, and it goes on."""
    night.submit(night.edges(3, points=150, threshold=1e-6))
    night.amid()
    night.seen()
    began = time.monotonic()
    fill()
    try:
        safe = night.safe_after(began, 5)
        time.sleep(1.0)
        points = night.points()
        time.sleep(3.0)
        assert night.points() == points
        assert night.closed_at(time.monotonic()) is not None
    finally:
        free()
    again = night.again_after(time.monotonic(), 40)
    record(row, safe_s=safe, again_after_it_is_free_s=again)
    night.finish()
    assert breaks(night.ledger, night.history, at_most=FEW) == []


def test_disk_full(small):
    folder, fill, free = small
    with rig(folder, changes=profile()) as night:
        suffered(night, "F27 disk full", fill, free)


@pytest.mark.core
def test_files_that_may_not_grow(tmp_path):
    """The same without root: writes beyond the present size are refused, worker and daemon."""
    with rig(tmp_path, changes=profile()) as night:
        whole = resource.RLIM_INFINITY
        limited = []

        def fill():
            wal = night.data / "ledger.sqlite-wal"
            limited[:] = [night.pid("worker"), night.pid("daemon")]
            for pid in limited:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (min(4096, wal.stat().st_size), whole))

        def free():
            for pid in {*limited, night.pid("worker"), night.pid("daemon")} - {None}:
                if (night.data / "run").exists() and os.path.exists(f"/proc/{pid}"):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (whole, whole))

        suffered(night, "F27 files may not grow", fill, free)


def test_low_disk_holds_the_queue_and_is_told(tmp_path):
    low = profile(disk_free_gb=1e6)
    with rig(tmp_path, changes=low) as night:
        began = time.monotonic()
        night.submit(night.edges(1, points=20))
        seen = until(lambda: night.notes(0, "disk_low"), within(20), "disk_low")
        until(lambda: night.notes(0, "holding"), within(20), "holding")
        record("F27 disk low", detect_s=seen, held_s=time.monotonic() - began)
        assert night.points() == 0
