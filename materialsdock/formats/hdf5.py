"""HDF5 files, which a damage can turn into an endless loop or a crash inside the HDF5 library.

Run as a program, this module reads all of a file that comes through standard input, and says
nothing: whoever starts it sees whether it comes back.  Its time is that of the processor, so that a
busy machine does not make a good file a bad one.
"""

from __future__ import annotations

import io
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAGIC = b"\x89HDF\r\n\x1a\n"
LIMIT_S, S_PER_MB = 10.0, 1.0
PATIENCE = 30  # times as long on the clock as on the processor
MOST_OBJECTS, MOST_NUMBERS = 20_000, 5_000_000
FAULTS = (OSError, RuntimeError, ValueError, KeyError, TypeError, NotImplementedError, MemoryError)


def is_harmless(raw: bytes, limit_s: float = LIMIT_S) -> bool:
    """True for a file that a process of its own read to its end in `limit_s` of the processor."""
    seconds = limit_s + S_PER_MB * len(raw) / 1e6
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(__file__).resolve()), f"{seconds:.3f}"],
            input=raw,
            capture_output=True,
            timeout=PATIENCE * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _walk(group: Any, room: list[int]) -> Iterator[Any]:
    """The objects of a file, each once, but for links that leave it."""
    import h5py

    for name in group:
        room[0] -= 1
        if room[0] < 0:
            return
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            item = group[name]
            yield item
            if isinstance(item, h5py.Group):
                yield from _walk(item, room)


def _read_all(raw: bytes, limit_s: float) -> None:
    import h5py

    used = time.process_time()  # for the imports
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + limit_s),) * 2)
    with h5py.File(io.BytesIO(raw), "r") as file:
        for item in (file, *_walk(file, [MOST_OBJECTS])):
            try:
                dict(item.attrs)
                is_data = isinstance(item, h5py.Dataset) and not item.is_virtual
                if is_data and not item.external and item.size <= MOST_NUMBERS:
                    item[()]
            except FAULTS:  # said by the reader, if it needs this object
                continue


if __name__ == "__main__":
    try:
        _read_all(sys.stdin.buffer.read(), float(sys.argv[1]))
    except FAULTS:  # said by the reader
        sys.exit(0)
