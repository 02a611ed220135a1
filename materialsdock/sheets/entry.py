"""One line of a sample sheet, whatever file it came in: the fields, and what may stand in them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import gemmi
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.profile.sections import Section
from materialsdock.techniques.xas.edge import TABLE

TECHNIQUES = tuple(technique.known())
EDGES = tuple(edge.name for edge in TABLE)
SHELLS = tuple(sorted({name.split()[1] for name in EDGES}))
ELEMENTS = tuple(dict.fromkeys(name.split()[0] for name in EDGES))
LINE, PARAGRAPH, PATH = 120, 1000, 500  # longest texts
MOST_FAULTS = 500
BETWEEN = ";"  # the members of a list in one cell
DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)
JOINERS = "\u200c\u200d"  # of letters in some scripts, and of pictures: harmless
OF_TECHNIQUE: Mapping[str, tuple[str, ...]] = {
    "xrd": ("two_theta_start", "two_theta_stop", "two_theta_step", "composition", "phases"),
    "xas": ("element", "edge", "energy_start_ev", "energy_stop_ev", "standards"),
}
NUMBERS = (
    "position", "energy_start_ev", "energy_stop_ev", "two_theta_start", "two_theta_stop",
    "two_theta_step", "count_time_s", "threshold", "maximum_points", "maximum_minutes", "priority",
)  # fmt: skip
RANGES = (("two_theta_start", "two_theta_stop"), ("energy_start_ev", "energy_stop_ev"))


@dataclass(frozen=True)
class Fault:
    """What is wrong with one value: its place and column, the value, and why.

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


def _no_device(value: str) -> str:
    if value.split(".")[0].casefold() in DEVICES or value.endswith("."):
        raise ValueError("cannot be a file name under Windows")
    return value


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is no number")
    return value


def _word(known: Sequence[str], column: str) -> Any:
    """A validator: one of the known words, in any case, as the table writes it."""
    by_fold = {word.casefold(): word for word in known}

    def check(value: Any) -> Any:
        if not isinstance(value, str) or value.casefold() not in by_fold:
            raise ValueError(f"is none of {', '.join(known)}")
        return by_fold[value.casefold()]

    KNOWN[column] = known
    return BeforeValidator(check)


def _members(value: Any) -> Any:
    """A list as text, its members between semicolons."""
    return [part for part in value.split(BETWEEN) if part.strip()] if type(value) is str else value


def _no_separator(value: str) -> str:
    if BETWEEN in value:
        raise ValueError(f"holds {BETWEEN!r}, which stands between the members of a list")
    return value


def _real_elements(value: str) -> str:
    found = re.findall(r"[A-Z][a-z]?", value)
    left = re.sub(r"[A-Z][a-z]?|[0-9.,;()\[\]+·*\s-]", "", value)
    wrong = [name for name in found if gemmi.Element(name).atomic_number == 0]
    if value and (left or wrong or not found):
        raise ValueError("names no elements such as Fe2O3 or Fe,O" if left or not found
                         else f"names no element {', '.join(wrong)}")  # fmt: skip
    return value


KNOWN: dict[str, Sequence[str]] = {}
Text = Annotated[str, BeforeValidator(_tidy)]
Line = Annotated[Text, Field(max_length=LINE)]
SampleId = Annotated[
    Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), AfterValidator(_no_device)
]
Position = Annotated[int, BeforeValidator(_no_truth), Field(ge=0, le=100_000)]
Number = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Angle = Annotated[Number, Field(ge=-180, le=180)]
Energy = Annotated[Number, Field(gt=0, le=1e6)]
Whole = Annotated[int, BeforeValidator(_no_truth)]
File = Annotated[Text, Field(min_length=1, max_length=PATH), AfterValidator(_no_separator)]
Files = Annotated[tuple[File, ...], BeforeValidator(_members), Field(max_length=50)]


