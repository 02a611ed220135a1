"""Phases of a pattern found among structures that resemble them, and what is said of doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.places import SHARED
from support.structures import simulated

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.commands.structure_store import Query, search
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases import cif_files, hypotheses
from materialsdock.techniques.xrd.phases.identify import identify
from materialsdock.techniques.xrd.phases.match import lines_of_its_own, match
from materialsdock.techniques.xrd.phases.powder_lines import spread
from materialsdock.techniques.xrd.phases.same import likeness
from materialsdock.techniques.xrd.phases.screen import observe
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE

pytestmark = pytest.mark.usefixtures("in_this_process")

INSTRUMENT = Diffractometer()
KNOWN = (CORUNDUM, ZINCITE, FLUORITE, LAB6, YTTRIA)


def swapped(structure, name, *, cell=1.0, **elements):
    """The structure with other elements in its sites, and a cell `cell` times as long."""
    lines = []
    for line in structure.cif.splitlines():
        words = line.split()
        if words and words[0].startswith("_cell_length"):
            line = f"{words[0]} {float(words[1]) * cell:.5f}"
        elif len(words) == 7 and words[1] in elements:
            line = " ".join([words[0], elements[words[1]], *words[2:]])
        lines.append(line)
    return name, "\n".join(lines).replace(f"data_{structure.name}", f"data_{name}") + "\n"


RELATIVES = [
    *(
        swapped(CORUNDUM, f"corundum_{m}", cell=c, Al=m)
        for m, c in (("Cr", 1.043), ("Fe", 1.058), ("Ga", 1.047), ("V", 1.041), ("Ti", 1.083))
    ),
    *(
        swapped(ZINCITE, f"zincite_{m}", cell=c, Zn=m, O=x)
        for m, x, c in (("Be", "O", 0.83), ("Al", "N", 0.958), ("Ga", "N", 0.981))
    ),
    *(
        swapped(FLUORITE, f"fluorite_{m}", cell=c, Ca=m, F=x)
        for m, x, c in (("Sr", "F", 1.0615), ("Ce", "O", 0.9905), ("Ba", "F", 1.135))
    ),
    *(
        swapped(LAB6, f"LaB6_{m}", cell=c, La=m)
        for m, c in (("Ca", 0.9973), ("Sr", 1.0096), ("Ce", 0.9962), ("Ba", 1.028))
    ),
    *(
        swapped(YTTRIA, f"yttria_{m}", cell=c, Y=m)
        for m, c in (("Er", 0.9947), ("Gd", 1.0199), ("Lu", 0.98), ("In", 0.954))
    ),
]


def read_texts(texts, folder):
    """Entries of CIF texts, read in this process."""
    entries = []
    for name, text in texts:
        path = folder / f"{name}.cif"
        path.write_text(text)
        entries += cif_files.read_file(str(path), path.name).entries
    return entries


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifs")
    return read_texts([*((s.name, s.cif) for s in KNOWN), *RELATIVES], folder)


def without(entries, *names):
    return [e for e in entries if e.name not in names]


@pytest.mark.parametrize(
    "structure",
    [
        *(CORUNDUM, ZINCITE, FLUORITE),
        *(pytest.param(each, marks=pytest.mark.slow) for each in (LAB6, YTTRIA)),
    ],
    ids=lambda s: s.name,
)
def test_single_phase_is_ranked_first_among_its_relatives(entries, structure):
    ranked = match(entries, observe(simulated([(structure, 1.0)]), INSTRUMENT))
    assert ranked[0].entry.name == structure.name
    assert abs(ranked[0].strain) < 5e-4
    assert ranked[0].score > 0.8


@pytest.mark.parametrize(("strain", "zero"), [(0.003, 0.0), (-0.003, 0.05), (0.0, -0.1)])
def test_strain_and_zero_shift_are_tolerated_and_found(entries, strain, zero):
    _, text = swapped(CORUNDUM, "corundum", cell=1 + strain)
    pattern = simulated([(replace(CORUNDUM, cif=text), 1.0)])
    pattern = replace(pattern, two_theta=pattern.two_theta + zero)
    best = match(entries, observe(pattern, INSTRUMENT))[0]
    assert best.entry.name == "corundum"
    assert best.strain == pytest.approx(strain, abs=5e-4)
    assert best.zero_deg == pytest.approx(zero, abs=0.03)


def test_second_phase_comes_first_once_the_first_is_explained(entries):
    pattern = simulated([(CORUNDUM, 0.9), (ZINCITE, 0.1)])
    observed = observe(pattern, INSTRUMENT)
    first = match(entries, observed)[0]
    second = match(entries, observed, explained=first.profile)
    assert first.entry.name == "corundum"
    others = [m.entry.name for m in second if m.entry.name != "corundum"]
    assert others[0] == "zincite"


def test_profile_holds_the_intensity_of_its_lines():
    two_theta = np.arange(10, 60, 0.01)
    one = spread(two_theta, np.array([3.0]), np.array([2.0]), INSTRUMENT, 0.1)
    two = spread(two_theta, np.array([3.0]), np.array([2.0]), INSTRUMENT, 0.3)
    assert one.sum() == pytest.approx(two.sum(), rel=0.05)
    assert two_theta[one.argmax()] == pytest.approx(29.757, abs=0.02)  # Bragg, Kα1


def test_likeness_is_one_for_the_same_lines_and_small_for_others(entries):
    a = next(e for e in entries if e.name == "corundum")
    b = next(e for e in entries if e.name == "fluorite")
    assert likeness(a.d, a.intensity, a.d, 3 * a.intensity) == pytest.approx(1)
    assert likeness(a.d, a.intensity, b.d, b.intensity) < 0.5


def test_mixture_is_named_refined_and_trusted(entries):
    pattern = simulated([(CORUNDUM, 0.6), (ZINCITE, 0.3), (FLUORITE, 0.1)])
    keep = pattern.two_theta < 70  # beyond, it only takes longer
    pattern = Pattern(*(column[keep] for column in vars(pattern).values()))
    found = identify(pattern, INSTRUMENT, entries)
    assert found.judgement.verdict == "confident", found.judgement
    weights = {p.name: p.weight_fraction for p in found.hypothesis.fit.phases}
    assert weights == pytest.approx({"corundum": 60, "zincite": 30, "fluorite": 10}, abs=2)


@pytest.mark.parametrize("factor", [1.009, pytest.param(0.98, marks=pytest.mark.slow)])
def test_a_computed_cell_is_stretched_and_said(entries, tmp_path, factor):
    """The second phase of a mixture; its CIF is off as density functionals are."""
    computed = read_texts([swapped(FLUORITE, "computed", cell=factor)], tmp_path)
    pattern = simulated([(ZINCITE, 0.7), (FLUORITE, 0.3)], counts=8e3)
    others = [e for e in entries if e.name in ("zincite", "corundum", "LaB6")]
    found = identify(pattern, INSTRUMENT, [*others, *computed])
    assert found.hypothesis.names == ("zincite", "computed")
    assert found.judgement.verdict == "ambiguous", found.judgement
    assert f"{1 / factor - 1:+.1%}"[:-2] in found.judgement.reasons[0]
    assert "its CIF was computed" in found.judgement.reasons[0]


@pytest.mark.slow
def test_without_the_phase_there_is_no_confidence(entries):
    found = identify(simulated([(FLUORITE, 1.0)]), INSTRUMENT, without(entries, "fluorite"))
    assert found.judgement.verdict == "no confident match"
    assert found.judgement.reasons


def test_rivals_that_x_rays_cannot_tell_apart_are_named(entries, tmp_path):
    texts = [swapped(ZINCITE, "zincite_copper", Zn="Cu")]
    twins = [*entries, *read_texts(texts, tmp_path)]
    found = identify(simulated([(ZINCITE, 1.0)]), INSTRUMENT, twins)
    assert found.judgement.verdict == "ambiguous", found.judgement
    said = " ".join(found.judgement.reasons)
    assert {"zincite", "zincite_copper"} == {*found.hypothesis.names, *found.rivals[0].names}
    assert found.rivals[0].names[0] in said


@pytest.mark.slow
def test_every_rival_that_is_level_is_refined_and_none_becomes_a_second_phase(entries, tmp_path):
    texts = [
        swapped(ZINCITE, f"zincite_{m}", cell=c, Zn=m)
        for m, c in (("Cu", 1.0), ("Ga", 1.0005), ("Ni", 1.001), ("Ge", 0.9995))
    ]
    twins = [*without(entries, "zincite_Ga"), *read_texts(texts, tmp_path)]
    found = identify(simulated([(ZINCITE, 1.0)]), INSTRUMENT, twins, top=1)
    assert found.judgement.verdict == "ambiguous", found.judgement
    assert len(found.hypothesis.phases) == 1
    named = {*found.hypothesis.names, *(name for h in found.rivals for name in h.names)}
    assert {"zincite", "zincite_Cu", "zincite_Ga"} <= named


def test_lines_of_its_own_tell_a_phase_from_the_shape_of_a_peak(entries):
    observed = observe(simulated([(ZINCITE, 0.7), (CORUNDUM, 0.3)]), INSTRUMENT)
    found = {m.entry.name: m for m in match(entries, observed)}
    zincite, corundum = found["zincite"], found["corundum"]
    near = replace(zincite, strain=zincite.strain + 0.001, scale=0.3 * zincite.scale)
    assert lines_of_its_own(corundum, [zincite], observed) > 0.7
    assert lines_of_its_own(near, [zincite], observed) < 0.1
    assert lines_of_its_own(near, [], observed) == pytest.approx(1.0)


@pytest.mark.skipif(not (SHARED / "xrd").is_dir(), reason="needs the measured patterns")
@pytest.mark.slow
def test_small_crystallites_beside_large_ones_are_no_misfit(tmp_path):
    """Measured MnO with anatase whose peaks are five times as broad."""
    folder = SHARED / "xrd" / "autoanalyzer"
    store = StructureStore(tmp_path / "store")
    store.add([folder / f"ref_{name}.cif" for name in ("MnO_225", "TiO2_141", "LiF_225")])
    measured = read_measured(folder / "TiO2+MnO.xy.gz", "xrd")
    pattern = Pattern(measured.x, measured.y, np.sqrt(measured.y), np.ones(measured.x.size))
    found = identify(pattern, INSTRUMENT, store.entries())
    assert found.judgement.verdict == "confident", found.judgement
    assert {m.entry.described.formula for m in found.hypothesis.phases} == {"MnO", "O2Ti"}


def test_evidence_charges_for_parameters():
    class Two:
        def __init__(self, rwp, n_free):
            self.rwp, self.n_free = rwp, n_free

    assert hypotheses.evidence(Two(9.0, 24), Two(10.0, 20), 500) > hypotheses.EVIDENCE
    assert hypotheses.evidence(Two(9.97, 24), Two(10.0, 20), 500) < 0


@pytest.mark.parametrize("y", [np.full(500, 100.0), np.full(500, np.nan), np.full(500, -1.0)])
def test_pattern_without_peaks_or_numbers_is_refused(entries, y):
    x = np.linspace(10, 60, 500)
    pattern = Pattern(x, y, np.full(500, 10.0), np.ones(500))
    with pytest.raises(InputError):
        identify(pattern, INSTRUMENT, entries)


def test_search_of_a_file_by_elements(tmp_path):
    pattern = simulated([(ZINCITE, 1.0)])
    file = tmp_path / "unknown.xy"
    np.savetxt(file, np.c_[pattern.two_theta, pattern.intensity], fmt="%.4f")
    assert read_measured(file, "xrd").x.size == pattern.two_theta.size
    folder = tmp_path / "cifs"
    folder.mkdir()
    for structure in KNOWN:
        (folder / f"{structure.name}.cif").write_text(structure.cif)
    StructureStore(tmp_path / "store").add([folder])
    query = Query(file, elements="Zn,O,Al", refine=False)
    said = search(query, tmp_path / "store")
    assert said["candidates"][0][0]["name"] == "zincite"
    assert said["compared"] == 2
    assert said["verdict"] == "no confident match"  # nothing was refined
    with pytest.raises(InputError, match="no structure to compare"):
        search(replace(query, elements="He"), tmp_path / "store")
    with pytest.raises(InputError, match="store add"):
        search(query, tmp_path / "nowhere")


def test_residuals_count_as_independent_only_where_they_are():
    class Fitted:
        def __init__(self, y_calc):
            self.y_calc = y_calc

    x = np.linspace(10, 60, 5000)
    noise = np.random.default_rng(3).normal(size=x.size)
    pattern = Pattern(x, 100 + noise, np.ones(x.size), np.ones(x.size))
    flat = np.full(x.size, 100.0)
    white = hypotheses.independent_residuals(Fitted(flat), pattern, 500)
    waved = hypotheses.independent_residuals(Fitted(flat + 5 * np.sin(40 * x)), pattern, 500)
    assert white > 4500
    assert waved == 500
