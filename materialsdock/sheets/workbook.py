"""A workbook for people to fill in: words to choose from, and what each column takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.styles import Font  # type: ignore[import-untyped]
from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]
from openpyxl.worksheet.datavalidation import DataValidation  # type: ignore[import-untyped]

from materialsdock.sheets.entry import KNOWN, NUMBERS
from materialsdock.sheets.parser_child import MOST_ROWS, SHEET

TEXT = "@"  # number format under which nothing turns into a date
WORDS = "words"
ROWS_OFFERED = 1000


def write_workbook(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]], recipes: Sequence[str]
) -> None:
    """Write the sheet "samples" with drop-down lists, whose words stand in a second sheet."""
    book = Workbook()
    sheet = book.active
    sheet.title = SHEET
    sheet.append(list(columns))
    for row in rows:
        sheet.append([None if value == "" else value for value in row])
    last = min(max(len(rows) + 1, ROWS_OFFERED), MOST_ROWS)
    for number, column in enumerate(columns, 1):
        letter = get_column_letter(number)
        sheet[f"{letter}1"].font = Font(bold=True)
        sheet.column_dimensions[letter].width = max(10, len(column) + 2)
        if column not in NUMBERS:
            sheet.column_dimensions[letter].number_format = TEXT
            for cell in sheet[letter][1:]:
                cell.number_format = TEXT
    sheet.freeze_panes = "B2"
    _offer(book, columns, {**KNOWN, "recipe": recipes}, last)
    book.save(path)


def _offer(
    book: Workbook, columns: Sequence[str], words: dict[str, Sequence[str]], last: int
) -> None:
    kept = book.create_sheet(WORDS)
    for number, (column, known) in enumerate(sorted(words.items()), 1):
        if not known:
            continue
        letter = get_column_letter(number)
        for row, word in enumerate([column, *known], 1):
            kept.cell(row, number, word)
        choice = DataValidation(
            type="list",
            formula1=f"{WORDS}!${letter}$2:${letter}${len(known) + 1}",
            allow_blank=True,
            showErrorMessage=True,
            errorTitle=column,
            error="Choose a word of the list.",
        )
        book[SHEET].add_data_validation(choice)
        at = get_column_letter(columns.index(column) + 1)
        choice.add(f"{at}2:{at}{last}")
