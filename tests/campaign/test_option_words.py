"""Words of the command line: all that is wrong is named at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from materialsdock.campaign import option_words
from materialsdock.cli import measure_command
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError
from materialsdock.model import Measured, Sample, Structure
from materialsdock.profile import config
from materialsdock.techniques.xrd.options import structures_of
from materialsdock.testing import crystals

PROFILE = config.load("sim", ROOT)
SPECTRUM = Measured(technique="xas", x=np.linspace(7000.0, 7300.0, 601), y=np.zeros(601))
PATTERN = Measured(technique="xrd", x=np.linspace(20.0, 40.0, 1001), y=np.full(1001, 50.0))
CORUNDUM = Structure("corundum", "data_x")


def test_stop_words_become_settings():
    words = ["threshold=0.1", "maximum_points=60", "mode=paper", "e0_sd=0.1"]
    assert option_words.stop_options(words) == {
        "threshold": 0.1,
        "maximum_points": 60,
        "mode": "paper",
        "targets": {"e0_sd": 0.1},
    }


def test_every_wrong_word_is_named():
    with pytest.raises(InputError) as refused:
        option_words.stop_options(["threshold=low", "mode=loose", "points", "maximum_points=3"])
    for word in ("threshold=low", "mode=loose", "points"):
        assert repr(word) in str(refused.value)
    assert "maximum_points=3" not in refused.value.what


def test_an_orientation_goes_to_its_phase(tmp_path):
    cifs = [tmp_path / "a.cif", tmp_path / "b.cif"]
    for cif in cifs:
        cif.write_text(crystals.FLUORITE.cif)
    a, b = structures_of(cifs, ["b=0,0,1"])
    assert a.preferred_orientation is None
    assert b.preferred_orientation == (0, 0, 1)
    (only,) = structures_of(cifs[:1], ["1,0,-2"])
    assert only.preferred_orientation == (1, 0, -2)


@pytest.mark.parametrize("word", ["0,0", "c=0,0,1", "a=x,y,z", "a=0,0,0"])
def test_a_wrong_orientation_is_refused(tmp_path, word):
    cif = tmp_path / "a.cif"
    cif.write_text("data_x")
    with pytest.raises(InputError, match="preferred-orientation"):
        structures_of([cif], [word])


def test_a_missing_cif_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.cif"):
        structures_of([tmp_path / "gone.cif"], [])


@pytest.mark.parametrize(
    ("measured", "given", "named"),
    [
        (SPECTRUM, {"objective": "fractions", "esd": 1.0}, ["--objective, --esd", "xrd only"]),
        (SPECTRUM, {"wanted": ("zincite.a",)}, ["--wanted", "xrd only"]),
        (PATTERN, {"prior": Path("gone.npz"), "region": ("25:30:2",)}, ["--prior, --region"]),
        (PATTERN, {"esd": 1.0}, ["--esd 1", "objective peaks"]),
        (PATTERN, {"esd": 0.0}, ["--esd 0 is not a positive number"]),
        (PATTERN, {"esd": -1.0, "objective": "fractions"}, ["--esd -1 is not a positive"]),
        (PATTERN, {"wanted": ("zincite.a",)}, ["--wanted zincite.a", "objective peaks"]),
        (PATTERN, {"objective": "best"}, ["'best'", "peaks, profile, fractions, parameter"]),
        (SPECTRUM, {"region": ("7400:7500:2",)}, ["7400:7500", "7000 to 7300 eV"]),
        (SPECTRUM, {"prior": Path("gone.npz")}, ["gone.npz", "prior learn"]),
        (
            SPECTRUM,
            {"stop": ("foo=1",), "region": ("a:b:c",), "prior": Path("gone.npz"), "esd": -1.0},
            ["'foo=1'", "'a:b:c'", "gone.npz", "--esd -1"],
        ),
    ],
)
def test_options_that_would_be_ignored_or_say_nothing_are_refused_together(measured, given, named):
    with pytest.raises(InputError) as refused:
        MeasureRequest.of(**given).check(measured, Sample("s", measured.technique))
    for words in named:
        assert words in str(refused.value)


def test_a_structure_is_not_ignored_either():
    with pytest.raises(InputError, match="--cif given for a measurement of xas"):
        MeasureRequest.of(cif=[Path("corundum.cif")]).check(SPECTRUM, Sample("s", "xas"))


@pytest.mark.parametrize(
    ("measured", "given"),
    [
        (PATTERN, {"objective": "fractions", "esd": 1.0}),
        (PATTERN, {"objective": "parameter", "esd": 1e-4, "wanted": ("corundum.a",)}),
        (SPECTRUM, {"region": ("7100:7140:5",), "stop": ("e0_sd=0.1",), "count_time_s": 2.0}),
    ],
)
def test_options_that_fit_are_not_refused(measured, given):
    MeasureRequest.of(**given).check(measured, Sample("s", measured.technique))


def test_another_objective_does_not_keep_what_the_profile_wants():
    wants = PROFILE.section("xrd").model_copy(
        update={"objective": "parameter", "wanted": ("corundum.a",), "wanted_esd": 1e-4}
    )
    profile = PROFILE.model_copy(update={"xrd": wants})
    asked = MeasureRequest.of(objective="fractions", esd=1.0)
    goals = asked.applied(profile).section("xrd")
    assert (goals.objective, goals.wanted, goals.wanted_esd) == ("fractions", (), 1.0)


def test_a_job_that_goes_on_keeps_its_options(tmp_path):
    given = MeasureRequest.of(out=tmp_path, stop=("threshold=0.1",), prior=Path("fe.npz"))
    with pytest.raises(InputError, match="--resume: --stop, --prior cannot be changed"):
        measure_command.resume(given, "job")
