"""Self-absorption of a thick sample: its size where the formula is known, words where not."""

from __future__ import annotations

import pytest

from materialsdock.errors import InputError
from materialsdock.model import Job, Sample
from materialsdock.techniques.xas.signals.self_absorption import of_thick, remark


def job(signal="fluorescence", edge="Fe K", composition="", metadata=None):
    settings = {"signal": signal, "edge": edge, "composition": composition}
    return Job("j", Sample("s", "xas", 0, (), metadata or {}), settings)


@pytest.mark.parametrize(
    ("formula", "edge", "kept"),
    [
        # by hand from mass absorption coefficients of Elam et al.: Fe K of Fe2O3, 242 of 340 cm²/g
        ("Fe2O3", "Fe K", 0.29),
        ("FeSO4", "Fe K", 0.50),
        ("Fe0.001SiO2", "Fe K", 0.997),
        ("LiNi0.8Co0.1Mn0.1O2", "Co K", 0.86),
        ("CeO2", "Ce L3", 0.61),
    ],
)
def test_a_thick_sample_keeps_less_of_its_features_the_more_it_is_of_the_element(
    formula, edge, kept
):
    found = of_thick(formula, edge)
    assert found.kept == pytest.approx(kept, abs=0.02)
    small = 1e-6  # of the step: features keep their share, the step and the pre-edge stay
    assert (found.seen(1 + small) - 1) / small == pytest.approx(found.kept, rel=1e-4)
    assert found.seen(1.0) == 1.0
    assert found.seen(0.0) == 0.0


def test_a_hydrate_is_its_parts():
    assert of_thick("CuSO4·5H2O", "Cu K").share == of_thick("CuSO4(H2O)5", "Cu K").share


@pytest.mark.parametrize(
    ("formula", "edge", "why"),
    [
        ("Fe,O", "Fe K", "no formula"),
        ("Cu", "Fe K", "has no edge Fe K"),
        ("Fe2O3", "unnamed", "has no edge unnamed"),
    ],
)
def test_what_cannot_be_estimated_is_refused(formula, edge, why):
    with pytest.raises(InputError, match=why):
        of_thick(formula, edge)


def test_only_fluorescence_hears_of_it_and_what_is_not_known_is_said():
    assert remark(job("yield", composition="Fe2O3")) is None
    assert "composition of the sample is not known" in remark(job())
    assert "is not estimated: 'Fe,O' is no formula" in remark(job(composition="Fe,O"))
    assert "29 % of the oscillations at the Fe K edge" in remark(job(composition="Fe2O3"))
    assert remark(job(composition="Fe0.0001SiO2")) is None
    assert "29 %" in remark(job(metadata={"composition": "Fe2O3"}))
