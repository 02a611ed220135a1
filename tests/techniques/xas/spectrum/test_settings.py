"""Settings of the analysis: the same from a command line, a sheet, a recipe and a profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from materialsdock.campaign import prepare
from materialsdock.errors import InputError
from materialsdock.model import Measured, Sample
from materialsdock.profile import config, siteroot
from materialsdock.profile.sections import changed
from materialsdock.sheets.entry import SheetEntry, entry_of
from materialsdock.techniques.xas import options, sheet
from materialsdock.techniques.xas.section import Xas
from materialsdock.techniques.xas.spectrum.settings import NOTHING_CHOSEN, SpectrumSettings
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

CHOSEN = {
    "e0": 7113.0,
    "pre": (-120.0, -40.0),
    "norm": (60.0, 180.0),
    "order": 1,
    "rbkg": 1.2,
    "k_range": (3.0, 10.0),
    "shift": 0.5,
}
CELLS = {**CHOSEN, "pre": "-120 -40", "norm": "60:180", "k_range": "3; 10"}
ENERGY = np.arange(6960.0, 7300.0, 0.5)
SPECTRUM = Measured("xas", ENERGY, simulate_xanes(ENERGY))


@pytest.fixture(scope="module")
def profile():
    return config.load("sim", siteroot.find())


def test_all_four_ways_choose_the_same(profile):
    wanted = SpectrumSettings(**CHOSEN)
    section = profile.section("xas")
    asked = options.Options(**CHOSEN)
    of_row = SheetEntry(sample_id="a", position=1, technique="xas", **CELLS)
    said = {key: getattr(of_row, key) for key in of_row.model_fields_set}
    recipe = sheet.RecipeKeys(**CHOSEN)
    for found in (
        changed(section, options.changes(asked, Path())),
        sheet.applied(section, said),
        sheet.applied(section, recipe.model_dump(exclude_none=True)),
        Xas(motion={"velocity": 1.0}, **CHOSEN),
    ):
        assert found.chosen == wanted
    assert section.chosen == NOTHING_CHOSEN


def test_a_job_keeps_what_was_chosen_and_nothing_else(profile):
    sample = Sample("s", "xas")
    plain = prepare.job_for(SPECTRUM, sample, profile)
    assert plain.settings["spectrum"] == {}
    section = changed(profile.section("xas"), {"norm": (60.0, 180.0)})
    job = prepare.job_for(SPECTRUM, sample, profile.with_section("xas", section))
    assert job.settings["spectrum"] == {"norm": (60.0, 180.0)}
    assert SpectrumSettings.of({"norm": [60.0, 180.0]}).norm == (60.0, 180.0)
    wrong = changed(section, {"e0": 7300.0})
    with pytest.raises(InputError, match=r"7300\.0 eV, Fe K at 7112\.0 eV"):
        prepare.job_for(SPECTRUM, sample, profile.with_section("xas", wrong))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("pre", "-150", "is not two numbers such as -150 -30"),
        ("pre", "-30 -150", "pre -30 -150 eV is not from LO to HI"),
        ("norm", "0 100", "both above 0"),
        ("order", 4, "order 4 is not 0 to 3"),
        ("rbkg", -1.0, "rbkg -1 Å"),
        ("k_range", "12 3", "k-range 12 3 1/Å"),
        ("shift", 99.0, "shift 99 eV is not 0 to 10"),
        ("e0", -3.0, "e0 -3 eV is no energy"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(column, value, said):
    raw = {"sample_id": "a", "position": 1, "technique": "xas", column: value}
    _, (fault,) = entry_of(raw, "row 2")
    assert str(fault).startswith(f"row 2, {column}: ")
    assert said in str(fault)


def test_every_fault_is_named_at_once():
    with pytest.raises(InputError, match=r"pre .*; order 9 .*; shift -1"):
        SpectrumSettings(pre=(1.0, 2.0), order=9, shift=-1.0)


def test_what_is_not_chosen_follows_the_length_of_the_spectrum():
    relative = np.arange(-150.0, 400.0)
    plain = NOTHING_CHOSEN.ranges(relative)
    found = SpectrumSettings(order=1, pre=(-100.0, -20.0)).ranges(relative)
    assert (found.pre_ev, found.order) == ((-100.0, -20.0), 1)
    assert found.post_ev == plain.post_ev
    assert found.within(relative).said() == {
        "pre1": -100.0,
        "pre2": -20.0,
        "norm1": 15.0,
        "norm2": 399.0,
        "order": 1,
    }
