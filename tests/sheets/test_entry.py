"""One line of a sample sheet: what is taken, what is refused, and in which words."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from materialsdock.sheets.entry import Fault, SheetEntry, contradictions, entry_of, refusal, shared

SOUND = {"sample_id": "S1", "position": 1, "technique": "xrd"}


def words(**changes):
    row, faults = entry_of({**SOUND, **changes}, "row 2")
    assert isinstance(row, SheetEntry) != bool(faults)
    return [str(fault) for fault in faults]


def test_a_sound_row_is_an_entry_and_survives_its_json():
    entry = SheetEntry(**SOUND, phases="a.cif; id7", name=" e\u0301tain ", threshold="0.1")
    assert entry.phases == ("a.cif", "id7")
    assert entry.name == "\u00e9tain"
    assert entry.known_as == entry.name
    assert SheetEntry.model_validate(json.loads(json.dumps(entry.model_dump(mode="json")))) == entry
    assert SheetEntry(**SOUND).known_as == "S1"


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("sample_id", "CON", "cannot be a file name under Windows"),
        ("sample_id", "lpt1.dat", "cannot be a file name under Windows"),
        ("sample_id", "S1.", "cannot be a file name under Windows"),
        ("sample_id", "../x", "may only hold letters, digits"),
        ("sample_id", "a" * 65, "64 at most"),
        ("sample_id", 7, "is not a valid string"),
        ("name", "a\u202eb", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("name", "a\x00b", "U+0000"),
        ("name", "a\nb", "U+000A"),
        ("name", "\ud800", "U+D800"),
        ("name", "a\u200bb", "ZERO WIDTH SPACE"),
        ("name", "x" * 121, "at most 120"),
        ("position", -1, "greater than or equal to 0"),
        ("position", True, "is not a number"),
        ("position", "1.5", "is not a valid integer"),
        ("position", 10**30, "less than or equal to"),
        ("technique", "xrf", "is none of xrd, xas; did you mean 'xrd'?"),
        ("two_theta_start", "1,5", "write the decimal point as a point"),
        ("two_theta_step", 0, "greater than 0"),
        ("count_time_s", "nan", "is not a finite number"),
        ("maximum_minutes", float("inf"), "is not a finite number"),
        ("threshold", 1, "less than 1"),
        ("maximum_points", 0, "greater than or equal to 1"),
        ("composition", "Fe2Zz3", "names no element Zz"),
        ("composition", "rust", "names no elements"),
        ("recipe", "../../etc/passwd", "may only hold letters"),
        ("phases", ["a;b.cif"], "separates the members"),
        ("edgee", "K", "is not a column of a sheet; did you mean 'edge'?"),
        ("tth_step", 1, "is not a column of a sheet; did you mean 'two_theta_step'?"),
    ],
)
def test_a_bad_value_is_named_with_its_row_column_and_reason(column, value, said):
    (sentence,) = words(**{column: value})
    assert sentence.startswith(f"row 2, {column}: ")
    assert said in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    ("changes", "column", "said"),
    [
        ({"technique": None}, "technique", "is missing: xrd or xas, or name a recipe"),
        ({"element": "Fe", "edge": "K"}, "element", "is of xas, the technique is xrd"),
        ({"technique": "xas", "phases": ("a.cif",)}, "phases", "is of xrd"),
        ({"technique": "xas", "edge": "K"}, "element", "of which element is the edge?"),
        ({"technique": "xas", "element": "O", "edge": "M1"}, "edge", "there is K, L1, L2, L3"),
        ({"two_theta_start": 5}, "two_theta_stop", "start and stop come together"),
        ({"two_theta_start": 9, "two_theta_stop": 9}, "two_theta_stop", "is not above"),
        (
            {"technique": "xas", "energy_start_ev": 9.0, "energy_stop_ev": 8.0},
            "energy_stop_ev",
            "is not above",
        ),
    ],
)
def test_columns_that_do_not_go_together_are_named(changes, column, said):
    sentences = words(**changes)
    assert any(s.startswith(f"row 2, {column}: ") and said in s for s in sentences)
    with pytest.raises(ValidationError, match=column):
        SheetEntry(**{**SOUND, **changes})


def test_all_faults_of_a_row_come_at_once_and_none_follows_from_another():
    sentences = words(sample_id="a b", position="x", technique="xrf", edge="K", count_time_s=-1)
    columns = [s.split(", ")[1].split(":")[0] for s in sentences]
    assert columns == ["sample_id", "position", "technique", "element", "count_time_s"]


def test_ids_in_any_case_and_positions_are_given_once():
    rows = [("row 2", SheetEntry(**SOUND)), ("row 3", SheetEntry(**{**SOUND, "sample_id": "s1"}))]
    assert [str(fault) for fault in shared(rows)] == [
        "row 3, sample_id: 's1' is already used in row 2",
        "row 3, position: 1 is already used in row 2",
    ]
    assert shared([*rows[:1], ("row 3", SheetEntry(sample_id="b", position=2, recipe="r"))]) == []


def test_a_long_list_of_faults_is_counted_to_its_end():
    error = refusal([Fault(f"row {n}", "name", "x", "is bad") for n in range(700)], "s.csv")
    assert error.what.startswith("700 faults")
    assert error.what.endswith("and 200 more")
    assert error.where == "s.csv"


def test_what_a_faulty_column_would_need_is_not_judged():
    row = SheetEntry(**SOUND).model_copy(update={"edge": "K"})
    assert {column for column, _ in contradictions(row, ())} == {"element", "edge"}
    assert contradictions(row, ("edge",)) == []
