"""Points about an edge: as dense as the narrowest line asks for, by edge and monochromator."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import voigt_profile

from materialsdock.campaign import build, prepare
from materialsdock.model import Measured, Sample
from materialsdock.profile import config, siteroot
from materialsdock.profile.sections import changed
from materialsdock.techniques.xas.spectrum.edge_table import named
from materialsdock.techniques.xas.spectrum.grids import expert_grid, start_grid, widest
from materialsdock.techniques.xas.spectrum.sampling import Sampling, line_width
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

ENERGY = np.arange(7052.0, 7292.0, 0.5)
SPECTRUM = Measured("xas", ENERGY, simulate_xanes(ENERGY))


@pytest.fixture(scope="module")
def profile():
    return config.load("sim", siteroot.find())


@pytest.mark.parametrize(("lorentzian", "gaussian"), [(1.25, 1.0), (0.36, 0.1), (4.5, 2.8)])
def test_the_width_of_a_line_is_that_of_a_voigt_profile(lorentzian, gaussian):
    width = line_width(lorentzian, gaussian)
    top, half = voigt_profile([0.0, width / 2], gaussian / 2.3548, lorentzian / 2)
    assert half / top == pytest.approx(0.5, abs=0.002)


def test_it_follows_the_edge_and_the_monochromator(profile):
    section = profile.section("xas")
    fine = {
        name: section.sampling(named(name)).fine_ev for name in ("Fe L3", "Ti K", "Fe K", "Mo K")
    }
    assert list(fine.values()) == sorted(fine.values())
    assert fine["Fe K"] == pytest.approx(0.91, abs=0.01)
    better = changed(section, {"mono_resolution_ev": 0.1})
    assert better.sampling(named("Fe K")).fine_ev == pytest.approx(0.63, abs=0.01)
    fixed = changed(section, {"resolution_ev": 1.5}).sampling(named("Mo K"))
    assert (fixed.fine_ev, fixed.near_ev, fixed.narrow_ev) == (1.5, 1.5, (-20.0, 40.0))


def test_grids_are_dense_where_pre_edge_peaks_lie():
    sampling = Sampling(0.9, 1.8)
    expert = expert_grid(7052.0, 7292.0, 7112.0, sampling)
    narrow = (expert > 7102.0) & (expert < 7124.0)
    assert np.diff(expert[narrow]).max() == pytest.approx(0.9, abs=1e-3)
    beside = (expert > 7126.0) & (expert < 7150.0)
    assert np.diff(expert[beside]).max() == pytest.approx(1.8, abs=1e-3)
    first = start_grid(7052.0, 7292.0, 7112.0, sampling)
    assert np.diff(first[(first > 7102.0) & (first < 7124.0)]).max() <= 4 * 0.9
    assert first[[0, -1]].tolist() == [7052.0, 7292.0]


def test_no_gap_near_the_edge_is_wider_than_a_line():
    grid = np.arange(7052.0, 7292.0, 0.2)
    found = widest(grid, (7102.0, 7124.0), 7112.0, 1.8)
    near = (grid > 7092.1) & (grid < 7151.9) & ~((grid > 7101.9) & (grid < 7124.1))
    assert found[near].max() <= 1.8
    assert found[(grid > 7103) & (grid < 7123)].min() > 200


def test_a_job_has_the_sampling_of_its_edge_and_an_old_one_its_own(profile):
    job = prepare.job_for(SPECTRUM, Sample("s", "xas"), profile)
    options = job.settings["learner"]
    assert job.settings["axis"]["resolution"] == pytest.approx(0.91, abs=0.01)
    assert options["narrow"] == [7102.0, 7124.0]
    assert build.learner(job).interest.widest.max() > 1.9
    del options["near_ev"]
    assert build.learner(job).interest.widest.max() > 1.9
