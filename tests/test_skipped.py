"""The line that says which optional parts a run skipped."""

from __future__ import annotations

from types import SimpleNamespace

from support import skipped


def report(reason):
    return SimpleNamespace(longrepr=("a file", 1, f"Skipped: {reason}"))


def test_a_line_groups_parts_with_their_reasons():
    redis = "redis-server is not installed"
    reports = [report(redis), report("GSAS-II is not installed for this Python"), report(redis)]
    assert skipped.line(reports) == (
        "skipped: GSAS-II as engine (GSAS-II is not installed for this Python): 1; "
        "RE Manager with Redis (redis-server is not installed): 2"
    )


def test_nothing_skipped_is_no_line():
    assert skipped.line([]) == ""


def test_what_no_part_knows_is_said_all_the_same():
    assert skipped.line([report("it rains")]) == "skipped: others (it rains): 1"
    assert skipped.part_of("could not import 'ase': No module named 'ase'").startswith("energies")
    assert skipped.part_of("that base is wrong") == "others"
