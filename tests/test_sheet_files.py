"""Sheets from files, however broken or hostile: all faults, or one clear refusal, in bounds."""

from __future__ import annotations

import datetime
import io
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materialsdock import sheet_bounds, sheet_files
from materialsdock.errors import InputError
from materialsdock.sheet import ELEMENTS, Entry
from materialsdock.sheet_files import read_sheet, write_sheet, write_template

HEADER = "sample_id,name,position,technique\n"
ROWS = [
    ["sample_id", "name", "position", "technique"],
    ["S1", "one", 1, "xrd"],
    ["S2", "two", 2, "xas"],
]

visible = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30)
names = st.one_of(visible, visible.map(lambda t: f"={t}"), visible.map(lambda t: f"'-{t}"))
ids = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,20}x\Z")
phase = st.one_of(ids, ids.map(lambda t: f"/data/{t} 1.cif"))
positive = st.floats(min_value=1e-6, max_value=0.9)


@st.composite
def diffraction(draw):
    start = draw(st.floats(-10, 50))
    return {
        "technique": "xrd",
        "two_theta_start": start,
        "two_theta_stop": start + draw(st.floats(1, 90)),
        "two_theta_step": draw(st.none() | positive),
        "composition": draw(st.sampled_from(["", "Fe2O3", "Fe,O", "Ca5(PO4)3F"])),
        "phases": tuple(draw(st.lists(phase, max_size=3))),
    }


@st.composite
def absorption(draw):
    return {
        "recipe": draw(st.sampled_from(["xanes", "exafs"])),
        "element": draw(st.sampled_from(ELEMENTS[:20])),
        "edge": "K",
        "standards": tuple(draw(st.lists(ids.map(lambda t: f"/s/{t}.dat"), max_size=2))),
    }


@st.composite
def sheets(draw):
    many = draw(st.lists(ids, min_size=1, max_size=5, unique_by=str.casefold))
    return tuple(
        Entry(
            sample_id=name,
            position=number,
            **draw(st.one_of(diffraction(), absorption())),
            name=draw(names),
            comment=draw(names),
            priority=draw(st.integers(-5, 5)),
            threshold=draw(st.none() | positive),
            maximum_minutes=draw(st.none() | positive),
            replay=draw(st.none() | st.just("/data/=odd name.xye")),
        )
        for number, name in enumerate(many)
    )


@given(sheets())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_as_csv_is_read_back(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("sheet") / "s.csv"
    write_sheet(path, entries)
    assert read_sheet(path) == entries


@given(st.binary(max_size=400), st.sampled_from([b"", HEADER.encode(), b"\xef\xbb\xbf"]))
@settings(max_examples=150, deadline=None)
def test_any_bytes_as_csv_end_in_entries_or_one_refusal(tmp_path_factory, tail, head):
    path = tmp_path_factory.mktemp("sheet") / "s.csv"
    path.write_bytes(head + tail)
    assert ended_well(path)


def ended_well(path):
    """Whether there were entries, or a refusal that names the file."""
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


def test_every_format_says_the_same(tmp_path):
    rows = [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]
    wanted = tuple(Entry(**row) for row in rows)
    tables = "".join(
        "[[samples]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in row.items())
        for row in rows
    )
    lines = "\n".join(",".join(map(str, row)) for row in ROWS)
    files = [
        book(tmp_path / "s.xlsx"),
        write(tmp_path, "s.toml", tables),
        write(tmp_path, "s.json", json.dumps({"samples": rows})),
        write(tmp_path, "list.json", json.dumps(rows)),
        write(tmp_path, "s.csv", lines),
        write(tmp_path, "bom.csv", b"\xef\xbb\xbf" + lines.encode()),
        write(tmp_path, "excel.csv", lines.replace(",", ";").replace("\n", "\r\n")),
        write(tmp_path, "mac.csv", lines.replace(",", "\t").replace("\n", "\r")),
        write(tmp_path, "words.csv", lines.replace("sample_id", "Sample ID")),
    ]
    for path in files:
        assert read_sheet(path) == wanted, path.name


def test_a_workbook_is_read_back_and_its_words_are_offered(tmp_path):
    entries = (
        Entry(sample_id="101", position=0, technique="xrd", name="=1+1", comment="-x"),
        Entry(sample_id="b", position=3, recipe="xanes", phases=(), owner="7"),
    )
    write_sheet(tmp_path / "s.xlsx", entries, ["xanes"])
    assert read_sheet(tmp_path / "s.xlsx") == entries
    write_template(tmp_path / "t.xlsx", ["xanes", "exafs"])
    made = openpyxl.load_workbook(tmp_path / "t.xlsx")
    choices = made["samples"].data_validations.dataValidation
    assert len(choices) == 4
    assert {c.value for c in made["words"]["D"]} >= {"technique", "xrd", "xas"}
    assert "no samples" in refused(tmp_path / "t.xlsx")


def test_relative_files_lie_beside_the_sheet_and_ids_of_the_store_do_not(tmp_path):
    row = {**dict(zip(ROWS[0], ROWS[1], strict=True)), "phases": ["a.cif", "id7", "/x/b.cif"]}
    path = write(tmp_path, "s.json", json.dumps([{**row, "replay": "m/a.xye"}]))
    (entry,) = read_sheet(path)
    assert entry.phases == (str(tmp_path / "a.cif"), "id7", "/x/b.cif")
    assert entry.replay == str(tmp_path / "m/a.xye")


def test_every_fault_of_a_sheet_is_listed_with_row_and_column(tmp_path):
    text = "Sample ID,technik,position,name\nS1,xrd,1,=cmd|' /c calc'!A1\n\ns1,xrd,1,x,extra\n"
    said = refused(write(tmp_path, "s.csv", text)).splitlines()
    assert said[0].endswith("5 faults; nothing is queued")
    for part in (
        "header, technik: is no column; did you mean 'technique'?",
        "row 2, name: \"=cmd|' /c calc'!A1\" is a formula",
        "row 4: 'extra' stands in a column without a name",
        "row 4, sample_id: 's1' stands in row 2 already",
        "row 4, position: 1 stands in row 2 already",
    ):
        assert any(line.startswith(part) for line in said), part


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "sample_id: is missing"),
        ("sample_id,sample_id,position\na,b,1\n", "stands there more than once"),
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
        ("s.xlsx", "PK\x03\x04 and no more", "is no whole XLSX file"),
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
    monkeypatch.setattr(sheet_bounds, "LARGEST_UNPACKED_BYTES", 1000)
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
    monkeypatch.setattr(sheet_bounds.sheet_parsing, "__file__", str(slow))
    monkeypatch.setattr(sheet_bounds, "TIME_LIMIT_S", 0.3)
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
from materialsdock.sheet_files import read_sheet
began = time.monotonic()
try:
    read_sheet(Path(sys.argv[1]))
