"""The additions of techniques to a sample sheet: types of cells, what they may ask of a row."""

from __future__ import annotations

import typing
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from materialsdock.model import Measured

LINE, PARAGRAPH, PATH = 120, 1000, 500  # longest texts
BETWEEN = ";"  # the members of a list in one cell
JOINERS = "\u200c\u200d"  # of letters in some scripts, and of pictures: harmless
Contradiction = tuple[tuple[str, ...], str]  # columns that do not go together, and why


class PlannedEntry(Protocol):
    """A row of a sheet with its recipe and profile, as a technique asks for its scan.

    entry : the row, with the columns of every technique
    """

    @property
    def technique(self) -> str:
        """The name of the technique."""

    @property
    def profile(self) -> Any:
        """The profile (a profile.config.Profile) as the recipe changes it."""

    @property
    def entry(self) -> Any:
        """The row of the sheet."""

    def said(self, key: str) -> Any:
        """Return the value in the row, or else in its recipe; None where both are silent."""

    def replayed(self) -> Measured | None:
        """The file that is replayed; None where none is."""

    def part(self, asked: tuple[float, float] | None, *, strict: bool) -> Measured:
        """The replayed file as far as it is asked for [unit of its axis]; None: all of it.

        strict : refuse a range beyond the file; otherwise the file ends it
        """


@dataclass(frozen=True)
class OneOfWords:
    """A marker in an Annotated type: one of the known words in any case, as written here."""

    known: tuple[str, ...]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.checked, handler(source))

    def checked(self, value: Any) -> Any:
        """The word as it is written here; ValueError for any other."""
        found = [word for word in self.known if type(value) is str and _same(word, value)]
        if not found:
            raise ValueError(f"is none of {', '.join(self.known)}")
        return found[0]


def words(columns: type[BaseModel]) -> Mapping[str, Sequence[str]]:
    """The words to choose from, by column, of those columns that take known words only."""
    kinds = {name: [*_kinds(field.annotation)] for name, field in columns.model_fields.items()}
    return {
        name: kind.known
        for name, found in kinds.items()
        for kind in found
        if type(kind) is OneOfWords
    }


def numbers(columns: type[BaseModel]) -> frozenset[str]:
    """The columns that hold numbers."""
    fields = columns.model_fields.items()
    return frozenset(n for n, field in fields if {int, float} & {*_kinds(field.annotation)})


def range_faults(row: Any, first: str, last: str) -> Iterator[Contradiction]:
    """Yield what is wrong with the range from column `first` to column `last`."""
    start, stop = getattr(row, first), getattr(row, last)
    if (start is None) != (stop is None):
        absent = first if start is None else last
        yield (absent, first, last), "is missing: start and stop come together"
    elif start is not None and start >= stop:
        yield (last, first), f"is not above {first} = {start:g}"


def _kinds(annotation: Any) -> Iterator[Any]:
    """Plain types and markers in an annotation, members of tuples left out."""
    if typing.get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        yield from _kinds(annotation.__origin__)
    elif typing.get_origin(annotation) is tuple:
        yield tuple
    elif parts := typing.get_args(annotation):
        for part in parts:
            yield from _kinds(part)
    else:
        yield annotation


def _same(word: str, written: str) -> bool:
    return word.casefold() == written.casefold()


def _tidy(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    odd = next((c for c in value if _unspeakable(c)), None)
    if odd is not None:
        name = unicodedata.name(odd, "a control or invalid character")
        raise ValueError(f"holds U+{ord(odd):04X} ({name})")
    return unicodedata.normalize("NFC", value).strip()


def _unspeakable(c: str) -> bool:
    """Control, direction override, invisible, half a character, or none at all."""
    kind, code = unicodedata.category(c), ord(c)
    hidden = kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and c not in JOINERS)
    return hidden or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def no_truth(value: Any) -> Any:
    """Refuse true and false where a number belongs."""
    if isinstance(value, bool):
        raise ValueError("is not a number")
    return value


def _members(value: Any) -> Any:
    """A list as text, its members between semicolons."""
    return [part for part in value.split(BETWEEN) if part.strip()] if type(value) is str else value


def _numbers(value: Any) -> Any:
    """A list of numbers, of text between semicolons, or of one number."""
    return [value] if isinstance(value, (int, float)) else _members(value)


def _no_separator(value: str) -> str:
    if BETWEEN in value:
        raise ValueError(f"holds {BETWEEN!r}, which separates the members of a list")
    return value


Text = Annotated[str, BeforeValidator(_tidy)]
Line = Annotated[Text, Field(max_length=LINE)]
Number = Annotated[float, BeforeValidator(no_truth), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Whole = Annotated[int, BeforeValidator(no_truth)]
File = Annotated[Text, Field(min_length=1, max_length=PATH), AfterValidator(_no_separator)]
Numbers = Annotated[tuple[Positive, ...], BeforeValidator(_numbers), Field(max_length=50)]
Files = Annotated[tuple[File, ...], BeforeValidator(_members), Field(max_length=50)]
Lines = Annotated[tuple[Line, ...], BeforeValidator(_members), Field(max_length=50)]
