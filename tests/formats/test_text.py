"""Text of any encoding, and decimal commas that a whole file agrees on."""

from __future__ import annotations

import pytest

from materialsdock.formats.text import decoded, unaccented, with_points

TEXT = "Winkel °\n20 61\n20.02 56\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_every_encoding_gives_the_text(encoding):
    assert decoded(TEXT.encode(encoding)) == TEXT


def test_what_stands_behind_the_end_of_file_mark_is_no_text():
    assert decoded(b"20 61\n\x1arubbish") == "20 61\n"


def test_bytes_that_are_no_text_are_binary():
    assert decoded(b"RAW1.01\x00\x01\x02" * 9) is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["20,00;61", "20,02;56"], ["20.00;61", "20.02;56"]),
        (["6960;0,361", "6965;0,358"], ["6960;0.361", "6965;0.358"]),
        (["6960,000 0,361", "6965,000 0,358"], ["6960.000 0.361", "6965.000 0.358"]),
        (["x\ty", "20,00\t61,0"], ["x\ty", "20.00\t61.0"]),
    ],
)
def test_decimal_commas_become_points(rows, expected):
    assert with_points(rows) == (expected, True)


@pytest.mark.parametrize(
    "rows",
    [["20,61", "21,56"], ["20.0, 61", "20.02, 56"], ["1,2,3"], ["20.0\t61", "20.02\t1,234"], []],
)
def test_other_commas_stay(rows):
    assert with_points(rows) == (rows, False)


def test_accents_do_not_hide_a_name():
    assert unaccented("Énergie") == "Energie"
