"""The engine's pattern against one calculated independently, at the parameters it refined to."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest

from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.contacts import refined_crystal
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.testing import planted_powder
from materialsdock.testing.crystals import CORUNDUM, LAB6, YTTRIA, ZINCITE
from materialsdock.testing.planted_powder import PlantedProfile, PlantedScene

CU = Diffractometer()
WIDE = PlantedProfile(u=2e-3, v=-1e-3, w=3e-3, x=0.03, y=0.02, displacement_mm=0.05)
STRUCTURES = (CORUNDUM, ZINCITE, LAB6, YTTRIA)
APART_DEG = 0.8
WEAK = 0.02  # of the strongest group: below it the engine cuts the tails of the profile

# the model itself


@pytest.mark.parametrize(("theta_deg", "fraction"), [(10.0, 0.5), (45.0, 0.5), (30.0, 0.99)])
def test_lorentz_and_polarisation_by_hand(theta_deg, fraction):
    t = np.radians(theta_deg)
    polarised = (1 - fraction) + fraction * np.cos(2 * t) ** 2
    expected = polarised / (np.sin(t) * np.sin(t) * np.cos(t))
    assert planted_powder.lorentz_polarisation(t, fraction) == pytest.approx(expected)


@pytest.mark.parametrize("theta", [0.2, 0.6, 1.0])
def test_a_line_has_unit_area_and_its_width(theta):
    x = np.linspace(-40, 40, 800_001)
    gauss = PlantedProfile(u=2e-3, v=-1e-3, w=3e-3, x=0.0)
    curve = planted_powder.pseudo_voigt(x, theta, gauss)
    assert np.trapezoid(curve, x) == pytest.approx(1.0, abs=1e-6)
    tan = np.tan(theta)
    above = x[curve >= curve.max() / 2]
    caglioti = np.sqrt(2e-3 * tan**2 - 1e-3 * tan + 3e-3)
    assert above[-1] - above[0] == pytest.approx(caglioti, abs=3e-4)


def test_multiplicities_and_absences_of_a_cubic_cell():
    crystal = planted_powder.crystal_of(YTTRIA)
    listed = planted_powder.reflections(crystal, 1.5406, 2.0)
    h2 = np.round((10.604 / listed.d) ** 2).astype(int)
    assert (h2 % 2 == 0).all()  # body centred
    assert {4, 6, 8, 16} <= set(h2.tolist())
    assert listed.mass == pytest.approx(16 * (2 * 88.906 + 3 * 15.999), rel=1e-4)
    group = crystal.spacegroup.operations()
    hkl = np.array([[2, 0, 0], [2, 2, 2], [2, 1, 1], [3, 2, 1], [2, 3, 1]])
    # m-3 is the lower cubic Laue class: (321) and (231) are not equivalent
    counted = planted_powder._multiplicities(group, hkl)
    assert counted.tolist() == [6, 8, 24, 24, 24]


def test_structure_factor_of_two_atoms_by_hand():
    """LaB6 (100): f(La) + f(B)·Σ over six sites, no dispersion at the same s."""
    crystal = planted_powder.crystal_of(LAB6)
    listed = planted_powder.reflections(crystal, 1.540593, 4.0)
    s2 = 1 / (4 * 4.157**2)
    energy = 12398.4198 / 1.540593
    f = {}
    for symbol in ("La", "B"):
        element = gemmi.Element(symbol)
        f1, f2 = gemmi.cromer_liberman(z=element.atomic_number, energy=energy)
        debye = np.exp(-0.4 * s2)
        f[symbol] = debye * (element.it92.calculate_sf(s2) + f1 + 1j * f2)
    turns = 2 * np.cos(2 * np.pi * 0.2) - 4  # x = ±0.2 and four at 1/2
    assert listed.strength[0] == pytest.approx(6 * abs(f["La"] + turns * f["B"]) ** 2, rel=1e-6)


# the engine against it


def dear(structure):
    """Yttria has ten times the reflections of the others."""
    marks = pytest.mark.slow if structure is YTTRIA else ()
    return pytest.param(structure, marks=marks, id=structure.name)


@pytest.fixture(scope="module", params=map(dear, STRUCTURES))
def compared(request):
    """Structure, the engine's fit of a planted pattern, net y_calc, and ours on the same scale."""
    structure = request.param
    pattern = planted_powder.planted(PlantedScene(((structure, 1.0),), WIDE))
    recipe = {"axial": "off", "effort": "final"}
    fit = RietxEngine().refine(pattern, (structure,), CU, recipe)
    value = {p.name: p.value for p in fit.parameters}
    crystal = refined_crystal(structure, fit.phases[0], value)
    shape = PlantedProfile(
        *(value[k] for k in "uvwxy"), displacement_mm=value["sample_displacement"]
    )
    lines = Diffractometer(weights=(1.0, value["kalpha2_weight"]))
    scene = PlantedScene((), shape, lines)
    ours = value[f"{structure.name}.scale"] * planted_powder.phase_curve(
        crystal, scene, pattern.two_theta
    )
    at = np.array([angle for _, angle, _ in planted_powder.lines(crystal, scene, 108.0)])
    return structure, pattern, fit, fit.y_calc - fit.y_background, ours, np.sort(at)


def test_reflections_lie_where_they_must(compared):
    structure, _, fit, _, _, at = compared
    ticks = fit.ticks[structure.name]
    inside, theirs = (x[(x > 16) & (x < 108)] for x in (at, ticks))
    away = np.abs(inside[:, None] - theirs)
    assert away.min(axis=1).max() < 1e-4  # each of ours is one of theirs,
    assert away.min(axis=0).max() < 1e-4  # and they have no other


def test_curves_agree_on_one_scale(compared):
    _, _, _, net, ours, _ = compared
    assert np.abs(net - ours).max() < 1e-3 * net.max()


def test_integrated_intensities_agree(compared):
    _, pattern, _, net, ours, at = compared
    at = at[(at > 16) & (at < 108)]
    groups = np.split(at, np.flatnonzero(np.diff(at) > APART_DEG) + 1)
    found = []
    for group in groups:
        near = np.abs(pattern.two_theta - group.mean()) < np.ptp(group) / 2 + APART_DEG / 2
        found.append((net[near].sum(), ours[near].sum()))
    theirs, mine = np.array(found).T
    strong = theirs > WEAK * theirs.max()
    assert strong.sum() >= 10
    relative = (theirs / theirs.sum())[strong] / (mine / mine.sum())[strong]
    assert np.abs(relative - 1).max() < 5e-3
    assert np.median(np.abs(relative - 1)) < 1.5e-3


def test_the_planted_truth_comes_back(compared):
    structure, _, fit, _, _, _ = compared
    cell = fit.phases[0].cell
    assert fit.gof == pytest.approx(1.0, abs=0.05)
    truth = planted_powder.crystal_of(structure).cell
    for key in ("a", "c"):
        found = cell[key]
        assert found.esd is not None
        assert abs(found.value - getattr(truth, key)) < 3 * found.esd
