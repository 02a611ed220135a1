"""A PostgreSQL server of our own, one for all tests of a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from support.places import ROOT

from materialsdock.errors import Unreachable
from materialsdock.optimisation import storage
from materialsdock.profile.simulation import free_port


def child(program, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*map(str, (*program, *arguments))], env=environment, **options)


def program(name: str) -> str | None:
    """Find a program of PostgreSQL; Debian keeps them off the PATH."""
    there = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or next(map(str, reversed(there)), None)


@pytest.fixture(scope="session")
def postgresql():
    """URL of a PostgreSQL server of our own, which refuses to run as root."""
    initdb, server = program("initdb"), program("postgres")
    if not (initdb and server):
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg", reason="the extra `storage` is not installed")
    owner = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    try:
        if owner:
            shutil.chown(folder, **owner)
        port, data = free_port(), folder / "data"
        made = child((initdb, "-A", "trust", "-U", "searcher", "-D", data), **owner, **quiet)
        if made.wait(60) != 0:
            pytest.skip("initdb cannot make a database here")
        options = ("-p", port, "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
        with child((server, "-D", data, *options), **owner, **quiet) as process:
            yield f"postgresql://searcher:secret@127.0.0.1:{port}/postgres"
            process.send_signal(signal.SIGINT)
    except LookupError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    finally:
        shutil.rmtree(folder)


def wait_for(url):
    deadline = time.monotonic() + 20
    while True:
        try:
            with storage.opened(url):
                return
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
