"""One line of a sample sheet, whatever file it came in: the fields, and what may stand in them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.profile.columns import (
    PARAGRAPH,
    PATH,
    Contradiction,
    Line,
    OneOfWords,
    Positive,
    Text,
    Whole,
    no_truth,
    numbers,
    words,
)
from materialsdock.profile.files import FileKeys
from materialsdock.profile.sections import Section, joined

TECHNIQUES = tuple(technique.known())
MOST_FAULTS = 500
DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)


@dataclass(frozen=True)
class Fault:
    """A fault of one value: its place and column, the value, and what is wrong with it.

    known : the words it had to be one of, () where it is no matter of words
    """

    place: str
    column: str
    value: Any
    reason: str
    known: tuple[str, ...] = ()

    @property
    def nearest(self) -> str:
        """The known word that is most like what was written; "" when none is."""
        by_fold = {word.casefold(): word for word in self.known}
        written = self.column if self.value is None else str(self.value)
        found = difflib.get_close_matches(written[:64].casefold(), by_fold, n=1)
        return by_fold[found[0]] if found else ""

    def __str__(self) -> str:
        at = ", ".join(filter(None, (self.place, self.column)))
        said = "" if self.value is None else f"{shown(self.value)} "
        meant = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{at}: {said}{self.reason}{meant}"


def shown(value: Any) -> str:
    """A value for a sentence: short, one line, nothing invisible in it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def refusal(faults: Sequence[Fault], where: str) -> InputError:
    """The one error that lists all `faults`, line by line; beyond MOST_FAULTS it counts them."""
    lines = [str(fault) for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        lines.append(f"and {len(faults) - MOST_FAULTS} more")
    number = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}; nothing is queued"
    return InputError("\n".join([number, *lines]), where=where, remedy="mend these and try again")


def _no_device(value: str) -> str:
    if value.split(".")[0].casefold() in DEVICES or value.endswith("."):
        raise ValueError("cannot be a file name under Windows")
    return value


SampleId = Annotated[
    Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), AfterValidator(_no_device)
]
Position = Annotated[int, BeforeValidator(no_truth), Field(ge=0, le=100_000)]


class First(Section):
    """The first columns of a sheet: which sample, measured how."""

    sample_id: SampleId = "unnamed"
    name: Line = ""
    position: Position = 0
    technique: Annotated[str, OneOfWords(TECHNIQUES)] | None = None
    recipe: Annotated[Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] | None = None


class Last(FileKeys):
    """The last columns of a sheet: when to stop, and what people want to know of the sample.

    count_time_s : per position of a full scan
    threshold, maximum_points, maximum_minutes (of the instrument) : when to stop
    replay : measured file that a simulated beamline replays, read as `FileKeys` say
    """

    count_time_s: Annotated[Positive, Field(le=86_400)] | None = None
    threshold: Annotated[Positive, Field(lt=1)] | None = None
    maximum_points: Annotated[Whole, Field(ge=1)] | None = None
    maximum_minutes: Positive | None = None
    priority: Annotated[Whole, Field(ge=-1000, le=1000)] = 0
    hazard: Line = ""
    owner: Line = ""
    comment: Annotated[Text, Field(max_length=PARAGRAPH)] = ""
    replay: Annotated[Text, Field(min_length=1, max_length=PATH)] | None = None


OF_TECHNIQUE = {name: each.sheet().Columns for name, each in technique.known().items()}
if TYPE_CHECKING:

    class Columns(First, Last):
        """The columns of a sheet, each checked by itself; those of the techniques in the middle.

        Where a field is left out, the recipe says it, and where that is silent, the profile.
        """

else:
    Columns = joined("Columns", First, OF_TECHNIQUE, Last)
KNOWN = words(Columns)
NUMBERS = numbers(Columns)


class SheetEntry(Columns):
    """One sample to measure; its fields agree with each other.  See `Columns`."""

    sample_id: SampleId
    position: Position

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if found := contradictions(self, ()):
            raise ValueError("; ".join(f"{column}: {reason}" for column, reason in found))
        return self

    @property
    def known_as(self) -> str:
        """The name by which a person calls it, or else its id."""
        return self.name or self.sample_id


def contradictions(row: Columns, faulty: Collection[str]) -> list[tuple[str, str]]:
    """Columns that do not go together, and why; what needs a `faulty` column is not judged."""
    found = [*_technique_faults(row)]
    # techniques may share a sheet, the ordinary one, whose faults are said once
    for sheet in dict.fromkeys(each.sheet() for each in technique.known().values()):
        found += sheet.contradictions(row)
    return [(names[0], reason) for names, reason in found if not set(names) & set(faulty)]


def _technique_faults(row: Columns) -> Iterator[Contradiction]:
    if row.technique is None and row.recipe is None:
        yield ("technique", "recipe"), f"is missing: {' or '.join(TECHNIQUES)}, or name a recipe"
    if row.technique is None:
        return
    own = OF_TECHNIQUE[row.technique].model_fields
    for name, columns in OF_TECHNIQUE.items():
        for column in columns.model_fields:
            if column not in own and getattr(row, column) not in (None, (), ""):
                yield (column, "technique"), f"is of {name}, the technique is {row.technique}"


def entry_of(raw: Mapping[str, Any], place: str) -> tuple[Columns, list[Fault]]:
    """The entry that a row's filled cells make; where they make none, what is sound, and faults."""
    try:
        return SheetEntry.model_validate(raw), []
    except ValidationError as error:
        faults = [_fault(found, raw, place) for found in error.errors() if found["loc"]]
    bad = {fault.column for fault in faults}
    rest = Columns.model_validate({key: raw[key] for key in raw if key not in bad})
    for column, reason in contradictions(rest, bad):
        faults.append(Fault(place, column, raw.get(column), reason))
    order = [*SheetEntry.model_fields, *raw]
    return rest, sorted(faults, key=lambda fault: order.index(fault.column))


def _fault(found: Any, raw: Mapping[str, Any], place: str) -> Fault:
    column = str(found["loc"][0])
    value, kind = raw.get(column), found["type"]
    if kind == "extra_forbidden":
        return Fault(
            place, column, None, "is not a column of a sheet", tuple(SheetEntry.model_fields)
        )
    if kind == "missing":
        return Fault(place, column, None, "is missing")
    if kind == "string_pattern_mismatch":
        reason = "may only hold letters, digits, - and _" + (
            " (and .), 64 at most" if column == "sample_id" else ", 64 at most"
        )
    else:
        reason = found["msg"].removeprefix("Value error, ")
        reason = reason.replace("Input should be", "is not").removeprefix("String ")
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", value):
        reason += " (write the decimal point as a point)"
    return Fault(place, column, value, reason, tuple(KNOWN.get(column, ())))


def shared(rows: Sequence[tuple[str, Columns]]) -> list[Fault]:
    """Ids (in any case) and positions that stand in several of these (place, row)."""
    faults = []
    for column in ("sample_id", "position"):
        first: dict[str, str] = {}
        for place, row in rows:
            if column not in row.model_fields_set:
                continue
            value = getattr(row, column)
            before = first.setdefault(str(value).casefold(), place)
            if before != place:
                faults.append(Fault(place, column, value, f"is already used in {before}"))
    return faults
