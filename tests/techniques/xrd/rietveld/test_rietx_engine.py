"""One refinement with the default recipe: agreement, truth, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rietx
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.places import SHARED
from support.structures import simulated

from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Parameter, Structure
from materialsdock.techniques.xrd.model import Diffractometer, PhaseFit
from materialsdock.techniques.xrd.rietveld import limits, rfactors
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.recipe import STAGE_ORDERS, default_recipe, stages
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE, cif

XRD = SHARED / "xrd"
EXAMPLES = Path(rietx.__file__).parent / "data" / "examples"
CU = Diffractometer()


def counted(two_theta, counts):
    """A pattern of raw counts, one second per point."""
    return Pattern(two_theta, counts, np.sqrt(np.maximum(counts, 1)), np.ones(counts.size))


def evenly_stepped(path, header, start, step, points=None):
    lines = path.read_text().splitlines()[header:]
    counts = np.array(" ".join(lines).split()[:points], dtype=float)
    return counted(start + step * np.arange(counts.size), counts)


def shared(name):
    path = XRD / name
    if not path.is_file():
        pytest.skip(f"{name} is not here")
    return path


def refined(pattern, structures, **recipe):
    return RietxEngine().refine(pattern, structures, CU, recipe)


def value(fit, name):
    return next(p for p in fit.parameters if p.name == name)


@pytest.fixture(scope="module")
def mixture():
    """30 wt% LaB6 and 70 wt% fluorite, simulated by independent code, refined once."""
    pattern = simulated(((LAB6, 30), (FLUORITE, 70)))
    return pattern, refined(pattern, (LAB6, FLUORITE))


# the R factors


def test_r_factors_against_a_hand_computation():
    y, calc, sigma = np.array([4.0, 9.0]), np.array([5.0, 6.0]), np.array([2.0, 3.0])
    # Σ((y−c)/σ)² = 1/4 + 1 = 1.25 and Σ(y/σ)² = 4 + 9 = 13
    assert rfactors.weighted_profile(y, calc, sigma) == pytest.approx(100 * np.sqrt(1.25 / 13))
    assert rfactors.expected(y, sigma, 1) == pytest.approx(100 * np.sqrt(1 / 13))


@given(arrays(float, 20, elements=st.floats(1, 1e4)), st.floats(1e-3, 1e3))
def test_r_factors_do_not_depend_on_the_unit(y, unit):
    calc, sigma = y[::-1].copy(), np.sqrt(y)
    here = rfactors.weighted_profile(y, calc, sigma)
    assert rfactors.weighted_profile(unit * y, unit * calc, unit * sigma) == pytest.approx(here)
    assert rfactors.weighted_profile(y, y, sigma) == 0


# simulated data of known composition


def test_the_engine_satisfies_its_port():
    engine: RefinementEngine = RietxEngine()
    assert engine.name == "rietx"


def test_mixture_is_found_as_it_was_made(mixture):
    _, fit = mixture
    lab6, fluorite = fit.phases
    assert fit.gof < 1.05
    assert lab6.cell["a"].value == pytest.approx(4.157, abs=3e-4)
    assert fluorite.cell["a"].value == pytest.approx(5.4631, abs=3e-4)
    assert lab6.weight_fraction + fluorite.weight_fraction == pytest.approx(100)
    # the simulation knows no f'', worth half a per cent
    assert lab6.weight_fraction == pytest.approx(30, abs=1.0)
    assert 0 < lab6.weight_fraction_esd < 1
    assert fit.violations == ()


def test_fit_carries_what_the_report_shows(mixture):
    pattern, fit = mixture
    assert fit.y_calc.shape == fit.y_background.shape == pattern.two_theta.shape
    rwp = rfactors.weighted_profile(pattern.intensity, fit.y_calc, pattern.sigma)
    assert fit.rwp == pytest.approx(rwp)
    assert fit.gof == pytest.approx(fit.rwp / fit.r_exp)
    assert fit.n_points == pattern.two_theta.size
    assert 15 < fit.n_free < 40
    assert set(fit.ticks) == {"LaB6", "fluorite"}
    # (111) and (220) of fluorite, Kα1
    assert np.abs(fit.ticks["fluorite"] - 28.27).min() < 0.05
    assert np.abs(fit.ticks["fluorite"] - 47.00).min() < 0.05
    assert fit.phases[0].cell["alpha"] == Parameter("alpha", 90.0, None, "deg")
    assert value(fit, "LaB6.B1.x").value == pytest.approx(0.2, abs=0.01)
    assert value(fit, "LaB6.B1.biso").unit == "Å²"
    assert fit.engine.startswith("rietx 1.")
    assert fit.recipe == default_recipe(pattern, (LAB6, FLUORITE))


def test_irregular_steps_and_rates_with_their_sigma():
    pattern = simulated(((FLUORITE, 1.0),))
    kept = np.sort(np.random.default_rng(1).permutation(pattern.two_theta.size)[:1900])
    seconds = 4.0
    thinned = Pattern(
        pattern.two_theta[kept],
        pattern.intensity[kept] / seconds,
        pattern.sigma[kept] / seconds,
        np.full(kept.size, seconds),
    )
    fit = refined(thinned, (FLUORITE,))
    assert fit.phases[0].cell["a"].value == pytest.approx(5.4631, abs=4e-4)
    assert fit.gof < 1.1
    assert fit.phases[0].weight_fraction == 100


@pytest.mark.slow
def test_preferred_orientation_is_refined_only_on_request():
    pattern = simulated(((CORUNDUM, 1.0),))
    platy = replace(CORUNDUM, preferred_orientation=(0, 0, 1))
    names = [p.name for p in refined(pattern, (CORUNDUM,)).parameters]
    assert "corundum.preferred_orientation" not in names
    march = value(refined(pattern, (platy,)), "corundum.preferred_orientation")
    assert march.value == pytest.approx(1.0, abs=0.05)
    assert march.esd is not None


def test_a_wrong_cell_is_a_violation(mixture):
    pattern, fit = mixture
    stretched = {"LaB6": {"a": 4.157 * 1.02}, "fluorite": {"a": 5.4631}}
    found = limits.violations(pattern.two_theta, fit.parameters, fit.phases, stretched)
    assert found == ("LaB6.a changed by -2.0%",)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (Parameter("p.O1.biso", 0.0, 0.05), "p.O1.biso = 0 Å² is at or below zero"),
        (Parameter("p.O1.occupancy", 1.2, 0.1), "not between 0 and 1"),
        (Parameter("p.preferred_orientation", 4.0, 0.1), "outside 0.3-3"),
        (Parameter("zero", 0.1, float("nan")), "no finite esd"),
        (Parameter("y", -0.5, 0.1), "Lorentzian width is negative"),
    ],
)
def test_what_is_not_physical_is_named(parameter, words):
    two_theta = np.linspace(20, 120, 100)
    (found,) = limits.violations(two_theta, (parameter,), (), {})
    assert words in found


@pytest.mark.parametrize(
    "parameter",
    [Parameter("p.O1.biso", 0.0, 0.2), Parameter("w", 1e-8, float("nan"))],
    ids=["a Biso that is not known", "a width at its bound"],
)
def test_what_says_nothing_of_the_sample_is_no_violation(parameter):
    assert limits.violations(np.linspace(20, 120, 100), (parameter,), (), {}) == ()


def test_fixed_parameters_break_no_constraint():
    phase = PhaseFit("p", "P 1", {"a": Parameter("a", 5.0)}, 100)
    fixed = (Parameter("p.O1.biso", 0.0), Parameter("p.O1.occupancy", 1.5))
    assert limits.violations(np.linspace(20, 60, 50), fixed, (phase,), {"p": {"a": 5.0}}) == ()


def test_a_peak_that_is_cut_by_its_noise_is_none_and_warns_of_nothing():
    """Warnings are errors here; what is left of the peak's flank has no top of its own."""
    x = np.arange(20, 60, 0.02)
    y = 100 + sum(3000 * np.exp(-np.log(2) * (2 * (x - at) / 0.3) ** 2) for at in (30, 40, 50))
    sigma = np.where(np.abs(x - 40.15) < 0.2, 5e4, np.sqrt(y))
    at, widths = limits.peaks(Pattern(x, y, sigma, np.ones(x.size)), 0.1)
    assert sorted(at) == pytest.approx([30, 50], abs=0.01)
    assert widths == pytest.approx(0.308, abs=0.01)


