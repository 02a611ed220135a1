"""Preferred orientation by evidence: found where it was planted, not where it was not."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.refining import Here
from support.textured_powder import textured

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.search import heldout
from materialsdock.techniques.xrd.search.final_fits import Refiner
from materialsdock.techniques.xrd.search.texture import _first_look, evidence, gain_of_blocks
from materialsdock.techniques.xrd.search.texture_axes import axes, candidates
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, YTTRIA, ZINCITE, cif

CU = Diffractometer()
ORTHORHOMBIC = cif("barite", "P n m a", 62, (8.88, 5.46, 7.16), [("Ba1", "Ba", 0.18, 0.25, 0.16)])


def looked_at(pattern, structure, **recipe):
    """The untextured fit, what evidence says of it, and how many refinements that took."""
    quick = {"effort": "search", "background_terms": 5, "axial": "off", **recipe}
    fit = RietxEngine().refine(pattern, (structure,), CU, quick)
    here = Here()
    refine = Refiner(here, RietxEngine(), (structure,), CU, 60.0)
    return fit, evidence(refine, pattern, fit, fit.recipe["fwhm_deg"]), here.done


# axes


@pytest.mark.parametrize(
    ("structure", "number"),
    [(FLUORITE, 3), (YTTRIA, 3), (ZINCITE, 7), (CORUNDUM, 9), (ORTHORHOMBIC, 7)],
    ids=lambda given: getattr(given, "name", given),
)
def test_axes_are_unique_under_the_group(structure, number):
    found = axes(structure)
    assert len(found) == number
    assert found[0] == (0, 0, 1)
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(structure.cif)[0])
    operations = crystal.spacegroup.operations()
    for i, axis in enumerate(found):
        images = {tuple(op.apply_to_hkl(list(axis))) for op in operations.sym_ops}
        images |= {tuple(-k for k in image) for image in images}
        assert not images & set(found[i + 1 :])


def test_a_phase_that_is_hardly_seen_has_no_texture():
    """An engine holds what such a pattern says nothing of, r among it: no crash, no axis."""
    pattern = textured(ZINCITE, (0, 0, 1), 1.0, seed=1)
    fit = RietxEngine().refine(pattern, (ZINCITE,), CU, {"effort": "search"})
    look = _first_look(fit, fit, "zincite", (0, 0, 1), 0.01)
    assert not look.accepted
    assert look.sentence == "zincite (0 0 1): r cannot be refined, the phase is hardly seen"


def test_an_axis_on_request_is_not_tried_again():
    pattern = textured(ZINCITE, (0, 0, 1), 0.7, seed=1)
    fit = RietxEngine().refine(pattern, (ZINCITE,), CU, {"effort": "search"})
    asked = Structure(ZINCITE.name, ZINCITE.cif, (0, 0, 1))
    assert candidates(pattern, fit, (ZINCITE,), 1.5406, 0.12)
    assert candidates(pattern, fit, (asked,), 1.5406, 0.12) == ()


# the score


def flat_fit(pattern, level):
    y = np.full(pattern.two_theta.size, level)
    return Fit(5.0, 5.0, 1.0, y.size, 1, (), (), y, np.zeros(y.size), {}, {}, "none", 0.0)


def flat(seed):
    x = np.arange(20.0, 100.0, 0.05)
    y = np.random.default_rng(seed).normal(100.0, 10.0, x.size)
    return Pattern(x, y, np.full(x.size, 10.0), np.ones(x.size))


@given(st.integers(0, 10_000))
def test_gain_changes_its_sign_with_the_sides(seed):
    pattern = flat(seed)
    right = [flat_fit(pattern, 100.0)] * heldout.FOLDS
    wrong = [flat_fit(pattern, 104.0)] * heldout.FOLDS
    gain = gain_of_blocks(pattern, 0.1, wrong, right)
    assert gain > 2
    back = gain_of_blocks(pattern, 0.1, right, wrong)
    assert back < -2


def test_gain_of_nothing_is_nothing():
    pattern = flat(0)
    same = [flat_fit(pattern, 101.0)] * heldout.FOLDS
    assert gain_of_blocks(pattern, 0.1, same, same) == 0


def test_a_failed_fold_tells_nothing():
    pattern = flat(0)
    same = [flat_fit(pattern, 101.0)] * heldout.FOLDS
    assert gain_of_blocks(pattern, 0.1, same, [None, *same[1:]]) is None


# planted truth


@pytest.mark.parametrize(
    ("structure", "axis"),
    [
        pytest.param(ZINCITE, (0, 0, 1), id="plates"),
        pytest.param(FLUORITE, (1, 1, 1), id="cubic", marks=pytest.mark.slow),
    ],
)
def test_planted_texture_is_found_with_its_axis(structure, axis):
    fit, found, _ = looked_at(textured(structure, axis, 0.7, seed=2), structure)
    best = found.accepted
    assert best is not None
    assert (best.phase, best.axis) == (structure.name, axis)
    assert best.march == pytest.approx(0.7, abs=0.02)
    assert best.rwp[1] < best.rwp[0]
    assert best.gain > 2
    assert found.structures[0].preferred_orientation == axis
    assert found.recipe == {**fit.recipe, "preferred_orientation": True}
    assert "predicted better" in best.sentence
    assert not any(look.accepted for look in found.looks[1:])


@pytest.mark.parametrize("structure", [ZINCITE, CORUNDUM], ids=lambda s: s.name)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_no_texture_is_seen_in_an_untextured_powder(structure, seed):
    fit, found, tried = looked_at(textured(structure, (0, 0, 1), 1.0, seed=seed), structure)
    assert found.accepted is None
    assert found.structures == (structure,)
    assert found.recipe == fit.recipe
    assert tried == 0  # reflections ask for nothing, so nothing is spent


def test_no_texture_is_seen_where_the_model_fails_for_another_reason():
    """Counts enough to see that the simulated line shapes and scattering are not the engine's."""
    pattern = textured(CORUNDUM, (0, 0, 1), 1.0, seed=4, counts=1e5)
    fit, found, tried = looked_at(pattern, CORUNDUM)
    assert fit.gof > 2
    assert tried > 0
    assert found.looks
    assert found.accepted is None
