"""Sheets on disk for tests, and how they are refused."""

from __future__ import annotations

import openpyxl
import pytest

from materialsdock.errors import InputError
from materialsdock.sheets.sheet_files import read_sheet

HEADER = "sample_id,name,position,technique\n"
ROWS = [
    ["sample_id", "name", "position", "technique"],
    ["S1", "one", 1, "xrd"],
    ["S2", "two", 2, "xas"],
]


def ended_well(path):
    """Return True if there were entries, or a refusal that names the file."""
    try:
        return bool(read_sheet(path))
    except InputError as error:
        return str(path) in error.where


def book(path, rows=ROWS, change=lambda sheet: None):
    made = openpyxl.Workbook()
    made.active.title = "samples"
    for row in rows:
        made.active.append(row)
    change(made.active)
    made.save(path)
    return path


def refused(path):
    with pytest.raises(InputError) as caught:
        read_sheet(path)
    return str(caught.value)


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
