"""Tables: what stands around the rows, and the names of their columns."""

from __future__ import annotations

import pytest

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.formats.table import names_in, read_table

ROWS = ["20.0 5", "20.1 6", "20.2 7"]


def table(*text):
    return read_table(Lines("scan.dat", text))


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("# 2theta (deg) Intensity (counts)", ("2theta (deg)", "Intensity (counts)")),
        ("Angle [°2Th.],Intensity", ("Angle [°2Th.]", "Intensity")),
        ("angle\tcounts", ("angle", "counts")),
        ("one two three", None),
    ],
)
def test_a_heading_names_as_many_columns_as_there_are(heading, names):
    assert names_in(heading, 2) == names


def test_what_stands_around_the_rows_is_left_out_and_said():
    found = table("a pattern", "3", *ROWS, "End of scan")
    assert found.values.tolist() == [[20.0, 5], [20.1, 6], [20.2, 7]]
    assert found.dropped == (
        "the numbers above the rows, line 2",
        "the text behind the rows, from line 6 on",
    )


def test_numbers_may_stand_in_quotes():
    found = table('"2theta","counts"', '"20.0","5"', '"20.1","6"')
    assert found.values.tolist() == [[20.0, 5.0], [20.1, 6.0]]
    assert found.names == ("2theta", "counts")


def test_a_row_cut_off_is_left_out_and_said():
    found = table(*ROWS, "20.")
    assert found.values.shape == (3, 2)
    assert found.dropped == ("the last row, line 4, has 1 of 2 columns",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ((*ROWS, "second scan", *ROWS), "line 4"),
        ((*ROWS, "20.3 oops", "end"), "line 4"),
        ((*ROWS, "20.3 7 8", "20.4 1"), "line 4"),
        (("only", "words"), "line 1"),
    ],
)
def test_text_between_rows_and_broken_rows_are_refused(text, says):
    with pytest.raises(InputError, match=says):
        table(*text)