def test_agreement_of_each_phase_is_known_and_libraries_are_silent(mixture):
    _, fit = mixture
    assert all(0 < phase.r_bragg < 20 for phase in fit.phases)
    assert not any("Warning" in line or ": " in line.split(" ")[0] for line in fit.warnings)
    assert all(line.split(":")[0].isupper() for line in fit.remarks)


# what is refused


def broken(**changes):
    return replace(simulated(((FLUORITE, 1.0),)), **changes)


def with_intensity(index, number):
    good = simulated(((FLUORITE, 1.0),))
    y = good.intensity.copy()
    y[index] = number
    return replace(good, intensity=y)


def flat():
    x = np.arange(20.0, 80.0, 0.05)
    return counted(x, np.random.default_rng(0).poisson(50, x.size).astype(float))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (with_intensity(7, np.nan), "1 intensities are not finite"),
        (with_intensity(7, -3.0), "1 intensities are negative (lowest -3)"),
        (counted(np.linspace(20, 30, 49), np.full(49, 9.0)), "49 points are fewer than 50"),
        (flat(), "0 peaks stand out of the noise"),
        (broken(sigma=np.zeros(3167)), "sigma is not finite and positive"),
        (broken(two_theta=np.zeros(3167)), "strictly increasing"),
        (broken(sigma=np.ones(5)), "differ"),
    ],
    ids=["nan", "negative", "few points", "no peak", "sigma", "order", "shape"],
)
def test_a_pattern_that_cannot_be_refined_is_one_clear_error(pattern, words):
    with pytest.raises(InputError) as error:
        refined(pattern, (FLUORITE,))
    assert words in str(error.value)
    assert "pattern to refine" in str(error.value)


