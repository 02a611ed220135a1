"""Sum rules: the moments put in come out, and the background's part is in the sd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.xas_samples import dichroism

from materialsdock.errors import InputError
from materialsdock.learning.stopping.quantities import xmcd_moments
from materialsdock.techniques.xas.dichroism.background import Background, correct, find_background
from materialsdock.techniques.xas.dichroism.moments import (
    MagneticAtom,
    magnetic_moments,
    moments_of,
)

IRON = MagneticAtom(3.39)
M_ORB, M_SPIN = 0.085, 1.98
CHOSEN = Background((685.0, 700.0), (735.0, 765.0), 706.8, 719.9, 713.0)


def drawn(noise, count=40):
    energy, *_ = dichroism(M_ORB, M_SPIN, IRON.holes)
    pairs = [dichroism(M_ORB, M_SPIN, IRON.holes, noise=noise, seed=s)[1:] for s in range(count)]
    plus, minus = (np.array(each) for each in zip(*pairs, strict=True))
    return energy, plus, minus


def test_the_sum_rules():
    orbital, spin, ratio = moments_of(-6.0, -1.0, 30.0, MagneticAtom(3.0, 0.5, 60.0))
    assert orbital == pytest.approx(4 / 3 / 30 * 3 / 0.25)
    assert spin == pytest.approx(32 / 30 * 3 / 0.25)
    assert ratio == pytest.approx(orbital / spin)


@pytest.mark.parametrize(("orbital", "spin"), [(0.085, 1.98), (0.15, 1.6), (-0.1, 1.0)])
def test_known_moments_come_out_with_the_right_background(orbital, spin):
    made = dichroism(orbital, spin, IRON.holes)
    found = correct(*made, CHOSEN)
    m_orb, m_spin, _ = moments_of(found.p, found.q, found.r, IRON)
    assert m_orb == pytest.approx(orbital, abs=0.005)
    assert m_spin == pytest.approx(spin, rel=0.02)


def test_known_moments_lie_within_the_sd_when_the_background_is_unknown():
    energy, plus, minus = drawn(1e-3)
    found = magnetic_moments(energy, plus[0], minus[0], IRON, samples=(plus, minus))
    assert found.verdict == "accept", found.reasons
    for name, true in (("m_orb", M_ORB), ("m_spin_eff", M_SPIN), ("ratio", M_ORB / M_SPIN)):
        parameter = found.values[name]
        assert abs(parameter.value - true) < 2 * parameter.esd
        assert parameter.esd == pytest.approx(np.hypot(found.noise[name], found.background[name]))
        low, high = found.extremes[name]
        assert low <= parameter.value <= high


def test_more_noise_more_sd():
    sds = []
    for noise in (1e-3, 1e-2):
        energy, plus, minus = drawn(noise)
        found = magnetic_moments(energy, plus[0], minus[0], IRON, CHOSEN, (plus, minus))
        sds.append(found.noise["m_spin_eff"])
    assert sds[1] == pytest.approx(10 * sds[0], rel=0.3)


def test_without_dichroism_there_are_no_moments():
    energy, plus, minus = (np.array(each) for each in dichroism(0.0, 0.0, 3.39, noise=1e-3, seed=7))
    rng = np.random.default_rng(1)
    shape = (40, energy.size)
    samples = tuple(mu + 1e-3 * rng.standard_normal(shape) for mu in (plus, minus))
    found = magnetic_moments(energy, plus, minus, IRON, samples=samples)
    assert found.verdict == "no confident match"


def test_a_drift_between_helicities_is_no_moment():
    energy, plus, minus = dichroism(M_ORB, M_SPIN, IRON.holes)
    drifted = plus * 1.02 + 2e-4 * (energy - 700)
    found = magnetic_moments(energy, drifted, minus, IRON)
    spin = found.values["m_spin_eff"]
    assert abs(spin.value - M_SPIN) < 2 * spin.esd


def test_both_edges_are_found():
    energy, plus, minus = dichroism(M_ORB, M_SPIN, IRON.holes)
    found = find_background(energy, plus + minus)
    assert found.l3_ev == pytest.approx(706.8, abs=0.6)
    assert found.l2_ev == pytest.approx(719.9, abs=0.6)
    assert found.l3_ev < found.cut_ev < found.l2_ev


def test_the_integrals_are_those_that_measuring_stops_on():
    made = correct(*dichroism(M_ORB, M_SPIN, IRON.holes), CHOSEN)
    p, q = xmcd_moments(made.energy_ev, CHOSEN.cut_ev)
    (r,) = xmcd_moments(made.energy_ev, CHOSEN.cut_ev, made.steps)
    assert p.of(made.difference) == pytest.approx(made.p)
    assert q.of(made.difference) == pytest.approx(made.q)
    assert r.of(made.total) == pytest.approx(made.r)


def spoilt(kind):
    energy, plus, minus = dichroism(M_ORB, M_SPIN, IRON.holes)
    if kind == "empty":
        return energy[:0], plus[:0], minus[:0]
    if kind == "nan":
        return energy, np.full_like(plus, np.nan), minus
    if kind == "backwards":
        return energy[::-1], plus, minus
    if kind == "flat":
        return energy, np.ones_like(plus), np.ones_like(minus)
    if kind == "the same":
        return energy, plus, plus.copy()
    if kind == "no L2":
        return energy[energy < 710], plus[energy < 710], minus[energy < 710]
    return energy, plus[:-1], minus


@pytest.mark.parametrize(
    "kind", ["empty", "nan", "backwards", "flat", "the same", "no L2", "unequal"]
)
def test_bad_spectra_are_one_error(kind):
    with pytest.raises(InputError):
        magnetic_moments(*spoilt(kind), IRON)


@pytest.mark.parametrize(
    "bad", [{"holes": 0.0}, {"holes": 3, "polarisation": 0.0}, {"holes": 3, "angle_deg": 90.0}]
)
def test_impossible_atoms_are_refused(bad):
    with pytest.raises(InputError):
        MagneticAtom(**bad)


def test_a_spectrum_that_ends_before_the_post_edge_says_where():
    made = dichroism(M_ORB, M_SPIN, IRON.holes)
    said = "post-edge: the spectrum ends at 765.0 eV, the post-edge range begins at 777.0 eV"
    with pytest.raises(InputError, match=said):
        correct(*made, replace(CHOSEN, post_ev=(777.0, 765.0)))
