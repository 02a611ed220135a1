"""What a user says of a file: understood as typed, kept as JSON, with the profile's beneath."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from materialsdock.errors import InputError
from materialsdock.formats.options import NOTHING_ASKED, FileOptions, check_columns, columns_of
from materialsdock.profile.files import FileKeys, file_options


def test_columns_are_numbers_by_quantity_and_sums():
    assert columns_of("energy=1, i0=4,if=6+7 + 8") == {"energy": (1,), "i0": (4,), "if": (6, 7, 8)}


@pytest.mark.parametrize("words", ["", "energy", "energy=0", "1=energy", "mu=1,mu=2", "mu=1.5"])
def test_words_that_are_no_columns_are_refused_with_an_example(words):
    with pytest.raises(InputError, match=r"--columns.*energy=1,i0=4"):
        columns_of(words)


def test_unknown_quantities_and_columns_beyond_the_file_are_said_at_once():
    with pytest.raises(InputError, match=r"'spam' is no quantity.*column 9 is asked for.*has 3"):
        check_columns({"spam": (1,), "mu": (9,)}, ("energy", "mu"), 3, "a.dat")


def test_they_come_back_from_json():
    asked = FileOptions(
        columns={"energy": (1,), "if": (6, 7)},
        scan=3,
        unit="keV",
        wavelengths_angstrom=(1.54, 1.544),
        instrument=Path("/a/b.instprm"),
    )
    kept = json.loads(json.dumps(asked.plain()))
    assert FileOptions.of(kept) == asked
    assert hash(FileOptions.of(kept)) == hash(asked)
    assert NOTHING_ASKED.plain() == {}


def test_what_a_user_says_lies_over_what_the_profile_says(tmp_path):
    profile = file_options(FileKeys(unit="keV", anode="Co", instrument="lab.instprm"), tmp_path)
    found = FileOptions(anode="Cu").over(profile)
    assert (found.unit, found.anode, found.instrument) == ("keV", "Cu", tmp_path / "lab.instprm")


def test_a_profile_or_sheet_with_wrong_columns_is_refused():
    with pytest.raises(ValidationError, match="cannot read 'energy'"):
        FileKeys(columns="energy")
    assert FileKeys(wavelength="1.5406; 1.5444").wavelength == (1.5406, 1.5444)
    assert FileKeys(wavelength=0.7).wavelength == (0.7,)


def test_what_a_profile_says_of_all_files_is_asked_of_none():
    found = FileOptions(unit="eV").over(FileOptions(unit="keV", anode="Cu"))
    assert (found.unit, found.anode) == ("eV", "Cu")
    assert found.named() == ("unit",)
    assert FileOptions.of(found.plain()) == found