@pytest.mark.parametrize(
    ("structures", "words"),
    [
        ((), "no structure"),
        ((FLUORITE, FLUORITE), "share the name fluorite"),
        ((Structure("empty", "data_x\n_cell_length_a 4\n"),), "CIF of empty: has no atoms"),
        ((Structure("prose", "not a CIF at all"),), "CIF of prose: cannot be read"),
        (
            (Structure("odd", FLUORITE.cif.replace("F m -3 m", "Q 17").replace("225", "999")),),
            "CIF of odd: unknown space group 'Q 17'",
        ),
        (
            (Structure("alien", FLUORITE.cif.replace("Ca1 Ca", "Qq1 Qq")),),
            "CIF of alien: unknown element at Qq1",
        ),
    ],
    ids=["none", "twice", "no atoms", "prose", "group", "element"],
)
def test_a_structure_that_is_none_is_named(structures, words):
    with pytest.raises(InputError) as error:
        refined(simulated(((FLUORITE, 1.0),)), structures)
    assert words in str(error.value)


@pytest.mark.parametrize("recipe", [{"backgruond": 3}, {"axial": "maybe"}])
def test_a_recipe_of_unknown_words_is_refused(recipe):
    with pytest.raises(InputError, match=next(iter(recipe))):
        refined(simulated(((FLUORITE, 1.0),)), (FLUORITE,), **recipe)


@pytest.mark.parametrize("order", STAGE_ORDERS)
def test_every_order_frees_everything_once_switched_on(order):
    pattern = simulated(((FLUORITE, 1.0),))
    recipe = default_recipe(pattern, (FLUORITE,)) | {"order": order}
    freed = {group for stage in stages(recipe) for group in stage}
    assert freed == {
        "scale",
        "background",
        "position",
        "cell",
        "u",
        "v",
        "w",
        "x",
        "y",
        "axial",
        "kalpha2",
        "displacements",
        "coordinates",
    }


def test_atoms_of_a_mixed_site_move_together():
    boron, carbon = ("B1", "B", 0.2, 0.5, 0.5), ("C1", "C", 0.2, 0.5, 0.5)
    mixed = cif("mixed", "P m -3 m", 221, (4.157,) * 3, [("La1", "La", 0, 0, 0), boron, carbon])
    mixed = replace(mixed, cif=mixed.cif.replace("0.5 0.5 1.0", "0.5 0.5 0.5"))
    fit = refined(simulated(((LAB6, 1.0),)), (mixed,), displacements="per_site")
    assert value(fit, "mixed.B1.x").value == value(fit, "mixed.C1.x").value != 0.2
    assert value(fit, "mixed.B1.biso").value == value(fit, "mixed.C1.biso").value


def every_other(pattern, highest):
    """Every second point of a pattern up to 2θ `highest` [deg]."""
    kept = pattern.two_theta < highest
    return Pattern(*(column[kept][::2] for column in vars(pattern).values()))


