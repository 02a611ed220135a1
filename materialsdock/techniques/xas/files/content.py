"""Content of a container of beamline data, before anybody decides what its columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from materialsdock.formats.table import Table
from materialsdock.model import FloatArray
from materialsdock.techniques.xas.files.names import Meaning, meaning, parted


@dataclass(frozen=True, eq=False)
class Content:
    """One scan of a file: columns (n, k), the line (n,) of each row, names (k,) as written.

    kind : name of the format; where : the file, for refusals
    units : (k,) of the columns, "" where unknown; meanings : (k,) of the columns
    d_spacing_angstrom : of the monochromator; d_rival_angstrom : of crystals that it names besides
    edge : as the head names it, "Fe K"
    edge_ev : as the head names it, where it names no element; element : symbol, where it is named
    says : the signal that the file says it holds, e.g. "fluorescence", or ""
    promised : number of points that the head announces
    """

    kind: str
    where: str
    values: FloatArray
    line: Sequence[int]
    names: tuple[str, ...]
    units: tuple[str, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    scan: str = ""
    d_spacing_angstrom: float | None = None
    d_rival_angstrom: float | None = None
    edge: str = ""
    edge_ev: float | None = None
    element: str = ""
    says: str = ""
    promised: int | None = None
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    asked: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        kind: str,
        where: str,
        table: Table,
        names: Sequence[str],
        units: Sequence[str] = (),
        **more: object,
    ) -> Content:
        """The content of a table under these names; units in them count unless they are given."""
        own = (*names, *("",) * (table.width - len(names)))[: table.width]
        said = (*units, *("",) * (table.width - len(units)))
        return cls(
            kind,
            where,
            table.values,
            table.line,
            own,
            tuple(unit or parted(name)[1] for unit, name in zip(said, own, strict=False)),
            tuple(meaning(name) for name in own),
            dropped=table.dropped,
            **more,  # type: ignore[arg-type]
        )

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)

    def column(self, index: int) -> FloatArray:
        """The values (n,) of the column `index`, counted from 0."""
        return np.asarray(self.values[:, index])

    def label(self, *indices: int) -> str:
        """The columns as people call them, "4 i0" or "6, 7 fl_1, fl_2"."""
        one_by_one = len(indices) < 3 or indices[-1] - indices[0] != len(indices) - 1
        numbers = ", ".join(str(i + 1) for i in indices)
        if not one_by_one:
            numbers = f"{indices[0] + 1} to {indices[-1] + 1}"
        names = _together([self.names[i] for i in indices])
        return f"{numbers} {names}" if names else f"column {numbers}"

    def name(self, *indices: int) -> str:
        """The columns by name, or by number where they have none: a formula is made of them."""
        found = [self.names[i] or f"column {i + 1}" for i in indices]
        return found[0] if len(found) == 1 else f"Σ({_together(found)})"

    def meant(self, what: str, kind: str | None = None) -> list[int]:
        """The columns of one meaning."""
        return [
            i
            for i, each in enumerate(self.meanings)
            if each.what == what and kind in (None, each.kind)
        ]

    def lies(self, index: int) -> str:
        """The place of one row (n,) in the file: its line, or of a binary file its number."""
        return f"line {self.line[index]}" if self.line[index] else f"row {index + 1}"


def _together(names: Sequence[str]) -> str:
    """Names in a row, the middle of a long row left out."""
    named = [name for name in names if name]
    return ", ".join(named) if len(named) < 4 else f"{named[0]} ... {named[-1]}"
