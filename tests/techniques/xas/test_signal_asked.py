"""The signal as profile, options, sheet and recipe ask for it, and what refuses it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.places import ROOT
from support.signals import PROFILE, profile

from materialsdock import technique
from materialsdock.campaign import plan, prepare
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError
from materialsdock.model import Job, Measured, Sample
from materialsdock.profile.config import Profile
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import SheetEntry
from materialsdock.techniques.xas.options import Options
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

ENERGY = np.linspace(6950.0, 7400.0, 901)
SPECTRUM = Measured("xas", ENERGY, simulate_xanes(ENERGY))
SAMPLE = Sample("s", "xas")
FOLDER = ROOT / "profiles" / "sim"
REAL = PROFILE.model_copy(update={"simulated": False})


def made(own):
    return prepare.job_for(SPECTRUM, SAMPLE, own)


def of_sheet(**columns):
    row = {"sample_id": "S1", "position": 2, "technique": "xas", "element": "Fe", "edge": "K"}
    return jobs.job_of(SheetEntry.model_validate({**row, **columns}), REAL, FOLDER)


def test_transmission_is_the_default_and_its_jobs_are_as_before():
    assert "signal" not in made(PROFILE).settings
    assert "signal" not in made(profile("transmission")).settings
    assert technique.named("xas").way(made(PROFILE)).counter == "ion_chambers"


@pytest.mark.parametrize(
    ("signal", "counter"), [("fluorescence", "fluorescence"), ("yield", "electrometer")]
)
def test_a_signal_has_its_own_device_and_keys(signal, counter):
    job = made(profile(signal))
    way = technique.named("xas").way(job)
    assert (job.settings["signal"], way.counter) == (signal, counter)
    assert way.keys.signal not in ("it", "counts")


def test_a_sheet_and_a_recipe_ask_for_a_signal(tmp_path):
    assert of_sheet(signal="Fluorescence").settings["signal"] == "fluorescence"
    assert "signal" not in of_sheet().settings
    assert of_sheet(signal="fluorescence", composition="Fe2O3").settings["composition"] == "Fe2O3"
    (tmp_path / "recipes").mkdir()
    recipe = '[measure]\ntechnique = "xas"\nsignal = "yield"\n'
    (tmp_path / "recipes" / "tey.toml").write_text(recipe)
    row = SheetEntry.model_validate(
        {"sample_id": "S1", "position": 1, "recipe": "tey", "element": "Fe", "edge": "K"}
    )
    assert jobs.job_of(row, REAL, tmp_path).settings["signal"] == "yield"
    with pytest.raises(ValueError, match="is none of transmission, fluorescence, yield"):
        of_sheet(signal="fluor")


def test_the_options_ask_for_a_signal():
    part = technique.named("xas").options()
    words = {"yield": "yield", "TEY": "yield", "fluo": "fluorescence", "reference": None, "": None}
    for word, signal in words.items():
        assert part.changes(Options(signal=word), Path()).get("signal") == signal
    asked = Options(signal="fluorescence", composition="Fe2O3")
    assert part.changes(asked, Path()) == {"signal": "fluorescence", "composition": "Fe2O3"}
    request = MeasureRequest(own={"xas": asked})
    request.check(SPECTRUM, SAMPLE)
    assert made(request.applied(PROFILE)).settings["composition"] == "Fe2O3"
    with pytest.raises(InputError, match="no signal 'fluor'") as refused:
        MeasureRequest(own={"xas": Options(signal="fluor")}).check(SPECTRUM, SAMPLE)
    assert "available: transmission, fluorescence, yield" in str(refused.value)


@pytest.mark.parametrize("signal", ["fluorescence", "yield"])
def test_a_profile_without_the_device_refuses_in_words(signal):
    own = profile(signal)
    role = {"fluorescence": "fluorescence", "yield": "electrometer"}[signal]
    devices = {name: device for name, device in own.devices.items() if name != role}
    with pytest.raises(InputError, match=f"has no device '{role}', which measures {signal}"):
        made(own.model_copy(update={"devices": devices}))


def test_a_profile_with_another_signal_is_refused():
    said = PROFILE.model_dump(by_alias=True, exclude_none=True)
    with pytest.raises(ValueError, match="signal"):
        Profile.model_validate({**said, "xas": {**said["xas"], "signal": "reflection"}})


def test_the_limit_of_the_detector_is_that_of_its_device():
    device = PROFILE.devices["fluorescence"]
    options = {**device.options, "dead_time_limit": 0.3}
    devices = {
        **PROFILE.devices,
        "fluorescence": device.model_copy(update={"options": options}),
    }
    own = profile("fluorescence").model_copy(update={"devices": devices})
    assert technique.named("xas").observer(made(own)).limit == 0.3


def test_a_file_below_zero_cannot_be_replayed_as_counts():
    low = Measured("xas", ENERGY, SPECTRUM.y - 1.0)
    job = prepare.job_for(low, SAMPLE, profile("fluorescence"))
    with pytest.raises(InputError, match="is never below 0"):
        prepare.scene(low, job, profile("fluorescence"))


def test_a_job_of_a_signal_that_there_is_not_is_refused():
    job = Job("j", SAMPLE, {"signal": "reflection"})
    with pytest.raises(InputError, match="available: fluorescence, yield"):
        technique.named("xas").way(job)


def test_the_plan_of_a_job_counts_with_its_device(monkeypatch):
    given = []
    plans = {
        "plans.measure:measure_point": lambda *_, **how: given.append(how),
        "plans.adaptive:learn": lambda campaign, instrument, measure, **_: measure,
    }
    monkeypatch.setattr(plan, "resolved", plans.get)
    bare = {"conditions": None, "beam": None}
    for signal in ("transmission", "yield"):
        own = profile(signal).model_copy(update=bare)
        plan.plan_for(SimpleNamespace(job=made(own)), None, own)(None, None)
    assert given == [{}, {"counter": "electrometer"}]