@pytest.mark.slow
def test_a_rough_surface_is_told_from_small_displacements():
    """Low angles weakened as Suortti's layer does it: without it Biso is biased to zero."""
    pattern = every_other(simulated(((YTTRIA, 1.0),), counts=2e4), highest=80.0)
    s = np.sin(np.radians(pattern.two_theta / 2))
    weaker = (0.3 + 0.7 * np.exp(-0.3 / s)) / (0.3 + 0.7 * np.exp(-0.3))
    rough = replace(pattern, intensity=np.rint(pattern.intensity * weaker))
    plain = value(refined(rough, (YTTRIA,)), "yttria.Y1.biso").value
    right = value(refined(rough, (YTTRIA,), roughness=True), "yttria.Y1.biso")
    truth = value(refined(pattern, (YTTRIA,)), "yttria.Y1.biso").value
    assert plain < truth - 0.1
    assert abs(right.value - truth) < max(3 * right.esd, 0.1)


def test_ions_of_broken_charge_are_read_as_their_elements():
    charged = FLUORITE.cif.replace(" Ca ", " Ca1.928+ ").replace(" F ", " F0- ")
    fit = refined(simulated(((FLUORITE, 1.0),)), (replace(FLUORITE, cif=charged),))
    assert fit.gof < 1.05


# measured data


@pytest.mark.slow
def test_fluorapatite_of_the_engine_against_gsas():
    """The GSAS tutorial's fluorapatite: GSAS gave Rwp 10.05 % and a = 9.371724 Å."""
    pattern = evenly_stepped(EXAMPLES / "FAP.XRA", 2, 15.0, 0.02, 5753)
    structure = Structure("fluorapatite", (EXAMPLES / "fluorapatite.cif").read_text())
    fit = refined(pattern, (structure,))
    assert fit.rwp < 10.05
    assert fit.phases[0].cell["a"].value == pytest.approx(9.3717, abs=2e-3)
    assert fit.violations == ()


def test_synchrotron_pattern_in_a_capillary():
    """APS 11-BM, Na2Ca3Al2F14, one wavelength, every fourth point: a = 10.2516 Å, narrow lines."""
    lines = (EXAMPLES / "11BM_NAC.fxye").read_text().splitlines()
    columns = np.array([words for words in map(str.split, lines) if len(words) == 3][1:], float)
    two_theta, y, sigma = columns[(columns[:, 0] > 400) & (columns[:, 0] < 1500)][::4].T
    pattern = Pattern(two_theta / 100, y, sigma, np.ones(y.size))
    beamline = Diffractometer((0.413909,), (1.0,), 0.99, "debye_scherrer", 1000.0, 0.01)
    structure = Structure("NAC", (EXAMPLES / "cod_1000236.cif").read_text())
    fit = RietxEngine().refine(pattern, (structure,), beamline, {})
    assert fit.phases[0].cell["a"].value == pytest.approx(10.2516, abs=1e-3)
    assert fit.rwp < 20
    assert fit.violations == ()
    names = {p.name for p in fit.parameters if p.esd is not None}
    assert "zero" in names
    assert not {"sample_displacement", "kalpha2_weight"} & names


def test_licoo2_beats_the_expert_and_the_paper():
    """Full range 16-136: expert 8.96, Le Bail 8.59, Ozaki et al. after 200 trials 8.45 %."""
    root = "bbo/data/LiCoO2"
    path = shared(f"{root}/Powder-data-Bruker/LiCoO2.dat")
    cif = shared(f"{root}/COD/4505482.cif").read_text()
    fit = refined(evenly_stepped(path, 1, 16.0, 0.03), (Structure("LiCoO2", cif, (0, 0, 1)),))
    assert fit.n_points == 4001
    assert fit.rwp < 8.4
    assert fit.violations == ()


@pytest.mark.slow
def test_round_robin_mixture_against_the_weighed_truth():
    pattern = counted(*np.loadtxt(shared("iucr_qpa/cpd-1e.prn")).T)
    fit = refined(pattern, (CORUNDUM, ZINCITE, FLUORITE))
    fractions = [phase.weight_fraction for phase in fit.phases]
    assert fractions == pytest.approx([55.12, 15.25, 29.62], abs=1.5)
    assert sum(fractions) == pytest.approx(100)
    assert fit.violations == ()


def test_lanthanum_hexaboride_cell():
    """NIST SRM 660c; an uncalibrated goniometer leaves a few 1e-4 Å."""
    path = shared("gsas2_tutorials/NIST660CBI.gsas")
    fit = refined(evenly_stepped(path, 2, 15.0066, 0.0131303), (LAB6,))
    assert fit.phases[0].cell["a"].value == pytest.approx(4.156826, abs=6e-4)
    assert fit.rwp < 6
