"""The reference that is read from the code is whole: every command, key, column, table, error."""

from __future__ import annotations

import re
import sys

import pytest
from support.places import ROOT
from typer.main import get_command

from materialsdock import errors
from materialsdock.cli.app import app
from materialsdock.profile.config import Profile
from materialsdock.sheets.entry import SheetEntry, entry_of

EXTENSION = ROOT / "docs" / "_ext"


@pytest.fixture(scope="module")
def reference():
    """The module that fills in the pages, imported as Sphinx does."""
    sys.path.insert(0, str(EXTENSION))
    try:
        import reference

        yield reference
    finally:
        sys.path.remove(str(EXTENSION))


def rows(text: str) -> dict[str, str]:
    """Table rows by the first word in code."""
    found = (re.match(r"\| `([^`]+)`", line) for line in text.splitlines())
    return {match[1]: match.string for match in found if match}


def test_every_mark_of_the_pages_is_known(reference):
    marks = {
        name
        for page in (ROOT / "docs").rglob("*.md")
        for name in re.findall(r"<!-- from the code: (\w+) -->", page.read_text())
    }
    assert marks == set(reference.PARTS)


def test_every_command_and_option_is_there(reference):
    text = reference.PARTS["commands"]()

    def look(command, names):
        for parameter in command.params:
            if parameter.opts[0].startswith("--") and parameter.name != "help" and names:
                assert f"`{parameter.opts[0]}`" in text
        for name, inner in getattr(command, "commands", {}).items():
            assert f"# `{' '.join((*names, name))}`" in text
            look(inner, (*names, name))

    look(get_command(app), ())
    assert "| `--threshold" not in text  # nothing that is not there


def test_the_keys_of_a_profile_have_unit_default_and_meaning(reference):
    text = reference.PARTS["profile"]()
    assert rows(text)["hold_proof_s"].startswith(
        "| `hold_proof_s` | number, at least 0 | s | `30.0` | "
    )
    assert "before measuring goes on" in rows(text)["hold_proof_s"]
    assert rows(text)["class"].endswith("| needed |  |")  # by the name that people write
    for name, field in Profile.model_fields.items():
        assert f"[{name}" in text or f"| `{field.alias or name}` |" in text


def test_the_columns_of_a_sheet_have_examples_that_are_accepted(reference):
    found = rows(reference.PARTS["sheet"]())
    assert set(found) == set(SheetEntry.model_fields)
    examples = {name: re.findall(r"`([^`]+)`", row)[1] for name, row in found.items()}
    of = {name: row.split("|")[2].strip() for name, row in found.items()}
    for technique in ("xrd", "xas"):
        raw = {n: value for n, value in examples.items() if of[n] in ("all", technique)}
        _, faults = entry_of({**raw, "technique": technique}, "example")
        assert faults == []


def test_every_error_has_its_exit_code(reference):
    text = reference.PARTS["errors"]()
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, errors.MaterialsDockError)
        and kind is not errors.MaterialsDockError
    ]
    assert len(kinds) == len(text.splitlines()) - 2
    for kind in kinds:
        assert f"| {kind.exit_code} | `{kind.code}` | `{kind.__name__}` |" in text


def test_every_table_of_the_ledger_is_said_in_words(reference):
    tables = set(re.findall(r"^### `(\w+)`", reference.PARTS["ledger"](), re.MULTILINE))
    page = (ROOT / "docs" / "reference" / "ledger.md").read_text()
    assert tables == set(rows(page))


def test_docstrings_become_lists_and_plain_words(reference):
    import docstrings

    made = docstrings.restructured(
        ["Holds a_b_ and `Part`s | all.", "", "x, y : (n,) where", "    it was", "z : else", ""]
    )
    assert made == [
        "Holds a_b\\_ and ``Part``\\ s \\| all.",
        "",
        "",
        "- **x, y**: (n,) where",
        "  it was",
        "- **z**: else",
        "",
    ]
