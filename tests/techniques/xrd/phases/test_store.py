"""The structure store: what is kept, and what is one structure."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import gemmi
import numpy as np
import pytest
from support.cifs import PLUMBOUS, in_p1, salt, written

from materialsdock.cli import app
from materialsdock.errors import InputError
from materialsdock.techniques.xrd.commands import structure_store
from materialsdock.techniques.xrd.crystals.plain import plain_cif, strained
from materialsdock.techniques.xrd.phases import cif_files
from materialsdock.techniques.xrd.phases.powder_lines import lorentz_polarisation, positions
from materialsdock.techniques.xrd.phases.store import INDEX, StructureStore
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, ZINCITE

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store of four substances, one of them twice in other words."""
    root = tmp_path_factory.mktemp("store")
    corners = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    rows = [f"Na Na {x} {y} {z}\nCl Cl {x + 0.5} {y} {z}" for x, y, z in corners]
    halite_p1 = salt("again", 5.628, "P 1", rows="\n".join(rows))
    cifs = written(
        root / "mine",
        corundum=CORUNDUM.cif,
        zincite=ZINCITE.cif,
        halite=salt(more="_database_code_ICSD 18189"),
        other=halite_p1,
    )
    store = StructureStore(root / "store")
    return store, store.add([cifs]), cifs


def test_adding_keeps_every_crystal_and_says_so(filled):
    store, added, _ = filled
    assert len(added.added) == 4
    assert added.refused == ()
    assert {e.described.formula for e in store.entries()} == {"Al2O3", "OZn", "ClNa"}


def test_one_structure_in_two_cifs_is_one_entry_with_an_alias(filled):
    store, _, _ = filled
    both = [e for e in store.entries(aliases=True) if e.described.formula == "ClNa"]
    assert {e.described.space_group for e in both} == {"F m -3 m"}  # one CIF says P 1
    assert len({e.family for e in both}) == 1
    assert next(e for e in both if e.same_as is None).collection == "ICSD 18189"


def test_structures_that_differ_are_kept_apart(tmp_path):
    store = StructureStore(tmp_path / "store")
    store.add(
        [
            written(
                tmp_path / "mine",
                a=salt(),
                b=salt(a=5.80),
                c=salt(group="P m -3 m", rows="Na1 Na 0 0 0\nCl1 Cl .5 .5 .5"),
            )
        ]
    )
    assert len(store.entries()) == 3


def test_element_filter_keeps_what_is_made_of_these_elements_only(filled):
    store, _, _ = filled
    assert [e.described.formula for e in store.entries({"Zn", "O", "Fe"})] == ["OZn"]
    assert store.entries({"Fe"}) == []


def test_description_agrees_with_textbooks(filled):
    corundum = next(e for e in filled[0].entries() if e.described.formula == "Al2O3")
    assert corundum.described.density == pytest.approx(3.987, abs=0.01)  # handbook 3.98-4.02
    observed = lorentz_polarisation(positions(corundum.d, 1.5406), 0.5) * corundum.intensity
    strongest = corundum.d[np.argsort(-observed)[:4]]
    assert {round(float(x), 2) for x in strongest} == {2.55, 2.09, 1.60, 3.48}  # of any handbook


def test_same_folder_same_index(filled, tmp_path):
    store, _, cifs = filled
    other = StructureStore(tmp_path / "elsewhere")
    for path in sorted(cifs.iterdir(), reverse=True):
        other.add([path])
    key = [
        (e.entry_id, e.name, e.source, e.same_as, e.d.tobytes())
        for e in store.entries(aliases=True)
    ]
    assert key == [
        (e.entry_id, e.name, e.source, e.same_as, e.d.tobytes())
        for e in other.entries(aliases=True)
    ]


def test_adding_twice_adds_nothing(filled):
    store, first, cifs = filled
    again = store.add([cifs])
    assert again.added == ()
    assert sorted(again.known) == sorted(first.added)


