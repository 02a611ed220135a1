"""The structure store: what is kept, what is one structure, and what hostile files can do."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.cli import app
from materialsdock.errors import InputError
from materialsdock.techniques.xrd.commands import structure_store
from materialsdock.techniques.xrd.phases import cif_files
from materialsdock.techniques.xrd.phases.crystal import HIGHEST_DENSITY, plain_cif, strained
from materialsdock.techniques.xrd.phases.powder_lines import lorentz_polarisation, positions
from materialsdock.techniques.xrd.phases.store import INDEX, StructureStore
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, HEADER, LAB6, ZINCITE

SITES = (
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\n"
)
SALT = (
    "data_{name}\n_symmetry_space_group_name_H-M '{group}'\n_cell_length_a {a}\n"
    "_cell_length_b {a}\n_cell_length_c {a}\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    "_cell_angle_gamma 90\n{more}\n" + SITES + "{rows}\n"
)


def salt(name="halite", a=5.640, group="F m -3 m", more="", rows="Na1 Na 0 0 0\nCl1 Cl 0.5 0 0"):
    """Rock salt, or what a fault makes of it."""
    return SALT.format(name=name, a=a, group=group, more=more, rows=rows)


PLUMBOUS = (
    HEADER.format(name="PbSO4", group="P n m a", number=62, a=8.48, b=5.398, c=6.958, gamma=90)
    + """\
