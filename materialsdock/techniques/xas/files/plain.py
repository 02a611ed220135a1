"""Columns under a heading, XDI, and bare columns."""

from __future__ import annotations

import re
from dataclasses import replace

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines, row
from materialsdock.formats.table import Table, names_in, read_table
from materialsdock.techniques.xas.files.content import Content
from materialsdock.techniques.xas.files.energy_range import HIGHEST_EV, NO_KEV_EV
from materialsdock.techniques.xas.files.head import LONGEST, said
from materialsdock.techniques.xas.files.names import UNITS, Meaning, meaning, parted

COLUMN = re.compile(r"^[#;%]*\s*Column\.(\d+)\s*:\s*(.+?)\s*$", re.IGNORECASE)
SPEAKS = re.compile(r"energ|\be\b|e_?mono|x?mu\b|nrg|\bk?ev\b", re.IGNORECASE)
OF_ANGLES = re.compile(r"(bragg|angle|theta).*\bi_?0|\bi_?0.*(bragg|angle|theta)", re.IGNORECASE)
SIGNALS = frozenset(("i0", "it", "ir", "iy", "mu", "channel", "sum", "total"))


def xdi(lines: Lines) -> Content | None:
    """Columns that are named in `Column.N` lines (XDI, Ravel et al. 2012, J. Synchrotron Rad. 19,
    869), in any order; None where there are none."""
    named: dict[int, tuple[int, str]] = {}
    for number, text in lines.numbered():
        if row(text) is not None:
            break
        if match := COLUMN.match(text):
            named[int(match[1])] = (number, match[2].split("||")[0].strip())
    if not named:
        return None
    table = read_table(lines)
    beyond = [n for n in named if not 1 <= n <= table.width]
    if beyond:
        lines.refuse(
            named[beyond[0]][0],
            f"names column {beyond[0]}, the rows have {table.width}",
            "mend the head, or the rows",
        )
    words = [named.get(i, (0, ""))[1] for i in range(1, table.width + 1)]
    names, units = zip(*map(_name_and_unit, words), strict=True)
    if not lines.options.columns:
        _refuse_another_order(names, table, lines)
    return Content.of("XDI", lines.name, table, names, units, **said(lines, table.line[0]))


def _refuse_another_order(names: tuple[str, ...], table: Table, lines: Lines) -> None:
    """Refuse a line of names, above the rows, that has those of the head in another order."""
    bare = [parted(name)[0] for name in names]
    heading = [parted(name)[0] for name in table.names]
    if bare == heading or sorted(bare) != sorted(heading):
        return
    at = next(i for i, (one, other) in enumerate(zip(bare, heading, strict=True)) if one != other)
    lines.refuse(
        table.line[0] - 1,
        f"Column.{at + 1} is {names[at]!r}, the line of names calls it {table.names[at]!r}",
        "say which is which, e.g. --columns energy=1,i0=2,it=3",
    )


def _name_and_unit(words: str) -> tuple[str, str]:
    """The first word is the name, the second the unit, if it is one that needs a conversion."""
    parts = words.split()
    if len(parts) < 2:
        return words, ""
    unit = UNITS.get(parts[1].strip("()[]").lower(), "")
    return (parts[0], unit) if unit or not parts[1].startswith("(") else (words, "")


def headed(lines: Lines) -> Content | None:
    """Columns under a line that names them, energy or angle among them, or None."""
    if not _speaks(lines):
        return None
    try:
        table = read_table(lines)
    except InputError:  # no table: a format of another kind, or refused as bare columns
        return None
    names = heading(lines, table.line[0], table.width)
    content = Content.of("named columns", lines.name, table, names, **said(lines, table.line[0]))
    return content if _is_spectrum(content) else None


def bare(lines: Lines, table: Table | None = None) -> Content:
    """Columns without a heading: the first of two is the energy, the second is µ.

    Of more columns none is known: they have no meaning.
    """
    table = read_table(lines) if table is None else table
    names = heading(lines, table.line[0], table.width)
    told = "" if lines.options.columns else " without names"
    kind = "columns: energy, µ" if table.width == 2 else f"{table.width} columns{told}"
    content = Content.of(kind, lines.name, table, names, **said(lines, table.line[0]))
    if table.width != 2:
        return content
    notes = _named_otherwise(lines, table) if not lines.options.columns else ()
    return replace(content, meanings=(Meaning("energy"), Meaning("mu")), notes=notes)


def _named_otherwise(lines: Lines, table: Table) -> tuple[str, ...]:
    """Notes where the line above two columns names them as something else than energy and µ."""
    above = [text for number, text in lines.numbered() if number < table.line[0]]
    names = names_in(above[-1], 2) if above and row(above[-1]) is None else None
    if not names:
        return ()
    wanted = (("energy", "energy"), ("mu", "µ"))
    return tuple(
        f"column {i} is named {name!r}, and was taken as {shown}"
        for i, (name, (what, shown)) in enumerate(zip(names, wanted, strict=True), 1)
        if meaning(name).what != what
    )


def heading(lines: Lines, data: int, width: int) -> tuple[str, ...]:
    """The names in the last line above `data` that names an axis, else no names."""
    above = [text for number, text in lines.numbered() if number < data]
    for text in reversed(above[-LONGEST:]):
        names = names_in(text, width) if row(text) is None else None
        if names and any(meaning(name).what in ("energy", "angle") for name in names):
            return names
    return ("",) * width


def _speaks(lines: Lines) -> bool:
    """True where a line above the first row of numbers can name an energy or an angle."""
    for number, text in lines.numbered():
        if row(text) is not None or number > LONGEST:
            return False
        if SPEAKS.search(text) or OF_ANGLES.search(text):
            return True
    return False


def _is_spectrum(content: Content) -> bool:
    """True where the names are those of an absorption spectrum, and of nothing else."""
    have = {each.what for each in content.meanings}
    if not have & {"energy", "angle"}:
        return False
    if have & SIGNALS:
        return "energy" in have or ("i0" in have and bool(have & (SIGNALS - {"i0"})))
    return any(_is_energy(content, i) for i in content.meant("energy"))


def _is_energy(content: Content, index: int) -> bool:
    """True for a column whose name says energy in more than a letter, with values that can be."""
    values, unit = content.column(index), content.units[index]
    long = len(parted(content.names[index])[0]) > 2
    return long and (bool(unit) or bool(NO_KEV_EV < values.min() <= values.max() < HIGHEST_EV))
