"""Counting steered by refinement: where it counts, when it ends, and that it can be rebuilt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.structures import simulated

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting import fisher
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.model import Axis, Observation
from materialsdock.protocols import Learner
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld import sensitivity
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.rietveld.sensitivity import Sensitivity, steering
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE

GRID = 20 + 0.02 * np.arange(1500)
FWHM = 0.12


def peaks(*centres):
    width = FWHM / np.sqrt(8 * np.log(2))
    return sum(np.exp(-0.5 * ((GRID - c) / width) ** 2) for c in centres)


SHAPES = np.stack([peaks(24.0, 33.0, 44.0), peaks(27.0, 38.5), np.ones(GRID.size)], axis=1)
TRUTH = SHAPES @ np.array([200.0, 30.0, 40.0])
SHARE = 100 * 30 / 230


def linear(pattern):
    """The refinement of a model that is linear in two scales and a background."""
    found = np.array([200.0, 30.0, 40.0])
    for _ in range(3):  # weights from the model, as no low count may be favoured
        root = np.sqrt(pattern.count_time_s / fisher.rates(SHAPES @ found))
        found = np.linalg.lstsq(SHAPES * root[:, None], pattern.intensity * root, rcond=None)[0]
    total = found[0] + found[1]
    gradient = 100 * np.array([-found[1], found[0], 0.0]) / total**2
    return Sensitivity(
        y=SHAPES @ found,
        jacobian=SHAPES,
        gradient=gradient[:, None],
        estimate=np.array([100 * found[1] / total]),
        unit="wt%",
        quantity="weight_fraction",
    )


def learner(sensitivity=linear, **options):
    axis = Axis("two_theta", "deg", GRID, FWHM)
    settings = {"full_time_s": 1.0, "fwhm_deg": FWHM, "quantity": "weight_fraction"}
    return SteeredLearner(axis, sensitivity=sensitivity, **settings, **options)


def measure(found, seed=0, steps=10**4):
    rng, told = np.random.default_rng(seed), []
    for step in range(steps):
        proposal = found.ask()
        if proposal is None:
            break
        t = proposal.count_time_s
        counts = rng.poisson(TRUTH[found.axis.index(proposal.x)] * t) / t
        told.append(
            [
                Observation(f"r/{step}-{i}", step, float(x), float(y), 1.0, t, "r")
                for i, (x, y) in enumerate(zip(proposal.x, counts, strict=True))
            ]
        )
        found.tell(told[-1])
    return told


def test_it_is_a_learner():
    assert isinstance(learner(), Learner)


def test_it_ends_at_the_wanted_esd_in_less_time_than_even_counting():
    found = learner(wanted_esd=0.6)
    measure(found)
    sense = linear(found.pattern())
    reached = found.evidence().quantities["weight_fraction_esd"]
    assert 0.5 < reached <= 0.6
    per_second = fisher.information(sense.y, SHAPES, np.ones(GRID.size))
    even_s = GRID.size * (fisher.esd(per_second, sense.gradient)[0] / 0.6) ** 2
    assert found._posterior.seconds.sum() < 0.65 * even_s
    assert found.estimates()["values"][0] == pytest.approx(SHARE, abs=4 * 0.6)
    assert found.estimates()["unit"] == "wt%"


@pytest.mark.slow
def test_the_esd_is_the_scatter_of_what_is_estimated():
    errors = []
    for seed in range(20):
        found = learner(wanted_esd=0.8)
        measure(found, seed)
        errors.append((found.estimates()["values"][0] - SHARE) / found.estimates()["esd"])
    assert abs(np.mean(errors)) < 0.6
    assert 0.7 < np.std(errors) < 1.35


def test_most_time_goes_to_peaks_but_everything_is_counted_in_each_pass():
    found = learner(wanted_esd=0.01)
    told = measure(found, steps=150)
    assert found._pass_number(found.steps - 1) >= 2
    second = found._passes[1]
    x = np.concatenate([[o.x for o in b] for b in told[second.first_step : second.end]])
    np.testing.assert_allclose(np.sort(x), GRID, atol=1e-9)
    seconds = found._posterior.seconds
    telling = SHAPES[:, 1] > 0.5
    assert seconds[telling].mean() > 2 * seconds[SHAPES[:, :2].sum(axis=1) < 0.01].mean()


@pytest.mark.parametrize("stop_after", [10, 24, pytest.param(32, marks=pytest.mark.slow)])
def test_told_again_it_goes_on_as_before(stop_after):
    first = learner()
    told = measure(first, steps=stop_after)
    again, backwards = learner(), learner()
    again.tell([o for batch in told for o in batch])
    for batch in reversed(told):
        backwards.tell(batch[::-1])
    for other in (again, backwards):
        assert other.ask() == first.ask()
        assert other.evidence().quantities == first.evidence().quantities


def test_it_refines_once_per_pass():
    calls = []

    def counted(pattern):
        calls.append(pattern.two_theta.size)
        return linear(pattern)

    found = learner(counted)
    measure(found, steps=60)
    found.evidence(), found.ask(), found.ask()
    assert len(calls) == len([p for p in found._passes if p.end <= found.steps])


def test_where_nothing_can_be_refined_the_next_pass_is_even():
    def hopeless(pattern):
        raise InputError("1 peaks stand out of the noise, fewer than 2")

    found = learner(hopeless, capacity_s=0.5)
    measure(found)
    assert np.ptp(found._posterior.seconds) < 1e-9
    assert found.evidence().quantities["weight_fraction_esd"] == np.inf
    assert found.estimates() == {}
    assert "fewer than 2" in found.trouble


def absent_phase(pattern):
    raise ZeroDivisionError("float division by zero")


def not_finite(pattern):
    jacobian = SHAPES.copy()
    jacobian[3, 0] = np.nan
    return replace(linear(pattern), jacobian=jacobian)


def without_a_count(pattern):
    return replace(linear(pattern), jacobian=SHAPES * np.array([1.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("sensitivity", "says"),
    [
        (absent_phase, "division by zero"),
        (not_finite, "not finite"),
        (without_a_count, "nothing counted so far depends on the wanted quantity"),
    ],
)
def test_derivatives_without_an_esd_end_no_measurement(sensitivity, says):
    found = learner(sensitivity, capacity_s=0.5)
    measure(found)
    assert np.ptp(found._posterior.seconds) < 1e-9
    assert found.evidence().quantities["weight_fraction_esd"] == np.inf
    assert says in found.trouble
    assert found.even_passes > 1


def test_one_pass_that_could_not_be_steered_is_counted_as_one():
    calls = []

    def at_first_hopeless(pattern):
        calls.append(1)
        if len(calls) == 1:
            raise InputError("too few counts")
        return linear(pattern)

    found = learner(at_first_hopeless, wanted_esd=0.6)
    measure(found)
    assert found.even_passes == 1
    assert found.evidence().quantities["weight_fraction_esd"] <= 0.6


def test_a_pattern_of_another_length_is_a_fault():
    found = learner(lambda pattern: replace(linear(pattern), y=TRUTH[:-1]))
    with pytest.raises(ModelFault, match="1499 calculated rates for 1500"):
        measure(found, steps=40)
    with pytest.raises(InputError, match="even_share"):
        learner(even_share=0.0)


# -- with the real engine -----------------------------------------------------------------------

MIXTURE = (CORUNDUM, ZINCITE, FLUORITE)


def powder(*mixture):
    """Some reflections of a mixture (structure, weight)."""
    whole = simulated(mixture)
    keep = (whole.two_theta > 24) & (whole.two_theta < 60)
    arrays = (whole.two_theta, whole.intensity, whole.sigma, whole.count_time_s)
    return Pattern(*(a[keep] for a in arrays))


@pytest.fixture(scope="module")
def pattern():
    return powder((CORUNDUM, 0.5512), (ZINCITE, 0.1525), (FLUORITE, 0.2962))


def test_derivatives_are_those_of_finite_differences(pattern):
    keep = pattern.two_theta < 50  # beyond, it only takes longer
    pattern = Pattern(*(column[keep] for column in vars(pattern).values()))
    done = RietxEngine()._carried_out(pattern, MIXTURE, Diffractometer(), {})
    found = RietxEngine().differentiate(pattern, MIXTURE, Diffractometer(), {})
    for name in ("zincite.scale", "fluorite.a", "corundum.Al1.biso", "w"):
        path, value = done.paths[name], found.values[name]
        step = 1e-5 * max(abs(value), 1e-3)
        curves = []
        for sign in (1, -1):
            done.work.set_values({path: value + sign * step})
            curves.append(done.work.predict(pattern.two_theta))
        done.work.set_values({path: value})
        numeric = (curves[0] - curves[1]) / (2 * step)
        own = found.jacobian @ found.slopes[name] / (found.slopes[name] @ found.slopes[name])
        assert np.linalg.norm(own - numeric) < 0.02 * np.linalg.norm(numeric), name


@pytest.mark.slow
def test_esds_are_those_of_the_engine(pattern):
    sensed = steering(RietxEngine(), MIXTURE, Diffractometer())(pattern)
    fit = RietxEngine().refine(pattern, MIXTURE, Diffractometer(), {})
    root = 1.0 / pattern.sigma
    told = (sensed.jacobian * root[:, None]).T @ (sensed.jacobian * root[:, None])
    ratio = np.array([p.weight_fraction_esd for p in fit.phases]) / fisher.esd(
        told, sensed.gradient
    )
    # the engine multiplies by the goodness of fit and by what correlated residuals cost
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=0.01)
    assert fit.gof <= ratio.mean() < 1.3 * fit.gof
    np.testing.assert_allclose(sensed.estimate, [p.weight_fraction for p in fit.phases], atol=0.02)
    assert sensed.unit == "wt%"


@pytest.mark.parametrize(
    ("name", "unit", "quantity"),
    [
        ("fluorite.a", "Å", "cell_length"),
        ("zincite.O1.occupancy", "", "occupancy"),
    ],
)
@pytest.mark.slow
def test_a_cell_length_and_an_occupancy_can_be_wanted(pattern, name, unit, quantity):
    sensed = steering(RietxEngine(), MIXTURE, Diffractometer(), [name])(pattern)
    told = fisher.information(sensed.y, sensed.jacobian, np.ones(sensed.y.size))
    assert 0 < fisher.esd(told, sensed.gradient)[0] < 1
    assert (sensed.unit, sensed.quantity) == (unit, quantity)


@pytest.mark.parametrize(
    "wanted", [["iron.a"], ["zincite.colour"], ["zincite.a", "zincite.weight_fraction"]]
)
def test_what_cannot_be_wanted_is_refused_at_once(wanted):
    with pytest.raises(InputError, match="cannot steer"):
        steering(RietxEngine(), MIXTURE, Diffractometer(), wanted)
    with pytest.raises(InputError, match="alone"):
        steering(RietxEngine(), [ZINCITE], Diffractometer())


def test_an_atom_nobody_has_is_refused(pattern):
    with pytest.raises(InputError, match="Zn7"):
        steering(RietxEngine(), MIXTURE, Diffractometer(), ["zincite.Zn7.occupancy"])
    with pytest.raises(InputError, match="Zn7"):
        RietxEngine().differentiate(
            pattern, MIXTURE, Diffractometer(), {}, ["zincite.Zn7.occupancy"]
        )


def test_an_angle_that_symmetry_holds_is_refused():
    with pytest.raises(InputError, match=r"symmetry holds zincite\.alpha.*free angles: none"):
        steering(RietxEngine(), MIXTURE, Diffractometer(), ["zincite.alpha"])


def test_a_candidate_that_is_absent_steers_nothing():
    engine = RietxEngine()
    alone = powder((CORUNDUM, 0.7), (ZINCITE, 0.3))
    found = engine.differentiate(alone, MIXTURE, Diffractometer(), {})
    absent = replace(found, values={**found.values, "fluorite.scale": 0.0})
    phases = [
        replace(p, weight_fraction=0.0) if p.name == "fluorite" else p for p in found.fit.phases
    ]
    absent = replace(absent, fit=replace(found.fit, phases=tuple(phases)))
    gradient = sensitivity._fraction_gradient(absent, "corundum.weight_fraction")
    assert np.isfinite(gradient).all()
    assert gradient.any()
    assert not sensitivity._fraction_gradient(absent, "fluorite.weight_fraction").any()
