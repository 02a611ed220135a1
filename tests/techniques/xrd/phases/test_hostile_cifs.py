"""Hostile files can do nothing to the structure store but be refused, each with a reason."""

from __future__ import annotations

import gzip
import math
import os
import re
import shutil
import zipfile

import gemmi
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cifs import salt, written

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.crystals.contents import HIGHEST_DENSITY
from materialsdock.techniques.xrd.phases import cif_files
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.testing.crystals import CORUNDUM, ZINCITE

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
    "atoms_on_each_other": (salt(group="P 1", rows="Na1 Na .1 .1 .1\n" * 400), "share a place"),
    "infinite_cell": (salt(a="1e400"), "no possible unit cell"),
    "nan_place": (salt(rows="Na1 Na nan 0 0\nCl1 Cl inf 0 0"), "no number"),
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


def mutated(text, data):
    """The text as a careless copy, a broken disk or a wrong column would leave it."""
    how = data.draw(
        st.sampled_from(("insert", "bytes", "cut", "shuffle", "swap lines", "swap values"))
    )
    lines = text.split("\n")
    if how == "cut":
        return text[: data.draw(st.integers(0, len(text)))]
    if how == "shuffle":
        return "\n".join(data.draw(st.permutations(lines)))
    if how == "swap lines":
        i, j = (data.draw(st.integers(0, len(lines) - 1)) for _ in "ij")
        lines[i], lines[j] = lines[j], lines[i]
        return "\n".join(lines)
    if how == "swap values":
        words = re.split(r"(\s+)", text)
        i, j = (2 * data.draw(st.integers(0, len(words) // 2 - 1)) for _ in "ij")
        words[i], words[j] = words[j], words[i]
        return "".join(words)
    if how == "bytes":
        start = data.draw(st.integers(0, len(text)))
        return text[:start] + data.draw(st.binary(max_size=40)).decode("latin-1") + text[start:]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.sampled_from((0, 0, 1, 3, 20, 200)))
        text = text[:start] + data.draw(st.sampled_from(BAD)) + text[end:]
    return text


def tried(reader, *arguments):
    """What a reader gives and no sentence, or nothing and the sentence of its refusal."""
    try:
        return reader(*arguments), ""
    except InputError as fault:
        return None, str(fault)


@settings(max_examples=100, derandomize=True)
@given(st.data())
def test_a_damaged_cif_is_a_crystal_or_refused_by_name(tmp_path_factory, data):
    """Read right, or refused with a sentence that names the place; both verbs say the same."""
    text = mutated(data.draw(st.sampled_from(FUZZED)), data)
    path = tmp_path_factory.getbasetemp() / "mutated.cif"
    path.write_bytes(text.encode("latin-1"))
    stored, why = tried(cif_files.read_file, str(path), str(path))
    structure, refused = tried(cif_files.read_structure, path)
    said = (why,) if stored is None else stored.refused
    assert all(sentence.startswith(f"{path}: ") and sentence.isprintable() for sentence in said)
    if structure is None:
        assert refused in said
        return
    assert stored is not None
    entry = stored.entries[0]
    assert structure.cif == entry.cif
    assert np.isfinite(entry.d).all()
    assert np.isfinite(entry.intensity).all()
    assert 0 < entry.described.density <= HIGHEST_DENSITY
    # what was read is no chance: written plainly it means the same crystal
    path.write_text(structure.cif)
    again = cif_files.read_file(str(path), "again").entries[0].described
    assert (again.formula, again.number) == (entry.described.formula, entry.described.number)
    assert math.isclose(again.density, entry.described.density, rel_tol=1e-4)


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
