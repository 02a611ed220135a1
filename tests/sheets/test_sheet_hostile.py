"""Sheets that are broken or hostile: all faults, or one clear refusal, within bounds."""

from __future__ import annotations

import datetime
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sheet_samples import HEADER, ROWS, book, ended_well, refused, write

from materialsdock.sheets import bounds, sheet_files


@given(st.binary(max_size=400), st.sampled_from([b"", HEADER.encode(), b"\xef\xbb\xbf"]))
@settings(max_examples=150)
def test_any_bytes_as_csv_end_in_entries_or_one_refusal(tmp_path_factory, tail, head):
    path = tmp_path_factory.mktemp("sheet") / "s.csv"
    path.write_bytes(head + tail)
    assert ended_well(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "sample_id: is missing"),
        ("sample_id,sample_id,position\na,b,1\n", "is there more than once"),
        (HEADER + "S1,\x00,1,xrd\n", "U+0000"),
        (HEADER + "S1,a\u202eb,1,xrd\n", "RIGHT-TO-LEFT OVERRIDE"),
        (HEADER + 'S1,"x\ny",1,xrd\n', "U+000A"),
        (HEADER + 'S1,"x,1,xrd\n', "is not CSV"),
        (
            (HEADER + "S1,M\u00fcller,1,xrd\n").encode("latin-1"),
            "is not UTF-8: byte 0xfc in line 2",
        ),
        (HEADER.encode("utf-16"), "is not UTF-8"),
        (HEADER + "\n".join(f"S{n},,{n},xrd" for n in range(10_001)), "more than 10000 rows"),
        ("x," * 100_000, "64 columns"),
        (HEADER + "y" * 200_000, "field larger than field limit"),
        (b"," * 5_000_001, "larger than 5 MB"),
        ("", "is empty"),
        (HEADER, "holds no samples"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_a_broken_csv_ends_in_words(tmp_path, content, said):
    assert said in refused(write(tmp_path, "s.csv", content))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("s.json", "[" * 100_000, "nested too deeply"),
        ("s.json", '[{"position": 1, "position": 2}]', "'position' twice"),
        ("s.json", '{"sample": []}', "'sample' beside 'samples'"),
        ("s.json", '{"samples": 3}', "no list of tables"),
        ("s.json", "[" + "{}," * 10_001 + "{}]", "10002 rows"),
        ("s.json", '[{"sample_id": "a", "position": ' + "9" * 5000 + "}]", "is not JSON"),
        ("s.json", '[{"sample_id": "a", "position": NaN, "technique": "xrd"}]', "position: nan"),
        ("s.json", '[{"sample_id": "\\ud800", "position": 1, "technique": "xrd"}]', "U+D800"),
        ("s.json", b"\xff\xfe[", "is not JSON"),
        ("s.toml", "samples = 3", "no list of tables"),
        ("s.toml", "x = " + "[" * 50_000, "nested too deeply"),
        ("s.toml", "[[samples]]\nsample_id = 2024-01-01\nposition = 1\n", "2024-01-01"),
        ("s.toml", "[[samples]\n", "is not TOML"),
        ("s.xls", "x", "'.xls' is none of .csv, .xlsx"),
        ("s.xlsx", "PK\x03\x04 and no more", "is not a complete XLSX file"),
    ],
)
def test_other_broken_texts_end_in_words(tmp_path, name, content, said):
    assert said in refused(write(tmp_path, name, content))


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in refused(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "folder.csv" in refused(tmp_path / "folder.csv")
    assert "No such file" in refused(tmp_path / "absent.csv")


def _formula(sheet):
    sheet["B2"] = "=1+1"


def _date(sheet):
    sheet["A2"] = datetime.date(2024, 3, 1)


def _merged(sheet):
    sheet.merge_cells("B2:C3")


def _far(sheet):
    sheet["XFD1048576"] = 1


def _deep(sheet):
    sheet["A10500"] = "x"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_formula, "cell B2: a formula"),
        (_date, "row 2, sample_id: '2024-03-01' is a date"),
        (_merged, "rows 2 to 3, columns 2 to 3: merged cells"),
        (_far, "s.xlsx"),
        (_deep, "10499 rows"),
    ],
)
def test_cells_that_are_no_plain_values_are_named(tmp_path, change, said):
    assert said in refused(book(tmp_path / "s.xlsx", change=change))


