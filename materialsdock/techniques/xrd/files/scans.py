"""The one of several scans of a file that is read."""

from __future__ import annotations

from collections.abc import Sequence

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines

MOST_SHOWN = 8


def chosen(
    labels: Sequence[str], lines: Lines, numbers: Sequence[int] = (), what: str = "scan"
) -> tuple[int, str, tuple[str, ...]]:
    """The place of the scan to read, which of how many it is, and a note where nobody chose.

    labels : of all scans; numbers : as the file counts them, from 1 where it does not
    Raises InputError for a `--scan` that is not there.
    """
    own = len(set(numbers)) == len(labels)
    known = list(numbers) if own else list(range(1, len(labels) + 1))
    asked = lines.options.scan
    listed = ", ".join(
        f"{n} ({label})" for n, label in list(zip(known, labels, strict=True))[:MOST_SHOWN]
    )
    listed += ", ..." if len(labels) > MOST_SHOWN else ""
    if asked is not None and asked not in known:
        raise InputError(
            f"no {what} {asked}",
            where=f"{lines.name}, --scan",
            remedy=f"the file has {listed}",
        )
    place = 0 if asked is None else known.index(asked)
    if len(known) == 1:
        return place, "", ()
    said = f"{known[place]} of {len(known)}"
    if asked is not None:
        return place, said, ()
    return place, said, (f"{what} {said} was read; --scan reads another: {listed}",)


def only_one(lines: Lines) -> None:
    """Raise InputError where a scan is asked for that a file of one scan does not have."""
    chosen(("the only one",), lines)
