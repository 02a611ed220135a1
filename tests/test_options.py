"""Words of the command line: all that is wrong is named at once."""

from __future__ import annotations

import pytest

from materialsdock import options
from materialsdock.errors import InputError


def test_stop_words_become_settings():
    words = ["threshold=0.1", "maximum_points=60", "mode=paper", "e0_sd=0.1"]
    assert options.stop_options(words) == {
        "threshold": 0.1,
        "maximum_points": 60,
        "mode": "paper",
        "targets": {"e0_sd": 0.1},
    }


def test_every_wrong_word_is_named():
    with pytest.raises(InputError) as refused:
        options.stop_options(["threshold=low", "mode=loose", "points", "maximum_points=3"])
    for word in ("threshold=low", "mode=loose", "points"):
        assert repr(word) in str(refused.value)
    assert "maximum_points=3" not in refused.value.what


def test_an_orientation_goes_to_its_phase(tmp_path):
    cifs = [tmp_path / "a.cif", tmp_path / "b.cif"]
    for cif in cifs:
        cif.write_text("data_x")
    a, b = options.structures(cifs, ["b=0,0,1"])
    assert a.preferred_orientation is None
    assert b.preferred_orientation == (0, 0, 1)
    (only,) = options.structures(cifs[:1], ["1,0,-2"])
    assert only.preferred_orientation == (1, 0, -2)


@pytest.mark.parametrize("word", ["0,0", "c=0,0,1", "a=x,y,z", "a=0,0,0"])
def test_a_wrong_orientation_is_refused(tmp_path, word):
    cif = tmp_path / "a.cif"
    cif.write_text("data_x")
    with pytest.raises(InputError, match="preferred-orientation"):
        options.structures([cif], [word])


def test_a_missing_cif_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.cif"):
        options.structures([tmp_path / "gone.cif"], [])
