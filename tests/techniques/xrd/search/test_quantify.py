"""Fractions of the original sample and its amorphous part, from a weighed-in standard."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.structures import simulated

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.model import Diffractometer, PhaseFit
from materialsdock.techniques.xrd.options import particle_sizes
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search.quantify import SpikedStandard, of_original, weighed_in
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE

CU = Diffractometer()


def found(weights, covariance):
    """Make what `of_original` reads of a fit; weights by name [wt%]."""
    esds = np.sqrt(np.diag(covariance))
    phases = tuple(
        PhaseFit(name, "P 1", {}, weight, float(esd))
        for (name, weight), esd in zip(weights.items(), esds, strict=True)
    )
    rows = tuple(map(tuple, np.asarray(covariance).tolist()))
    return SimpleNamespace(phases=phases, weight_covariance=rows)


def rietveld(original, standard_percent):
    """Crystalline fractions [wt%] when `standard_percent` of `s` is mixed to `original` [wt%]."""
    mixed = {name: x * (1 - standard_percent / 100) for name, x in original.items()}
    mixed["s"] = standard_percent
    whole = sum(mixed.values())
    return {name: 100 * x / whole for name, x in mixed.items()}


@pytest.mark.parametrize(
    ("word", "standard"),
    [
        ("corundum=20", SpikedStandard("corundum", 20.0)),
        ("a=10.0±0.1", SpikedStandard("a", 10.0, 0.1)),
        ("a=10.0+/-0.25", SpikedStandard("a", 10.0, 0.25)),
        ("a=b=10.02(3)", SpikedStandard("a=b", 10.02, 0.03)),
        ("a = 10(2)", SpikedStandard("a", 10.0, 2.0)),
    ],
)
def test_words_of_a_standard(word, standard):
    read = weighed_in(word)
    assert read.name == standard.name
    assert (read.percent, read.esd) == pytest.approx((standard.percent, standard.esd))


@pytest.mark.parametrize(
    "word",
    ["corundum", "=10", "a=-5", "a=0", "a=100", "a=ten", "a=10±", "a=10±11", "a=1e1", "a=nan"],
)
def test_what_is_no_standard_is_refused(word):
    with pytest.raises(InputError) as error:
        weighed_in(word)
    assert word in str(error.value)
    assert "--standard" in str(error.value)


@given(
    st.floats(1, 60),
    st.floats(1, 39),
    st.floats(2, 60),
)
def test_the_original_is_given_back(first, second, weighed):
    original = {"one": first, "two": second}
    fit = found(rietveld(original, weighed), 1e-8 * np.eye(3))
    answer = of_original(fit, SpikedStandard("s", weighed))
    assert [p.name for p in answer.phases] == ["one", "two"]
    assert [p.percent for p in answer.phases] == pytest.approx([first, second])
    assert answer.amorphous.percent == pytest.approx(100 - first - second)
    assert sum(p.percent for p in answer.phases) + answer.amorphous.percent == pytest.approx(100)


def test_esds_are_those_of_drawn_weights():
    """Against drawing scales and weighings at random, instead of the first-order formula."""
    rng = np.random.default_rng(0)
    scales = np.array([30.0, 25.0, 20.0])
    of_scales = np.array([[0.09, 0.03, 0.02], [0.03, 0.0625, 0.03], [0.02, 0.03, 0.04]])
    drawn = rng.multivariate_normal(scales, of_scales, 20000)
    fractions = 100 * drawn / drawn.sum(axis=1, keepdims=True)
    weighings = rng.normal(20.0, 0.15, 20000)
    names = ("one", "two", "s")
    fit = found(dict(zip(names, 100 * scales / 75, strict=True)), np.cov(fractions.T))
    answer = of_original(fit, SpikedStandard("s", 20.0, 0.15))
    every = [
        of_original(found(dict(zip(names, f, strict=True)), np.eye(3)), SpikedStandard("s", w))
        for f, w in zip(fractions[:2000], weighings, strict=False)
    ]
    for i, phase in enumerate(answer.phases):
        assert phase.esd == pytest.approx(np.std([e.phases[i].percent for e in every]), rel=0.06)
    spread = np.std([e.amorphous.percent for e in every])
    assert answer.amorphous.esd == pytest.approx(spread, rel=0.06)
    without = of_original(fit, SpikedStandard("s", 20.0)).amorphous.esd
    assert without < answer.amorphous.esd


def test_less_than_nothing_amorphous_is_said_and_kept():
    fit = found({"one": 84.0, "s": 16.0}, 0.04 * np.array([[1, -1], [-1, 1]]))
    answer = of_original(fit, SpikedStandard("s", 20.0))
    assert answer.amorphous.percent == pytest.approx(-31.25)
    assert "esds below zero" in answer.sentences[0]
    assert "micro-absorption" in answer.sentences[0]


def test_no_amorphous_part_is_a_limit():
    fit = found({"one": 80.1, "s": 19.9}, 0.04 * np.array([[1, -1], [-1, 1]]))
    answer = of_original(fit, SpikedStandard("s", 20.0))
    assert -1.3 < answer.amorphous.percent < 0
    assert answer.sentences == ("no amorphous content is detected; it is below 3.8 wt%",)


def test_a_standard_that_is_not_seen_scales_nothing():
    fit = found({"one": 99.9, "s": 0.1}, 0.04 * np.array([[1, -1], [-1, 1]]))
    answer = of_original(fit, SpikedStandard("s", 5.0))
    assert answer.amorphous is None
    assert answer.phases == ()
    assert "s itself is not detected" in answer.sentences[0]


def test_a_poorly_known_standard_is_said():
    fit = found({"one": 99.0, "s": 1.0}, 0.04 * np.array([[1, -1], [-1, 1]]))
    assert any(
        "weigh in more" in said for said in of_original(fit, SpikedStandard("s", 0.5)).sentences
    )


def test_no_covariance_no_esd():
    fit = found({"one": 50.0, "s": 50.0}, np.eye(2))
    fit.weight_covariance = None
    answer = of_original(fit, SpikedStandard("s", 20.0))
    assert answer.amorphous.percent == pytest.approx(75.0)
    assert answer.amorphous.esd is None
    assert "no covariance" in answer.sentences[0]


@pytest.mark.parametrize(
    ("weights", "words"),
    [({"one": 60.0, "two": 40.0}, "phases are: one, two"), ({"s": 100.0}, "only phase")],
)
def test_a_standard_that_cannot_scale_is_refused(weights, words):
    with pytest.raises(InputError, match=words):
        of_original(found(weights, np.eye(len(weights))), SpikedStandard("s", 10.0))


# planted truth, refined


@pytest.fixture(scope="module")
def spiked():
    """20 wt% corundum in a sample of 45 wt% fluorite, 25 wt% zincite and 30 wt% of no peaks."""
    pattern = simulated(((FLUORITE, 36), (ZINCITE, 20), (CORUNDUM, 20)), seed=5, counts=1e4)
    return RietxEngine().refine(pattern, (FLUORITE, ZINCITE, CORUNDUM), CU, {})


def test_fractions_sum_to_a_hundred_with_their_covariance(spiked):
    assert sum(p.weight_fraction for p in spiked.phases) == pytest.approx(100)
    covariance = np.array(spiked.weight_covariance)
    assert covariance == pytest.approx(covariance.T)
    esds = [p.weight_fraction_esd for p in spiked.phases]
    assert np.sqrt(np.diag(covariance)) == pytest.approx(esds, rel=1e-6)
    # they sum to 100 %, so what one gains the others lose
    assert covariance.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)


def test_planted_amorphous_content_is_found(spiked):
    answer = of_original(spiked, SpikedStandard("corundum", 20.0, 0.1))
    fluorite, zincite = answer.phases
    # the simulation knows no f'', worth a per cent of zincite
    assert fluorite.percent == pytest.approx(45.0, abs=1.0)
    assert zincite.percent == pytest.approx(25.0, abs=1.0)
    assert answer.amorphous.percent == pytest.approx(30.0, abs=1.5)
    assert 0 < answer.amorphous.esd < 1.5


# micro-absorption


def test_grains_that_absorb_more_gain_weight():
    """τ falls with (µ − µ̄)R by 1.45 per unit (Brindley 1945, as FullProf fits his table).

    µ of corundum and fluorite for Cu Kα: 126 and 304 /cm, so grains of 2 µm change the ratio by
    1.45 · (304 − 126)/cm · 1e-4 cm = 2.6 %.
    """
    pattern = simulated(((FLUORITE, 50), (CORUNDUM, 50)), seed=1)
    quick = {"effort": "search", "coordinates": False, "displacements": "off"}
    bare = RietxEngine().refine(pattern, (FLUORITE, CORUNDUM), CU, quick)
    grains = tuple(replace(s, particle_um=2.0) for s in (FLUORITE, CORUNDUM))
    fit = RietxEngine().refine(pattern, grains, CU, quick)
    before, after = ([p.weight_fraction for p in f.phases] for f in (bare, fit))
    assert sum(after) == pytest.approx(100)
    assert (after[0] / after[1]) / (before[0] / before[1]) == pytest.approx(1.026, abs=0.004)
    assert fit.rwp == pytest.approx(bare.rwp)


def test_words_of_particle_sizes():
    sized = particle_sizes(["corundum=2.5", "fluorite=4"], (FLUORITE, CORUNDUM))
    assert [s.particle_um for s in sized] == [4.0, 2.5]
    assert particle_sizes([], (FLUORITE,)) == (FLUORITE,)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fluorite=4"], "no size of corundum"),
        (["fluorite=4", "corundum=-1"], "cannot use 'corundum=-1' (give"),
        (["fluorite=4", "corundum=big"], "'corundum=big'"),
        (["f=4"], "'f=4'; no size of fluorite"),
    ],
)
def test_particle_sizes_that_say_nothing(words, said):
    with pytest.raises(InputError) as error:
        particle_sizes(words, (FLUORITE, CORUNDUM))
    assert said in str(error.value)
    assert "--particle-size" in str(error.value)