def repacked(path, change, *, more=()):
    """The workbook with each member's content changed, and more members."""
    with zipfile.ZipFile(path) as old:
        members = [(name, change(name, old.read(name))) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in [*members, *more]:
            new.writestr(name, content)
    return path


def same(name, content):
    return content


BOMB = b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>'


def entities(name, content):
    return BOMB + content.split(b"?>", 1)[-1] if name.endswith("sheet1.xml") else content


def cut_short(name, content):
    return content[: len(content) // 2] if name.endswith("sheet1.xml") else content


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (entities, (), "declares XML entities"),
        (cut_short, (), "is not a workbook"),
        (same, [("zeros.xml", bytes(40_000_000))], "more than 100 times its size"),
        (same, [(f"m{n}.xml", b"x") for n in range(200)], "members are more than 200"),
        (same, [("/etc/x", b"x")], "leaves the archive"),
        (same, [("xl/../../x", b"x")], "leaves the archive"),
        (same, [("xl/inner.zip", b"x")], "is an archive in the archive"),
    ],
)
def test_a_hostile_workbook_is_refused_before_it_is_unpacked(tmp_path, change, more, said):
    path = repacked(book(tmp_path / "s.xlsx"), change, more=more)
    assert said in refused(path)


def test_a_workbook_of_too_much_is_refused_by_its_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LARGEST_UNPACKED_BYTES", 1000)
    assert "MB unpacked" in refused(book(tmp_path / "s.xlsx"))


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_truncated_workbook_is_refused(tmp_path, share):
    raw = book(tmp_path / "s.xlsx").read_bytes()
    assert "XLSX" in refused(write(tmp_path, "t.xlsx", raw[: int(share * len(raw))]))


def test_damaged_bytes_in_a_workbook_end_in_words_or_entries(tmp_path):
    raw = book(tmp_path / "s.xlsx").read_bytes()
    rng = random.Random(1)
    for number in range(12):
        damaged = bytearray(raw)
        for _ in range(8):
            damaged[rng.randrange(len(raw))] = rng.randrange(256)
        path = write(tmp_path, f"d{number}.xlsx", bytes(damaged))
        assert ended_well(path)


def test_a_parser_that_hangs_is_ended(tmp_path, monkeypatch):
    slow = write(tmp_path, "slow.py", "import time; time.sleep(60)")
    monkeypatch.setattr(bounds.parser_child, "__file__", str(slow))
    monkeypatch.setattr(bounds, "TIME_LIMIT_S", 0.3)
    assert "longer than 0.3 s" in refused(write(tmp_path, "s.json", "[]"))


def heavy(folder):
    """Within every bound of the directory: 49 MB of XML in one sheet, packed 40 to 1."""
    path = book(folder / "heavy.xlsx")
    rng = random.Random(1)
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            f'<c r="{chr(65 + c)}{r}" t="inlineStr"><is><t>'
            f"{rng.getrandbits(14)}{'x' * 150}</t></is></c>"
            for c in range(24)
        )
        + "</row>"
        for r in range(1, 9_000)
    )[:48_500_000]
    cells = cells[: cells.rindex("</row>") + 6]

    def fill(name, content):
        if not name.endswith("sheet1.xml"):
            return content
        head = content[: content.index(b"<sheetData")]
        return head + b"<sheetData>" + cells.encode() + b"</sheetData></worksheet>"

    return repacked(path, fill)


MEASURE = """
import resource, sys, time
from pathlib import Path
from materialsdock.errors import InputError
from materialsdock.sheets.sheet_files import read_sheet
began = time.monotonic()
try:
    read_sheet(Path(sys.argv[1]))
except InputError as error:
    print(str(error)[:200].splitlines()[0])
(mine,) = (int(line.split()[1]) // 1024 for line in open("/proc/self/status") if "VmHWM" in line)
others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(mine, others, time.monotonic() - began)
"""


def far(folder):
    return book(folder / "far.xlsx", change=_far)


def wide(folder):
    cells = "\n".join(",".join(["1"] * 60) for _ in range(10_000))
    return write(folder, "wide.csv", ",".join(f"c{n}" for n in range(60)) + "\n" + cells)


def nested(folder):
    return write(folder, "nested.json", "[" + "[]," * 1_600_000 + "[]]")


def dotted(folder):
    return write(folder, "dotted.toml", "a" + ".a" * 20_000 + " = 1")


@pytest.mark.parametrize(
    "made", [nested, *(pytest.param(e, marks=pytest.mark.slow) for e in (heavy, far, wide, dotted))]
)
def test_the_worst_files_stay_within_200_mb_and_10_s(tmp_path, made):
    path = made(tmp_path)
    assert path.stat().st_size <= bounds.LARGEST_BYTES
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(sheet_files.__file__).parents[2],
    )
    words, numbers = done.stdout.strip().splitlines()
    mine, others, seconds = map(float, numbers.split())
    assert words
    assert mine <= 200
    assert others <= 200
    assert seconds <= 10.5


def test_the_answer_of_the_bounded_process_is_one_line_of_json(tmp_path):
    raw = book(tmp_path / "s.xlsx").read_bytes()
    answer = bounds.parsed("xlsx", raw, Path("s.xlsx"))
    assert answer == {"cells": ROWS, "faults": []}
