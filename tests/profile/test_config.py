"""A profile is checked whole, before anything moves."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.places import ROOT

from materialsdock.errors import InputError, Refused
from materialsdock.ledger.folder import DataDirectory
from materialsdock.night.processes import supervisor
from materialsdock.profile import config, siteroot
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import SheetEntry
from materialsdock.technique import resolved


def write(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "profiles" / "mine"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text(text)
    return tmp_path


def test_the_sim_profile_is_sound():
    profile = config.load("sim", ROOT)
    assert profile.section("xrd")
    assert profile.section("xas")
    assert profile.simulation
    assert {"two_theta", "mono", "shutter", "ring"} <= set(profile.devices)


def test_all_faults_are_reported_at_once(tmp_path):
    site = write(
        tmp_path,
        'name = "mine"\nsped = 3\n[devices]\na = {class = "nodots", prefix = "X"}\n'
        '[epics]\nconfigure = "devices.channel_access:configure"\n',
    )
    with pytest.raises(InputError) as refused:
        config.load("mine", site)
    assert "sped" in str(refused.value)
    assert "nodots" in str(refused.value)
    assert str(site) in str(refused.value)


MINE = """
name = "mine"
{simulated}
[epics]
configure = "devices.channel_access:configure"
[devices]
shutter = {{ class = "devices.shutter:Shutter", prefix = "{prefix}shutter:" }}
{section}
"""


def mine(tmp_path, simulated="", prefix="BL7:", section="[simulation]\nspeed = 50"):
    text = MINE.format(simulated=simulated, prefix=prefix, section=section)
    return config.load("mine", write(tmp_path, text))


def test_a_profile_is_simulated_when_it_says_so(tmp_path):
    """A copy of profiles/sim for a real instrument keeps what its rehearsals need."""
    real = mine(tmp_path)
    assert real.simulation.speed == 50
    assert (real.simulated_by, real.speed) == (None, 1.0)
    simulated = mine(tmp_path / "other", "simulated = true", "SIM:")
    assert simulated.simulated_by == simulated.simulation
    assert simulated.speed == 50
    assert config.load("sim", ROOT).simulated_by is not None


@pytest.mark.parametrize(
    ("words", "why"), [({"section": ""}, "needs a section"), ({}, r"take `simulated` away")]
)
def test_a_profile_is_simulated_throughout_or_not_at_all(tmp_path, words, why):
    with pytest.raises(InputError, match=why):
        mine(tmp_path, "simulated = true", **words)


def test_nothing_is_simulated_for_a_real_instrument_that_can_be_rehearsed(tmp_path):
    real = mine(tmp_path)
    names = [
        each.name for each in supervisor.services(real, tmp_path, DataDirectory(tmp_path / "data"))
    ]
    assert names == ["guard", "daemon"]
    entry = SheetEntry(sample_id="S1", position=0, technique="xas", replay="scan.dat")
    faults = jobs.faults([entry], real, tmp_path / "profiles" / "mine")
    assert "is a real instrument and replays nothing" in str(faults)


def test_a_missing_profile_names_those_there_are():
    with pytest.raises(InputError, match="available: sim"):
        config.load("nope", ROOT)


def test_broken_toml_is_refused_with_its_line(tmp_path):
    with pytest.raises(InputError, match="line 2"):
        config.load("mine", write(tmp_path, 'name = "mine"\nx = = 1\n'))


@pytest.mark.parametrize("dotted", ["no.such:thing", "json:nothing"])
def test_a_dotted_string_that_names_nothing_is_refused(dotted):
    with pytest.raises(InputError, match=dotted):
        resolved(dotted)


def test_the_checkout_is_the_site():
    assert siteroot.find() == ROOT


def test_a_folder_that_is_no_site_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="not a site"):
        siteroot.find(tmp_path)
    monkeypatch.setenv("MATERIALSDOCK_SITE", str(tmp_path))
    with pytest.raises(InputError, match="MATERIALSDOCK_SITE"):
        siteroot.find()


def test_a_shadowed_name_is_refused(tmp_path):
    for room in (*siteroot.ROOMS, "profiles"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    import devices  # this process has the checkout's devices already

    with pytest.raises(Refused, match="taken by") as refused:
        siteroot.activate(tmp_path)
    assert str(Path(devices.__file__).parent) in str(refused.value)
    siteroot.activate(ROOT)
