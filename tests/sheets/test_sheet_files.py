"""Sheets from files of every format, written and read back; every fault is listed."""

from __future__ import annotations

import json

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sheet_samples import ROWS, book, refused, write

from materialsdock.sheets.entry import SheetEntry
from materialsdock.sheets.sheet_files import read_sheet, write_sheet, write_template
from materialsdock.techniques.xas.sheet import ELEMENTS

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
        SheetEntry(
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
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_as_csv_is_read_back(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("sheet") / "s.csv"
    write_sheet(path, entries)
    assert read_sheet(path) == entries


def test_every_format_says_the_same(tmp_path):
    rows = [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]
    wanted = tuple(SheetEntry(**row) for row in rows)
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
        SheetEntry(sample_id="101", position=0, technique="xrd", name="=1+1", comment="-x"),
        SheetEntry(sample_id="b", position=3, recipe="xanes", phases=(), owner="7"),
    )
    write_sheet(tmp_path / "s.xlsx", entries, ["xanes"])
    assert read_sheet(tmp_path / "s.xlsx") == entries
    write_template(tmp_path / "t.xlsx", ["xanes", "exafs"])
    made = openpyxl.load_workbook(tmp_path / "t.xlsx")
    choices = made["samples"].data_validations.dataValidation
    assert len(choices) == 5
    assert {c.value for c in made["words"]["E"]} >= {"technique", "xrd", "xas"}
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
        "header, technik: is not a column of a sheet; did you mean 'technique'?",
        "row 2, name: \"=cmd|' /c calc'!A1\" is a formula",
        "row 4: 'extra' is in a column without a name",
        "row 4, sample_id: 's1' is already used in row 2",
        "row 4, position: 1 is already used in row 2",
    ):
        assert any(line.startswith(part) for line in said), part


def test_text_that_begins_with_an_equals_sign_is_text_in_a_workbook(tmp_path):
    def quoted(sheet):
        sheet["B2"].value = "=x"
        sheet["B2"].data_type = "s"

    assert read_sheet(book(tmp_path / "s.xlsx", change=quoted))[0].name == "=x"


@pytest.mark.slow
def test_the_largest_sheets_that_are_allowed_are_read(tmp_path):
    entries = tuple(
        SheetEntry(
            sample_id=f"S{n:05d}",
            position=n,
            recipe="xanes",
            element="Fe",
            edge="K",
            owner="me",
            name=f"sample {n}",
            comment="as received",
            threshold=0.05,
            maximum_minutes=n + 0.5,
        )
        for n in range(10_000)
    )
    for name, some in (("s.csv", entries), ("s.xlsx", entries[:3000])):  # openpyxl is slow
        write_sheet(tmp_path / name, some)
        assert read_sheet(tmp_path / name) == some
    rows = [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries]
    assert read_sheet(write(tmp_path, "s.json", json.dumps(rows))) == entries
