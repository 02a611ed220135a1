"""Bruker RAW v3 whose ranges leave the length of a record out: it is that of one count.

Offsets as rietx documents them (rietx.io.formats.bruker_raw); such files come from converters.
"""

from __future__ import annotations

import struct

MAGIC = b"RAW1.01"
FILE_HEADER, VARYING, RECORD_LENGTH, EXTRA = 712, 248, 252, 256
ONE_COUNT = 4  # bytes of a float32
MOST_RANGES = 4096


def with_record_lengths(raw: bytes) -> bytes:
    """The file with lengths of 4 where it says 0, if its size is then the one it has."""
    if not raw.startswith(MAGIC):
        return raw
    changed, at = bytearray(raw), FILE_HEADER
    try:
        (ranges,) = struct.unpack_from("<i", raw, 12)
        for _ in range(min(ranges, MOST_RANGES)):
            header, points = struct.unpack_from("<ii", raw, at)
            varying, length, extra = struct.unpack_from("<iii", raw, at + VARYING)
            if length == 0 and varying == 0:
                struct.pack_into("<i", changed, at + RECORD_LENGTH, ONE_COUNT)
                length = ONE_COUNT
            at += header + extra + points * length
    except struct.error:
        return raw
    return bytes(changed) if at == len(raw) else raw
