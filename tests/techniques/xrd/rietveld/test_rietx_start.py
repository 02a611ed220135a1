"""The start of a refinement: calibrated instruments, and points that are not evenly stepped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.structures import simulated

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import default_recipe
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.rietveld.rietx_start import instrument_of
from materialsdock.testing.crystals import LAB6

LAB = Diffractometer(
    widths=(1e-3, -1e-3, 3e-3, 0.01, 0.02), axial=(0.01, 0.03), zero_deg=0.02, fwhm_deg=0.07
)
FLAT = Pattern(np.linspace(20, 60, 400), np.full(400, 9.0), np.full(400, 3.0), np.ones(400))


def start(diffractometer=LAB, **recipe):
    full = {**default_recipe(FLAT, [LAB6], diffractometer), "fwhm_deg": 0.12, **recipe}
    return instrument_of(diffractometer, FLAT, full)


def test_a_calibrated_instrument_is_where_widths_begin():
    found = start()
    widths = {name: getattr(found.profile, name).value for name in "uvwy"}
    assert widths == {"u": 1e-3, "v": -1e-3, "w": 3e-3, "y": 0.02}
    assert found.profile.x.value == pytest.approx(0.01 + 0.6 * (0.12 - 0.07))
    assert found.zero_shift.value == 0.02
    axial = found.geometry
    assert (axial.axial_sl.value, axial.axial_hl.value) == (0.01, 0.03)


def test_what_a_recipe_does_not_refine_stays_as_calibrated():
    found = start(widths="uvw", axial="off")
    assert found.profile.x.value == 0.01
    assert found.geometry.axial_sl.value == 0.01
    equal = start(axial="equal").geometry
    assert equal.axial_sl.value == equal.axial_hl.value == pytest.approx(0.02)
    assert start(phase_widths="own").profile.x.value == 0.01


def test_without_calibration_widths_are_a_share_of_what_is_seen():
    found = start(Diffractometer())
    assert found.profile.w.value == pytest.approx((0.6 * 0.12) ** 2)
    assert found.zero_shift.value == 0.0


def test_uneven_points_are_refined_without_new_ones():
    pattern = simulated(((LAB6, 1.0),))
    kept = np.concatenate([np.arange(0, 900), np.arange(900, pattern.two_theta.size, 3)])
    kept = kept[(kept < 1200) | (kept > 1290)]
    parts = {
        name: getattr(pattern, name)[kept]
        for name in ("two_theta", "intensity", "sigma", "count_time_s")
    }
    fit = RietxEngine().refine(replace(pattern, **parts), [LAB6], Diffractometer(), {})
    assert fit.n_points == fit.y_calc.size == kept.size
    cell = fit.phases[0].cell["a"]
    whole = RietxEngine().refine(pattern, [LAB6], Diffractometer(), {}).phases[0].cell["a"]
    assert cell.value == pytest.approx(whole.value, abs=5 * (cell.esd or 0) + 1e-5)
    assert fit.gof < 1.3