def test_index_follows_the_folder(tmp_path):
    store = StructureStore(tmp_path)
    written(tmp_path, one=salt(), two=LAB6.cif)  # dropped there by hand
    assert store.refresh() == ()
    assert {e.described.formula for e in store.entries()} == {"ClNa", "B6La"}
    written(tmp_path, one=FLUORITE.cif)
    (tmp_path / "two.cif").unlink()
    written(tmp_path, broken="data_x\n_cell_length_a 0\n")
    (why,) = store.refresh()
    assert "broken.cif" in why
    assert [e.described.formula for e in store.entries()] == ["CaF2"]


def test_index_of_another_schema_is_made_anew(filled, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(filled[0].folder, folder)
    with closing(sqlite3.connect(folder / INDEX)) as db, db:
        db.execute("PRAGMA user_version=999")
    db.close()
    store = StructureStore(folder)
    store.refresh()
    assert [e.entry_id for e in store.entries()] == [e.entry_id for e in filled[0].entries()]


def test_index_that_is_no_database_says_what_to_do(tmp_path):
    (tmp_path / INDEX).write_text("not a database" * 100)
    with pytest.raises(InputError, match="delete it"):
        StructureStore(tmp_path).entries()


def test_many_readers_at_once(filled):
    def read(_):
        store = StructureStore(filled[0].folder)
        store.refresh()
        return len(store.entries(aliases=True))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(32))) == {4}


def test_icsd_and_cod_codes_are_kept_from_trees_and_multi_block_files(tmp_path):
    two = salt("data1", more="_database_code_ICSD 1") + salt(
        "data2", 6.29, rows=("K1 K 0 0 0\nCl1 Cl .5 0 0"), more="_database_code_ICSD 2"
    )
    paper = "data_publ\n_publ_section_title 'no crystal here'\n" + two
    written(
        tmp_path / "cod/1/00/00",
        **{
            "1000041": salt(
                a=4.2, rows="Mg1 Mg 0 0 0\nO1 O .5 0 0", more="_cod_database_code 1000041"
            )
        },
    )
    store = StructureStore(tmp_path / "store")
    done = store.add([written(tmp_path / "icsd", export=paper), tmp_path / "cod"])
    assert (len(done.added), done.entries, done.refused) == (2, 3, ())
    assert {e.collection for e in store.entries()} == {"ICSD 1", "ICSD 2", "COD 1000041"}


MOVES = ("x,y,z", "z,x,y", "x+y,y,z-x")
MIXED = salt(a=4.2, more="", rows="Mg1 Mg 0 0 0 0.6\nFe1 Fe 0 0 0 0.4\nO1 O .5 0 0 1").replace(
    "_fract_z\n", "_fract_z\n_atom_site_occupancy\n"
)


@pytest.mark.parametrize("text", [ZINCITE.cif, MIXED, PLUMBOUS], ids=["zincite", "mixed", "PbSO4"])
@pytest.mark.parametrize("move", MOVES)
def test_a_structure_written_in_p1_in_another_cell_is_recognised(tmp_path, text, move):
    again = in_p1(text, gemmi.Op(move), 1.003)
    store = StructureStore(tmp_path / "store")
    store.add([written(tmp_path / "in", one=text, two=again)])
    assert len(store.entries()) == 1
    assert len(store.entries(aliases=True)) == 2