except InputError as error:
    print(str(error)[:200].splitlines()[0])
(mine,) = (int(line.split()[1]) // 1024 for line in open("/proc/self/status") if "VmHWM" in line)
others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(mine, others, time.monotonic() - began)
"""


def test_the_worst_files_stay_within_200_mb_and_10_s(tmp_path):
    wide = "\n".join(",".join(["1"] * 60) for _ in range(10_000))
    files = [
        heavy(tmp_path),
        book(tmp_path / "far.xlsx", change=_far),
        write(tmp_path, "wide.csv", ",".join(f"c{n}" for n in range(60)) + "\n" + wide),
        write(tmp_path, "nested.json", "[" + "[]," * 1_600_000 + "[]]"),
        write(tmp_path, "dotted.toml", "a" + ".a" * 20_000 + " = 1"),
    ]
    for path in files:
        assert path.stat().st_size <= sheet_bounds.LARGEST_BYTES, path.name
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path)],
            capture_output=True, text=True, timeout=60,
            cwd=Path(sheet_files.__file__).parents[1],
        )  # fmt: skip
        words, numbers = done.stdout.strip().splitlines()
        mine, others, seconds = map(float, numbers.split())
        assert words
        assert mine <= 200, path.name
        assert others <= 200, path.name
        assert seconds <= 10.5, path.name


def test_the_answer_of_the_bounded_process_is_one_line_of_json(tmp_path):
    raw = io.BytesIO(book(tmp_path / "s.xlsx").read_bytes()).getvalue()
    answer = sheet_bounds.parsed("xlsx", raw, Path("s.xlsx"))
    assert answer == {"cells": ROWS, "faults": []}


def test_the_largest_sheets_that_are_allowed_are_read(tmp_path):
    entries = tuple(
        Entry(
            sample_id=f"S{n:05d}", position=n, recipe="xanes", element="Fe", edge="K", owner="me",
            name=f"sample {n}", comment="as received", threshold=0.05, maximum_minutes=n + 0.5,
        )
        for n in range(10_000)
    )  # fmt: skip
    for name, some in (("s.csv", entries), ("s.xlsx", entries[:3000])):  # openpyxl is slow
        write_sheet(tmp_path / name, some)
        assert read_sheet(tmp_path / name) == some
    rows = [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries]
    assert read_sheet(write(tmp_path, "s.json", json.dumps(rows))) == entries
