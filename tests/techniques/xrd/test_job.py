"""From a measured file to a job: its points, its radiation, and what can be measured of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from materialsdock.campaign import build, prepare
from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Axis, Measured, Sample
from materialsdock.profile import config, siteroot
from materialsdock.techniques.xrd import analysis, job, scene
from materialsdock.techniques.xrd.model import Diffractometer, Radiation
from materialsdock.testing.crystals import LAB6

EVEN = np.round(20 + 0.02 * np.arange(1500), 4)
GAP = np.delete(EVEN, slice(400, 520))
COARSE = np.concatenate([EVEN[:700], EVEN[700::3]])
SAMPLE = Sample("s", "xrd", 0, (LAB6,))


@pytest.fixture(scope="module")
def profile():
    return config.load("sim", siteroot.activate(None))


def measured(x, **more):
    return Measured("xrd", x, np.full(x.size, 90.0) + np.arange(x.size) % 7, **more)


@pytest.mark.parametrize("x", [GAP, COARSE])
def test_uneven_steps_are_refined_as_they_are_and_never_measured(profile, monkeypatch, x):
    found = prepare.job_for(measured(x), SAMPLE, profile)
    kept = json.loads(json.dumps(found.settings))
    np.testing.assert_array_equal(Axis.of(kept["axis"]).grid, x)
    seen: list[Pattern] = []

    def refined(outcome, pattern, watch, past):
        seen.append(pattern)
        return outcome

    monkeypatch.setattr(analysis, "refined", refined)
    analysis.refine_full(found, measured(x), None)
    np.testing.assert_array_equal(seen[0].two_theta, x)
    for measure in (
        lambda: build.check(found),
        lambda: prepare.scene(measured(x), found, profile),
    ):
        with pytest.raises(InputError, match="uneven") as refused:
            measure()
        assert "constant step" in refused.value.remedy


def test_even_steps_stay_a_range_with_a_step(profile):
    settings = prepare.job_for(measured(EVEN), SAMPLE, profile).settings
    assert "grid" not in settings["axis"]
    assert settings["axis"]["points"] == EVEN.size
    build.check(prepare.job_for(measured(EVEN), SAMPLE, profile))


@pytest.mark.parametrize(
    ("about", "lines", "says"),
    [
        (Radiation(), (1.540593, 1.544427), "of the profile, the file names none"),
        (Radiation((0.413,), source="the file"), (0.413,), "0.413 Å of the file; the profile has"),
        (
            Radiation(
                (1.789, 1.7929), (1.0, 0.5), source="--anode Co", instrument={"axial": (0.01, 0.02)}
            ),
            (1.789, 1.7929),
            "of --anode Co",
        ),
    ],
)
def test_the_radiation_of_the_file_is_that_of_the_job(profile, about, lines, says):
    settings = prepare.job_for(measured(EVEN, about=about), SAMPLE, profile).settings
    found = Diffractometer.of(json.loads(json.dumps(settings["diffractometer"])))
    assert found.wavelengths_angstrom == lines
    assert len(found.weights) == len(lines)
    assert says in settings["wavelengths_from"]
    if about is not None and about.instrument:
        assert found.axial == (0.01, 0.02)


@pytest.mark.parametrize("scale", [0.01, 1 / 7])
def test_what_is_no_counts_is_replayed_as_the_counts_its_sigma_stands_for(profile, scale):
    counts = np.full(EVEN.size, 90.0) + np.arange(EVEN.size) % 7
    shown = Measured("xrd", EVEN, counts * scale, np.sqrt(counts) * scale)
    found = scene.scene(shown, prepare.job_for(shown, SAMPLE, profile), profile)
    np.testing.assert_array_equal(found["counts"], counts)
    whole = measured(EVEN, sigma=np.full(EVEN.size, 3.0))
    found = scene.scene(whole, prepare.job_for(whole, SAMPLE, profile), profile)
    np.testing.assert_array_equal(found["counts"], whole.y)


def test_an_even_grid_is_what_even_positions_mean():
    np.testing.assert_allclose(
        job.even_grid(EVEN + 1e-4 * np.sin(np.arange(EVEN.size))), EVEN, atol=2e-4
    )