@pytest.mark.parametrize("axes", ["b,a,-c", "c,a,b", "b,c,a"])
def test_orthorhombic_settings_are_one_structure(tmp_path, axes):
    """Pnma, Pbnm, Pmcn and so on: the same crystal with its axes named otherwise."""
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(PLUMBOUS)[0])
    move = gemmi.Op(axes.translate(str.maketrans("abc", "xyz")))
    group = gemmi.find_spacegroup_by_ops(
        gemmi.GroupOps([move * op * move.inverse() for op in crystal.spacegroup.operations()])
    )
    assert group.number == 62
    assert group.xhm() != "P n m a"
    other = gemmi.SmallStructure()
    other.cell = crystal.cell.changed_basis_forward(move, False)
    other.spacegroup_hm, other.spacegroup = group.xhm(), group
    for site in crystal.sites:
        moved = site.clone()
        moved.fract = gemmi.Fractional(*move.apply_to_xyz(site.fract.tolist()))
        other.add_site(moved)
    store = StructureStore(tmp_path / "store")
    store.add([written(tmp_path / "in", one=PLUMBOUS, two=plain_cif(other, "other", 0.004))])
    assert len({e.described.space_group for e in store.entries(aliases=True)}) == 2
    assert len(store.entries()) == 1


def test_what_a_store_gives_to_the_engine_is_the_same_crystal(filled):
    corundum = next(e for e in filled[0].entries() if e.described.formula == "Al2O3")
    block = gemmi.cif.read_string(strained(corundum.cif, 0.01)).sole_block()
    crystal = gemmi.make_small_structure_from_block(block)
    assert crystal.spacegroup.xhm() == "R -3 c:H"
    assert crystal.cell.a == pytest.approx(4.7592 * 1.01)
    assert plain_cif(crystal, "structure", -0.01 / 1.01) == corundum.cif


def test_elements_are_read_and_wrong_ones_named():
    assert structure_store.elements_of("fe, O") == {"Fe", "O"}
    assert structure_store.elements_of(None) is None
    with pytest.raises(InputError, match="Qq"):
        structure_store.elements_of("Fe,Qq")


def test_command_line_adds_lists_and_refuses(tmp_path, monkeypatch, capsys):
    odd = salt(a=5.8).replace("Na1 Na", "NA1 Na+1").replace("Cl1 Cl 0.5", "Cl1 Cl 1/2")
    folder = written(tmp_path / "in", good=salt(), bad=salt(a=0), odd=odd + "Wat1 H ? ? ?\n")
    monkeypatch.setenv("MATERIALSDOCK_STORE", str(tmp_path / "store"))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["materialsdock", "store", *words])
        app.main()
        return json.loads(capsys.readouterr().out)

    added = run("add", str(folder), "--json")
    assert (added["entries_added"], len(added["refused"])) == (2, 1)
    (note,) = added["notes"]
    assert note == f"{folder / 'odd.cif'}: left out, without atom or place: Wat1"
    words = structure_store.added(added)
    assert words.startswith("2 files with 2 structures added, 0 there already, 1 refused; ")
    assert f"note: {note}" in words
    (_, listed) = run("list", "--elements", "Na,Cl", "--json")["structures"]
    assert (listed["formula"], listed["space_group"]) == ("ClNa", "F m -3 m")
    empty = tmp_path / "empty"
    empty.mkdir()
    for none in (empty, tmp_path / "gone"):
        with pytest.raises(SystemExit) as ended:
            run("list", "--store", str(none))
        assert ended.value.code == 2
        assert "no structure store" in capsys.readouterr().err
    assert not list(empty.iterdir())
    with pytest.raises(SystemExit) as ended:
        run("add", str(folder / "bad.cif"))
    assert ended.value.code == 2
    assert "no possible unit cell" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named_once_with_a_remedy(tmp_path):
    path = tmp_path / "gone.cif"
    with pytest.raises(InputError) as refusal:
        cif_files.read_structure(path)
    said = f"{path}: cannot be read: No such file or directory (name a CIF file that can be read)"
    assert str(refusal.value) == said


def test_a_search_reads_the_profile_of_the_site_that_is_asked_for(tmp_path, monkeypatch, capsys):
    (tmp_path / "scan.xye").write_text("10 1 1\n")
    words = ["store", "search", str(tmp_path / "scan.xye"), "--site", str(tmp_path / "gone")]
    monkeypatch.setattr(sys, "argv", ["materialsdock", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert "gone is not a site" in capsys.readouterr().err