class Columns(Section):
    """The columns of a sheet, each checked by itself.

    two_theta_* [deg]; energy_*_ev [eV]; count_time_s per position of a full scan or per energy
    composition : elements, for identification; phases : CIF files, or ids or names of the store
    threshold, maximum_points, maximum_minutes (of the instrument) : when to stop
    replay : measured file that a simulated beamline replays
    Where a field is left out, the recipe says it, and where that is silent, the profile.
    """

    sample_id: SampleId = "unnamed"
    name: Line = ""
    position: Position = 0
    technique: Annotated[str, _word(TECHNIQUES, "technique")] | None = None
    recipe: Annotated[Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] | None = None
    element: Annotated[str, _word(ELEMENTS, "element")] | None = None
    edge: Annotated[str, _word(SHELLS, "edge")] | None = None
    energy_start_ev: Energy | None = None
    energy_stop_ev: Energy | None = None
    two_theta_start: Angle | None = None
    two_theta_stop: Angle | None = None
    two_theta_step: Annotated[Positive, Field(le=10)] | None = None
    count_time_s: Annotated[Positive, Field(le=86_400)] | None = None
    composition: Annotated[Line, AfterValidator(_real_elements)] = ""
    phases: Files = ()
    standards: Files = ()
    threshold: Annotated[Positive, Field(lt=1)] | None = None
    maximum_points: Annotated[Whole, Field(ge=1)] | None = None
    maximum_minutes: Positive | None = None
    priority: Annotated[Whole, Field(ge=-1000, le=1000)] = 0
    hazard: Line = ""
    owner: Line = ""
    comment: Annotated[Text, Field(max_length=PARAGRAPH)] = ""
    replay: Annotated[Text, Field(min_length=1, max_length=PATH)] | None = None


class Entry(Columns):
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
        """What a person calls it: its name, or else its id."""
        return self.name or self.sample_id


def contradictions(row: Columns, faulty: Collection[str]) -> list[tuple[str, str]]:
    """Columns that do not go together, and why; what needs a `faulty` column is not judged."""
    found = [*_technique_faults(row), *_edge_faults(row), *_range_faults(row)]
    return [(names[0], reason) for names, reason in found if not set(names) & set(faulty)]


def _technique_faults(row: Columns) -> Iterator[tuple[tuple[str, ...], str]]:
    if row.technique is None and row.recipe is None:
        yield ("technique", "recipe"), f"is missing: {' or '.join(TECHNIQUES)}, or name a recipe"
    for name, columns in OF_TECHNIQUE.items():
        if row.technique in (None, name):
            continue
        for column in columns:
            if getattr(row, column) not in (None, (), ""):
                yield (column, "technique"), f"is of {name}, the technique is {row.technique}"


def _edge_faults(row: Columns) -> Iterator[tuple[tuple[str, ...], str]]:
    if (row.element is None) != (row.edge is None):
        absent = "element" if row.element is None else "edge"
        yield (absent, "element", "edge"), "is missing: element and edge come together"
    elif row.element is not None and f"{row.element} {row.edge}" not in EDGES:
        have = [name.split()[1] for name in EDGES if name.split()[0] == row.element]
        yield ("edge", "element"), f"of {row.element} is not tabulated; there is {', '.join(have)}"


def _range_faults(row: Columns) -> Iterator[tuple[tuple[str, ...], str]]:
    for first, last in RANGES:
        start, stop = getattr(row, first), getattr(row, last)
        if (start is None) != (stop is None):
            absent = first if start is None else last
            yield (absent, first, last), "is missing: start and stop come together"
        elif start is not None and start >= stop:
            yield (last, first), f"is not above {first} = {start:g}"


def entry_of(raw: Mapping[str, Any], place: str) -> tuple[Columns, list[Fault]]:
    """The entry that a row's filled cells make; where they make none, what is sound, and faults."""
    try:
        return Entry.model_validate(raw), []
    except ValidationError as error:
        faults = [_fault(found, raw, place) for found in error.errors() if found["loc"]]
    bad = {fault.column for fault in faults}
    rest = Columns.model_validate({key: raw[key] for key in raw if key not in bad})
    for column, reason in contradictions(rest, bad):
        faults.append(Fault(place, column, raw.get(column), reason))
    order = [*Entry.model_fields, *raw]
    return rest, sorted(faults, key=lambda fault: order.index(fault.column))


def _fault(found: Any, raw: Mapping[str, Any], place: str) -> Fault:
    column = str(found["loc"][0])
    value, kind = raw.get(column), found["type"]
    if kind == "extra_forbidden":
        return Fault(place, column, None, "is no column", tuple(Entry.model_fields))
    if kind == "missing":
        return Fault(place, column, None, "is missing")
    if kind == "string_pattern_mismatch":
        reason = "may hold letters, digits, - and _ only" + (
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
                faults.append(Fault(place, column, value, f"stands in {before} already"))
    return faults
