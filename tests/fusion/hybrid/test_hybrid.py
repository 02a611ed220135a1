"""Fit and energy at once: shifts that keep symmetry, energies by ASE, the Pareto set, its page."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from materialsdock.cli import app
from materialsdock.errors import InputError, ModelFault
from materialsdock.fusion.hybrid import command
from materialsdock.fusion.hybrid.page import hybrid_block, render_hybrid
from materialsdock.fusion.hybrid.pareto import Point, pareto, sentences
from materialsdock.fusion.hybrid.search import hybrid_search
from materialsdock.model import Parameter, Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit, PhaseFit
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.rietveld.symmetric_shifts import freedoms, shifted
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE, cif
from materialsdock.testing.planted_powder import PlantedScene, planted
from materialsdock.theory.energy import Calculator, atoms_of, formula

CU = Diffractometer()
EMT = Calculator("ase.calculators.emt.EMT")
LJ = Calculator("ase.calculators.lj.LennardJones", {"sigma": 2.3, "epsilon": 0.4, "rc": 9.0})


def cuau(z, name="CuAu"):
    """Layers of Cu and Au; those of Au pucker by z − ½, which is nought at the lowest energy."""
    atoms = [("Cu1", "Cu", 0, 0, 0), ("Au1", "Au", 0, 0.5, z)]
    return cif(name, "P 4/n m m :1", 129, (3.96, 3.96, 3.67), atoms)


FCC = cif("fcc", "F m -3 m", 225, (3.615, 3.615, 3.615), [("Cu1", "Cu", 0, 0, 0)])
BCC = cif("bcc", "I m -3 m", 229, (2.870, 2.870, 2.870), [("Cu1", "Cu", 0, 0, 0)])
PATTERN = planted(PlantedScene(((cuau(0.46), 1.0),)), two_theta=np.arange(20.0, 100.0, 0.05))


class Formula:
    """An engine whose Rwp is 10 % at z = 0.46 and rises with the distance from it."""

    name = "formula"

    def refine(self, pattern, structures, diffractometer, recipe):
        (structure, *_) = structures
        crystal = crystal_of(structure)
        z = crystal.sites[1].fract.z
        free = recipe["coordinates"]
        z = 0.46 if free else z
        if structure.name == "broken":
            raise ModelFault("does not converge")
        rwp = 10 + 50 * abs(z - 0.46) + (0 if recipe["effort"] == "final" else 0.01)
        cell = {k: Parameter(k, v) for k, v in zip(KEYS, crystal.cell.parameters, strict=True)}
        phase = PhaseFit(structure.name, "P 4/n m m", cell, 100.0)
        empty = np.zeros(3)
        bad = ("Au1.biso = 0 Å² is at or below zero",) if structure.name == "odd" else ()
        values = (Parameter(f"{structure.name}.Au1.z", z, 1e-3 if free else None),)
        return Fit(
            rwp,
            9.0,
            rwp / 9,
            3,
            10,
            (phase,),
            values,
            empty,
            empty,
            {},
            recipe,
            self.name,
            0.1,
            (),
            bad,
        )


class Here:
    """Runs trials in this process, as an executor of one worker."""

    workers = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, function, arguments, *, ahead=0, time_limit_s=None):
        for i, item in enumerate(arguments):
            try:
                yield i, function(*item)
            except (InputError, ModelFault, NotImplementedError) as error:
                yield i, error


KEYS = ("a", "b", "c", "alpha", "beta", "gamma")


def searched(*candidates, **options):
    options = {"trials": 30, "engine": Formula(), "executor": Here()} | options
    return hybrid_search(PATTERN, candidates or (cuau(0.48),), CU, EMT, **options)


# shifts


@pytest.mark.parametrize(
    ("structure", "count"),
    [(CORUNDUM, 2), (ZINCITE, 2), (FLUORITE, 0), (LAB6, 1), (YTTRIA, 4)],
    ids=lambda value: getattr(value, "name", value),
)
def test_as_many_freedoms_as_free_coordinates(structure, count):
    assert len(freedoms(crystal_of(structure))) == count


@pytest.mark.parametrize("structure", [CORUNDUM, YTTRIA, LAB6], ids=lambda s: s.name)
def test_shifts_keep_the_symmetry_and_have_their_length(structure):
    before = crystal_of(structure)
    for way in freedoms(before):
        after = crystal_of(shifted(structure, {way.name: 0.1}))
        assert len(after.get_all_unit_cell_sites()) == len(before.get_all_unit_cell_sites())
        moved = [
            (old.fract, new.fract)
            for old, new in zip(before.sites, after.sites, strict=True)
            if old.label == way.label
        ]
        ((old, new),) = moved
        distance = before.cell.orthogonalize(new) - before.cell.orthogonalize(old)
        assert distance.length() == pytest.approx(0.1, abs=1e-5)
    still = shifted(structure, {})
    assert gemmi.cif.read_string(still.cif)[0].find_loop("_atom_site_fract_x")


# energies


def test_energy_is_that_of_ase_itself():
    build = pytest.importorskip("ase.build")
    from ase.calculators import emt, lj

    pairs = ((EMT, emt.EMT()), (LJ, lj.LennardJones(sigma=2.3, epsilon=0.4, rc=9.0)))
    for calculator, theirs in pairs:
        bulk = build.bulk("Cu", "fcc", a=3.615)
        bulk.calc = theirs
        found = calculator.energy_per_atom(crystal_of(FCC))
        assert found == pytest.approx(bulk.get_potential_energy(), abs=1e-9)


def test_a_hexagonal_cell_arrives_whole():
    pytest.importorskip("ase")
    atoms = atoms_of(crystal_of(CORUNDUM))
    assert atoms.get_chemical_formula() == "Al12O18"
    lengths = atoms.cell.cellpar()
    assert lengths == pytest.approx([4.7592, 4.7592, 12.992, 90, 90, 120])
    distances = atoms.get_all_distances(mic=True)
    assert distances[distances > 0.1].min() == pytest.approx(1.855, abs=0.01)  # Al-O


def test_formulas_are_reduced():
    assert formula(crystal_of(CORUNDUM)) == "Al2 O3"
    assert formula(crystal_of(cuau(0.5))) == "Au1 Cu1"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("ase.calculators.emt.Emt", {}, "cannot load"),
        ("no.such.module.Thing", {}, "cannot load"),
        ("EMT", {}, "cannot load"),
        ("", {}, "cannot load"),
        ("ase.calculators.singlepoint.SinglePointCalculator", {}, "cannot be made with"),
    ],
)
def test_a_calculator_that_is_none_is_one_clear_error(name, arguments, words):
    pytest.importorskip("ase")
    with pytest.raises(InputError, match=words):
        Calculator(name, arguments).energy_per_atom(crystal_of(FCC))


def test_a_partly_occupied_site_has_no_energy():
    half = Structure("half", FCC.cif.replace("0 0 0 1.0", "0 0 0 0.5"))
    with pytest.raises(InputError, match="Cu1 are partly occupied"):
        EMT.energy_per_atom(crystal_of(half))


def test_nothing_of_ase_is_imported_before_it_is_named():
    program = (
        "import sys, materialsdock.fusion.hybrid.search, materialsdock.cli.app, "
        "materialsdock.fusion.hybrid.command; sys.exit('ase' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# the Pareto set


def point(number, rwp, energy, reason=""):
    return Point(number, 0, "s", {"refine": True}, rwp, energy, reason)


def test_pareto_set_by_hand():
    points = [
        point(0, 10.0, 5.0),
        point(1, 11.0, 4.0),
        point(2, 11.0, 4.5),  # beaten by 1 at equal Rwp
        point(3, 12.0, 4.0),  # equalled by 1 in energy, worse in Rwp
        point(4, 13.0, 1.0),
        point(5, 9.0, 0.0, "not physical"),
        point(6, 10.0, 5.0),  # the same as 0
    ]
    assert [p.number for p in pareto(points)] == [0, 1, 4]
    assert pareto([point(0, 1.0, 1.0, "no")]) == ()


@pytest.mark.parametrize("seed", range(10))
def test_no_point_of_the_set_is_beaten_and_every_other_is(seed):
    rng = np.random.default_rng(seed)
    points = [point(i, *xy) for i, xy in enumerate(rng.integers(0, 12, (40, 2)).astype(float))]
    front = pareto(points)

    def beats(a, b):
        return (
            a.rwp <= b.rwp
            and a.energy_ev <= b.energy_ev
            and (a.rwp, a.energy_ev) != (b.rwp, b.energy_ev)
        )

    assert not any(beats(a, b) for a in points for b in front)
    same = {(p.rwp, p.energy_ev) for p in front}
    others = [p for p in points if (p.rwp, p.energy_ev) not in same]
    assert all(any(beats(a, b) for a in front) for b in others)


# the search


def test_both_ends_are_found_and_what_lies_between():
    """The pattern says z = 0.46, the potential says 0.5."""
    pytest.importorskip("ase")
    found = searched()
    best, stable = found.front[0], found.front[-1]
    assert best.rwp == pytest.approx(10.0, abs=0.05)
    middle = EMT.energy_per_atom(crystal_of(cuau(0.5)))
    assert stable.energy_ev == pytest.approx(middle, abs=1e-3)
    assert len(found.front) >= 5
    z = [crystal_of(Structure("s", p.cif)).sites[1].fract.z for p in found.front]
    assert abs(z[0] - 0.5) == pytest.approx(0.04, abs=1e-3)
    assert abs(z[-1] - 0.5) < 0.006
    assert (np.diff([p.rwp for p in found.front]) > 0).all()
    assert (np.diff([p.energy_ev for p in found.front]) < 0).all()
    assert all(p.fit.recipe["effort"] == "final" for p in found.front)
    assert "cannot overrule the pattern" in found.sentences[-1]
    assert "meV per atom lower" in found.sentences[0]


def test_equal_seeds_give_equal_trials_with_any_report():
    pytest.importorskip("ase")
    seen = []
    first = searched(trials=10, seeds=(0, 1), on_trial=seen.append)
    second = searched(trials=10, seeds=(0, 1))  # any executor: results are given in their order
    assert [(p.seed, p.number) for p in seen] == [(i % 2, i // 2) for i in range(20)]
    assert [(p.settings, p.rwp, p.energy_ev) for p in first.points] == [
        (p.settings, p.rwp, p.energy_ev) for p in second.points
    ]
    by_seed = [[p.settings for p in first.points if p.seed == seed] for seed in (0, 1)]
    assert by_seed[0] != by_seed[1]


def test_candidates_that_fail_or_are_not_physical_stay_out_of_the_set():
    pytest.importorskip("ase")
    found = searched(cuau(0.48), cuau(0.5, "broken"), cuau(0.5, "odd"), trials=20)
    assert {p.structure for p in found.front} == {"CuAu"}
    reasons = {p.structure: p.reason for p in found.points if not p.counts}
    assert reasons == {"broken": "does not converge", "odd": "Au1.biso = 0 Å² is at or below zero"}
    with pytest.raises(ModelFault, match="no trial succeeded: does not converge"):
        searched(cuau(0.5, "broken"), trials=2)


def test_what_cannot_be_compared_is_refused():
    pytest.importorskip("ase")
    with pytest.raises(InputError, match="fcc is Cu1; CuAu is Au1 Cu1"):
        searched(FCC, cuau(0.5))
    with pytest.raises(InputError, match="EMT has no energy for LaB6: NotImplementedError"):
        searched(LAB6)
    flat = replace(PATTERN, intensity=np.full(PATTERN.intensity.size, 9.0))
    with pytest.raises(InputError, match="0 peaks"):
        hybrid_search(flat, (FCC,), CU, EMT)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.slow
def test_two_real_candidates_for_copper(tmp_path, monkeypatch, capsys):
    """Refined by rietx, energies by EMT: fcc fits and has the lowest energy, bcc neither."""
    pytest.importorskip("ase")
    pattern = planted(PlantedScene(((FCC, 1.0),)), two_theta=np.arange(35.0, 100.0, 0.05))
    np.savetxt(
        tmp_path / "copper.xye",
        np.column_stack([pattern.two_theta, pattern.intensity, pattern.sigma]),
    )
    for structure in (FCC, BCC):
        (tmp_path / f"{structure.name}.cif").write_text(structure.cif)
    out = tmp_path / "out"
    words = [
        "hybrid",
        str(tmp_path / "copper.xye"),
        "--cif",
        str(tmp_path / "fcc.cif"),
        "--cif",
        str(tmp_path / "bcc.cif"),
        "--calculator",
        EMT.name,
        "--trials",
        "2",
        "--workers",
        "1",
        "--out",
        str(out),
        "--json",
    ]
    monkeypatch.setattr("sys.argv", ["materialsdock", *words])
    app.main()
    said = json.loads(capsys.readouterr().out)
    (best,) = said["pareto"]
    assert best["structure"] == "fcc"
    assert best["energy_ev_per_atom"] == pytest.approx(-0.005, abs=0.001)
    assert "fcc fits best and has the lowest energy" in said["sentences"][0]
    assert (out / "hybrid.html").is_file()
    refined = gemmi.read_small_structure(str(out / "pareto_01.cif"))
    assert refined.cell.a == pytest.approx(3.615, abs=2e-3)


# the report


def result(*names):
    points = [
        Point(i, 0, names[i % len(names)], {"refine": i % 2 == 0}, 10 + i, 1 - 0.1 * i)
        for i in range(6)
    ]
    found = type("Result", (), {})()
    found.points, found.front = tuple(points), pareto(points)
    found.calculator, found.arguments = EMT.name, {}
    found.sentences = sentences(pareto(points))
    return found


def test_block_shows_the_set_and_the_caution():
    block = hybrid_block(result("one", "two"))
    assert block.count("<svg") == 1
    assert ">one<" in block
    assert ">two<" in block
    assert "cannot overrule the pattern" in block
    assert block.count("<tr>") == 1 + 6
    assert "candidates in the set: one, two" in block


def test_names_are_inert_in_the_page():
    page = render_hybrid(result("<script>alert(1)</script>"), "<b>sample</b>")
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_arguments_have_to_be_a_json_object(text):
    with pytest.raises(InputError, match=r"is not (a JSON object|JSON).*\(write e\.g\. '\{"):
        command.calculator_of(EMT.name, text)