Pb1 Pb 0.1879 0.25 0.1675 1 0.5
S1 S 0.0633 0.25 0.6842 1 0.5
O1 O 0.9080 0.25 0.5960 1 0.5
O2 O 0.1940 0.25 0.5430 1 0.5
O3 O 0.0820 0.0260 0.8090 1 0.5
"""
)


def in_p1(text, move, scale):
    """Every atom of the cell, in another cell of the same volume and another origin."""
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text)[0])
    other = gemmi.SmallStructure()
    a, b, c, *angles = crystal.cell.changed_basis_forward(move, False).parameters
    other.cell = gemmi.UnitCell(scale * a, scale * b, scale * c, *angles)
    other.spacegroup_hm, other.spacegroup = "P 1", gemmi.SpaceGroup("P 1")
    for site in crystal.get_all_unit_cell_sites():
        moved = site.clone()
        place = np.add(move.apply_to_xyz(site.fract.tolist()), [0.1, 0.2, 0.3])
        moved.fract = gemmi.Fractional(*(place % 1.0))
        other.add_site(moved)
    return plain_cif(other, "again")


def written(folder, **texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.cif").write_bytes(data)
    return folder


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
    with sqlite3.connect(folder / INDEX) as db:
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


LOOPS = "data_x\n" + "\n".join(f"loop_\n_a{i}\n_b{i}\n1 2" for i in range(20_000))
ROWS = "\n".join(f"Na{i} Na 0.{i:06d} 0 0" for i in range(10_000))
HOSTILE = {
    "zero_cell": (salt(a=0), "no possible unit cell"),
    "huge_cell": (salt(a=1e9), "no possible unit cell"),
    "nan_cell": (salt(a="nan"), "no possible unit cell"),
    "unknown_element": (salt(rows="Xx1 Xx 0 0 0"), "unknown element"),
    "copernicium": (salt(rows="Cn1 Cn 0 0 0\nCl1 Cl .5 0 0"), "without scattering factor"),
    "no_atoms": (salt(rows=""), "has no atoms"),
    "no_loop": ("data_x\n_cell_length_a 5\n", "has no atoms"),
    "unplaced": (salt(rows="Na1 Na ? ? ?\nCl1 Cl .5 0 0"), "no coordinates"),
    "garbage_symmetry": (
        salt(group="Q 7", more="loop_\n_symmetry_equiv_pos_as_xyz\n'q,!,7'"),
        "no space group",
    ),
    "wrong_system": (salt(group="P 63/m m c"), "contradicts"),
    "overfull": (
        salt(more="", rows="Na1 Na 0 0 0")
        .replace("_fract_z\n", "_fract_z\n_atom_site_occupancy\n")
        .replace("0 0 0\n", "0 0 0 7\n"),
        "occupancy",
    ),
    "atoms_on_each_other": (salt(group="P 1", rows="Na1 Na .1 .1 .1\n" * 400), "density"),
    "infinite_cell": (salt(a="1e400"), "no possible unit cell"),
    "nan_place": (salt(rows="Na1 Na nan 0 0\nCl1 Cl inf 0 0"), "no coordinates"),
    "twins": (salt() + salt(), "duplicate block"),
    "program": (
        salt(
            group="Q 7",
            more="loop_\n_symmetry_equiv_pos_as_xyz\n"
            "'__import__(\"os\").mkdir(\"pwned\")'\n'exec(open(0).read())'",
        ),
        "no space group",
    ),
    "save_frames": ("data_x\n" + "save_a\n" * 10_000, "not a CIF"),
    "many_loops": (LOOPS, "has no atoms"),
    "many_sites": (salt(rows=ROWS), "more than 3000"),
    "not_text": (b"\x00\x01\x02" * 100, "binary"),
    "empty": ("", "is empty"),
    "prose": ("once upon a time", "not a CIF"),
}


def test_hostile_files_are_refused_one_reason_each_and_the_good_one_is_added(tmp_path):
    folder = written(tmp_path / "in", good=salt(), **{n: text for n, (text, _) in HOSTILE.items()})
    written(
        folder, latin=salt("halite", more="_chemical_name_common 'h\xe4lite'").encode("latin-1")
    )
    done = StructureStore(tmp_path / "store").add([folder])
    assert {n.split("/")[1].rsplit("-", 1)[0] for n in done.added} == {"good", "latin"}
    for name, (_, reason) in HOSTILE.items():
        (said,) = [why for why in done.refused if f"/{name}.cif" in why]
        assert reason in said, said
        assert len(said) < len(str(tmp_path)) + 300


def test_bombs_and_things_that_are_no_files_are_refused_quickly(tmp_path, monkeypatch):
    monkeypatch.setattr(cif_files, "LARGEST_BYTES", 1_000_000)
    folder = tmp_path / "in"
    folder.mkdir()
    with gzip.open(folder / "bomb.cif.gz", "wb") as file:
        file.write(b"# " + b"0" * 30_000_000)
    with zipfile.ZipFile(folder / "zip.cif", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../evil.cif", salt() * 100)
    os.mkfifo(folder / "pipe.cif")
    (folder / "loop.cif").symlink_to(folder / "loop.cif")
    (folder / "million.cif").write_text(salt(rows="Na1 Na 0 0 0\n" * 1_000_00))
    done = StructureStore(tmp_path / "store").add([folder, tmp_path / "nowhere"])
    said = " ".join(done.refused)
    assert done.added == ()
    assert len(done.refused) == 6
    for reason in ("larger than", "archive", "not a regular file", "no such file", "symbolic"):
        assert reason in said


def test_file_names_that_no_terminal_should_see_are_escaped(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (b"\xff\xfe.cif", b"\x1b[31mred.cif", b"good.cif"):
        (folder / os.fsdecode(name)).write_text(salt() if name == b"good.cif" else "no")
    store = StructureStore(tmp_path / "store")
    done = store.add([folder])
    assert len(done.added) == 1
    said = "".join(done.refused)
    assert said.isprintable()
    assert "not UTF-8" in said
    assert r"\x1b[31mred.cif: is not a CIF" in said
    shutil.copy(folder / os.fsdecode(b"\xff\xfe.cif"), store.folder)
    store.refresh()
    assert len(store.entries()) == 1


FUZZED = (
    salt(more="_chemical_name_common halite\nloop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'"),
    ZINCITE.cif,
    CORUNDUM.cif,
)
BAD = (
    "-",
    "0",
    "1e308",
    "nan",
    "?",
    "'",
    "\n;\n",
    "loop_\n",
    "data_",
    "_cell_length_a 3\n",
    "#",
    "\x00",
    "\xff",
    "9" * 40,
    "_atom_site_occupancy\n",
    "P -1",
    ")(",
    "\r",
)


@settings(max_examples=80, derandomize=True)
@given(st.data())
def test_mutated_cifs_are_crystals_or_one_reason(tmp_path_factory, data):
    text = data.draw(st.sampled_from(FUZZED))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.sampled_from((0, 0, 1, 3, 20, 200)))
        text = text[:start] + data.draw(st.sampled_from(BAD)) + text[end:]
    path = tmp_path_factory.getbasetemp() / "mutated.cif"
    path.write_bytes(text.encode("latin-1"))
    try:
        outcome = cif_files.read_file(str(path), "mutated.cif")
    except InputError:
        return
    assert outcome.entries or outcome.refused
    for entry in outcome.entries:
        assert np.isfinite(entry.d).all()
        assert np.isfinite(entry.intensity).all()
        assert 0 < entry.described.density <= HIGHEST_DENSITY


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


def test_names_cannot_leave_the_store(tmp_path):
    evil = salt("x").replace("data_x", "data_../../../etc/passwd", 1)
    evil = evil.replace(
        "_cell_length_a", "_chemical_name_common '../../\x1b[31mevil'\n_cell_length_a"
    )
    store = StructureStore(tmp_path / "store")
    done = store.add([written(tmp_path / "in", **{"..;rm -rf": evil})])
    (entry,) = store.entries()
    assert entry.name == "31mevil"
    (inside,) = done.added
    assert (store.folder / inside).resolve().is_relative_to(store.folder.resolve())
    assert gemmi.cif.read_string(entry.cif).sole_block().name == "structure"


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
    folder = written(tmp_path / "in", good=salt(), bad=salt(a=0))
    monkeypatch.setenv("MATERIALSDOCK_STORE", str(tmp_path / "store"))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["materialsdock", "store", *words])
        app.main()
        return json.loads(capsys.readouterr().out)

    added = run("add", str(folder), "--json")
    assert (added["entries_added"], len(added["refused"])) == (1, 1)
    (listed,) = run("list", "--elements", "Na,Cl", "--json")["structures"]
    assert (listed["formula"], listed["space_group"]) == ("ClNa", "F m -3 m")
    with pytest.raises(SystemExit) as ended:
        run("add", str(folder / "bad.cif"))
    assert ended.value.code == 2
    assert "no possible unit cell" in capsys.readouterr().err
