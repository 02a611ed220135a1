"""CIFs as people write them: what each means, or why it is refused, and that all verbs agree."""

from __future__ import annotations

import gemmi
import pytest
from support.cif_answers import Right
from support.cifs import in_p1, salt

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.phases import cif_files
from materialsdock.testing.crystals import CORUNDUM, ZINCITE, cif

ALUMINA = Right("Al2O3", "R -3 c:H", 3.986)


def alumina(*changes, head="", tail=""):
    """Corundum with changes (old text, new text), and more lines."""
    text = CORUNDUM.cif
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.replace("data_corundum\n", f"data_corundum\n{head}") + tail


def noted(*words, like=ALUMINA):
    return Right(like.formula, like.group, like.density, words)


def spinel(symbol, origin, head=""):
    shift = -0.125 if origin == 2 else 0.0
    places = [("Mg1", "Mg", 0.0), ("Al1", "Al", 0.625), ("O1", "O", 0.3873)]
    atoms = [(label, kind, *[round(x + shift, 4)] * 3) for label, kind, x in places]
    text = cif("spinel", symbol, 227, (8.0831,) * 3, atoms).cif
    return text.replace("data_spinel\n", f"data_spinel\n{head}")


def silicon(place):
    return cif("silicon", "F d -3 m", 227, (5.431,) * 3, [("Si1", "Si", *[place] * 3)]).cif


def operations(group, shift="x,y,z", quote="'"):
    """The operations of a group, seen from another origin, as a loop."""
    move = gemmi.Op(shift)
    every = [(move * op * move.inverse()).wrap() for op in gemmi.SpaceGroup(group).operations()]
    rows = "\n".join(f"{quote}{op.triplet()}{quote}" for op in every)
    return f"loop_\n_symmetry_equiv_pos_as_xyz\n{rows}\n"


def shifted(shift):
    """Corundum in an origin that no table has."""
    move, text = gemmi.Op(shift), alumina(*NO_GROUP, head=operations("R -3 c:H", shift))
    for place in ((0, 0, 0.3522), (0.3063, 0, 0.25)):
        there = " ".join(f"{x:.6f}" for x in move.apply_to_xyz(list(place)))
        text = text.replace(" ".join(f"{x:g}" for x in place), there)
    return text


def rounded_p1(digits, group="P 1"):
    """Corundum written out atom by atom, its coordinates rounded."""
    text = in_p1(CORUNDUM.cif, gemmi.Op("x,y,z"), 1.0)
    block = gemmi.cif.read_string(text).sole_block()
    for row in block.find("_atom_site_", ["fract_x", "fract_y", "fract_z"]):
        for i in range(3):
            row[i] = f"{float(row[i]):.{digits}f}"
    return block.as_string().replace("'P 1'", f"'{group}'")


H_M = ("_space_group_name_H-M_alt 'R -3 c :H'\n", "")
NUMBER = ("_space_group_IT_number 167\n", "")
NO_GROUP = (H_M, NUMBER)
OCCUPANCY = ("0.3522 1.0", "0.3522 {}")
SPINEL = Right("Al2MgO4", "F d -3 m:2", 3.579)
SPINEL_1 = Right("Al2MgO4", "F d -3 m:1", 3.579)
FORMULA = "_chemical_formula_sum 'Al2 Mg O4'\n_cell_formula_units_Z 8\n"
RHOMBOHEDRAL = """\
data_r
_symmetry_space_group_name_H-M 'R -3 c'
_cell_length_a 5.1284
_cell_length_b 5.1284
_cell_length_c 5.1284
_cell_angle_alpha 55.28
_cell_angle_beta 55.28
_cell_angle_gamma 55.28
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Al1 0.3522 0.3522 0.3522
O1 0.5563 0.9437 1/4
"""
DOTTED = alumina().replace("_cell_", "_cell.").replace("_atom_site_", "_atom_site.")
CARTESIAN = """\
data_c
_space_group_name_H-M_alt 'F m -3 m'
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_type_symbol
_atom_site_Cartn_x
_atom_site_Cartn_y
_atom_site_Cartn_z
Na 0 0 0
Cl 2.82 0 0
"""

READ = {
    "as we write it": (CORUNDUM.cif, ALUMINA),
    "byte order mark": (b"\xef\xbb\xbf" + CORUNDUM.cif.encode(), ALUMINA),
    "UTF-16": (CORUNDUM.cif.encode("utf-16"), ALUMINA),
    "line ends of DOS": (CORUNDUM.cif.replace("\n", "\r\n") + "\x1a", ALUMINA),
    "line ends of old Macs": (CORUNDUM.cif.replace("\n", "\r"), ALUMINA),
    "Latin-1": (
        alumina(head="_publ_author_name 'M\xfcller'\n").encode("latin-1"),
        noted("Latin-1"),
    ),
    "typographic minus": (alumina(("0.3063 0", "\u22120.6937 0")), noted("minus sign")),
    "typographic quotes": (alumina(("'R -3 c :H'", "\u2018R -3 c :H\u2019")), ALUMINA),
    "quotes left out": (alumina(("'R -3 c :H'", "R -3 c :H")), noted("quotes were missing")),
    "dots in tags": (DOTTED, ALUMINA),
    "no letter for the axes": (alumina(("c :H'", "c'")), ALUMINA),
    "no blanks": (alumina(("R -3 c :H", "R-3c")), ALUMINA),
    "H of the ICSD": (alumina(("c :H'", "c H'")), ALUMINA),
    "underscores and brackets": (alumina(("R -3 c :H", "R_-3_c")), ALUMINA),
    "rhombohedral cell": (RHOMBOHEDRAL, Right("Al2O3", "R -3 c:R", 3.988)),
    "number only": (alumina(H_M), noted("number 167 is all that is said")),
    "operations only": (alumina(*NO_GROUP, head=operations("R -3 c:H")), ALUMINA),
    "operations without quotes": (
        alumina(*NO_GROUP, head=operations("R -3 c:H", quote="").replace(",", ", ")),
        ALUMINA,
    ),
    "symbol that is no symbol": (
        alumina(("R -3 c :H", "unknown"), head=operations("R -3 c:H")),
        noted("'unknown' is in no table"),
    ),
    "operations of no table": (shifted("x+1/8,y+1/6,z+1/3"), noted("no setting of the tables")),
    "cell off by rounding": (
        alumina(("_length_b 4.7592", "_length_b 4.75925"), ("beta 90", "beta 90.0001")),
        noted("4.75925", "as R -3 c:H asks"),
    ),
    "P 1 with three digits": (rounded_p1(3), noted("read as R -3 c:H", "moved by up to 0.0")),
    "spinel, origin 1 by formula": (
        spinel("F d -3 m", 1, FORMULA),
        noted("origin choice 1", like=SPINEL_1),
    ),
    "spinel, origin 1 against the symbol": (
        spinel("F d -3 m :2", 1, FORMULA),
        noted("origin choice 1", like=SPINEL_1),
    ),
    "spinel, origin 1 by distances": (
        spinel("F d -3 m", 1),
        noted("origin choice 1", like=SPINEL_1),
    ),
    "spinel, origin 2": (spinel("F d -3 m", 2), noted("origin choice 2", like=SPINEL)),
    "spinel, Z of the ICSD": (spinel("F d -3 m Z", 2), SPINEL),
    "spinel, S of the ICSD": (spinel("F d -3 m S", 1), SPINEL_1),
    "spinel, old symbol": (spinel("F d 3 m", 2, FORMULA), noted("origin choice 2", like=SPINEL)),
    "silicon, standard origin": (
        silicon(0.125),
        Right("Si", "F d -3 m:2", 2.329, ("origin choice 2",)),
    ),
    "formula of the whole cell": (
        alumina(head="_chemical_formula_sum 'Al12 O18'\n_cell_formula_units_Z 6\n"),
        ALUMINA,
    ),
    "numbers with uncertainties": (
        alumina(("4.7592", "4.7592(1)"), ("0.3063", ".3063(5)")),
        ALUMINA,
    ),
    "fractions": (alumina(("0 0.25", "0 1/4")), ALUMINA),
    "labels only": (
        alumina(("_atom_site_type_symbol\n", ""), ("Al1 Al", "AL1"), ("O1 O", "OW1")),
        noted("AL1 as Al", "OW1"),
    ),
    "one label twice": (alumina(("Al1", "X"), ("O1", "X")), noted("told apart by number: X")),
    "water of mineralogists": (alumina(("O1 O", "Wat1 Wat")), noted("Wat1")),
    "ions of any spelling": (alumina(("Al1 Al", "Al1 Al+3"), ("O1 O", "O1 O2-")), ALUMINA),
    "occupancy above 1 by rounding": (
        alumina(("0.3522 1.0", "0.3522 1.0001")),
        noted("Al1 (1.0001)"),
    ),
    "unknown occupancy": (alumina(("0.3522 1.0", "0.3522 ?")), noted("unknown occupancy", "Al1")),
    "one site of two elements": (
        alumina(("0.3522 1.0", "0.3522 0.7"), tail="Cr1 Cr 0 0 0.3522 0.3 0.4\n"),
        Right("Al4.2Cr1.8O9", "R -3 c:H", 4.573),
    ),
    "negative displacement": (
        alumina(("1.0 0.4", "1.0 -0.4")),
        noted("at or below zero", "Al1, O1"),
    ),
    "hydrogen without place": (
        alumina(tail="H1 H ? ? ? 1 .\n", head="_chemical_formula_sum 'Al2 H0.1 O3'\n"),
        noted("left out", "H1", "hydrogen of the formula"),
    ),
    "row without place that the formula does not want": (
        alumina(tail="O9 O . . . 1 .\n", head="_chemical_formula_sum 'Al2 O3'\n"),
        noted("O9"),
    ),
    "deuterium": (
        alumina(tail="D1 D 0.1 0.1 0.1 0.1 1\n"),
        Right("Al6D1.8O9", "R -3 c:H", 4.033, ("deuterium", "D1")),
    ),
    "off a special position": (
        ZINCITE.cif.replace("0.333333 0.666667 0.382", "0.33 0.67 0.382"),
        Right("OZn", "P 63 m c", 5.675, ("special positions: O1", "0.019")),
    ),
    "images listed, and operations": (
        alumina(tail="Al2 Al 0 0 0.1478 1.0 0.4\n"),
        noted("symmetry gives them already: Al2"),
    ),
    "Cartesian": (CARTESIAN, Right("ClNa", "F m -3 m", 2.164, ("Cartesian",))),
    "two crystals and a journal": (
        "data_global\n_journal_name_full x\n" + CORUNDUM.cif + ZINCITE.cif,
        noted("first of 2 crystals", "zincite"),
    ),
}

REFUSED = {
    "symbol against number": (alumina(("number 167", "number 186")), "contradict each other"),
    "symbol against operations": (
        alumina(head=operations("R 3 c:H")),
        "contradict each other: H-M symbol 'R -3 c :H'",
    ),
    "Hall against H-M": (
        alumina(head="_space_group_name_Hall '-P 2ac 2n'\n"),
        "Hall symbol '-P 2ac 2n' (P n m a)",
    ),
    "axes of one symbol, operations of another": (
        cif("x", "P 1 21/c 1", 14, (5, 6, 7), [("C1", "C", 0.1, 0.2, 0.3)]).cif.replace(
            "data_x\n", f"data_x\n{operations('P 1 21/n 1')}"
        ),
        "contradict each other",
    ),
    "old and new tag": (
        alumina(head="_symmetry_space_group_name_H-M 'P n m a'\n"),
        "contradict each other",
    ),
    "no group": (alumina(*NO_GROUP), "neither symbol, number nor operations"),
    "symbol of no table": (alumina(("R -3 c :H", "R -3 q")), "'R -3 q' is in no table"),
    "half of the operations": (
        alumina(*NO_GROUP, head="\n".join(operations("R -3 c:H").split("\n")[:9]) + "\n"),
        "not a group",
    ),
    "cell of another system": (alumina(("gamma 120", "gamma 90")), "contradicts R -3 c:H"),
    "cell off by more than rounding": (
        alumina(("_length_b 4.7592", "_length_b 4.76")),
        "cell 4.7592 4.76 12.992 90 90 120 contradicts",
    ),
    "unknown cell": (alumina(("_length_a 4.7592", "_length_a ?")), "_cell_length_a is '?'"),
    "decimal comma": (alumina(("_length_a 4.7592", "_length_a 4,7592")), "'4,7592'"),
    "no number": (alumina(("0.3063", "0.30.63")), "'0.30.63' of O1"),
    "occupancy of 1.08": (alumina(("0.3522 1.0", "0.3522 1.08")), "Al1 (1.08)"),
    "occupancy in percent": (alumina(("0.3522 1.0", "0.3522 100")), "Al1 (100)"),
    "two atoms in one place": (
        alumina(tail="Cr1 Cr 0 0 0.3522 0.3 0.4\n"),
        "Al1 and Cr1 share a place with an occupancy of 1.30",
    ),
    "half a cell from its image": (
        alumina(("0 0 0.3522", "0.03 0.01 0.3522")),
        "from its own image",
    ),
    "atoms too close": (alumina(tail="Cr1 Cr 0.2 0 0.25 1 0.4\n"), "O1 and Cr1 are 0.51 Å apart"),
    "unknown element": (alumina(("Al1 Al", "M1 M")), "unknown element"),
    "atom without place": (alumina(("0 0 0.3522", "? ? ?")), "no coordinates at Al1"),
    "contents against formula": (
        alumina(head="_chemical_formula_sum 'Al2 O4'\n"),
        "the cell holds Al2O3, the formula says AlO2",
    ),
    "contents against Z": (
        alumina(head="_chemical_formula_sum 'Al2 O3'\n_cell_formula_units_Z 4\n"),
        "the cell holds 6 formula units of Al2O3, Z says 4",
    ),
    "two origins that may both be meant": (silicon(0), "two origins"),
    "magnetic": (
        alumina(head="_space_group_magn.number_BNS 167.107\n"),
        "magnetic structure (_space_group_magn.number_BNS)",
    ),
    "modulated": (alumina(head="_cell_modulation_dimension 1\n"), "modulated structure"),
    "Cartesian in an oblique cell": (
        CARTESIAN.replace("gamma 90", "gamma 120").replace("F m -3 m", "P 1"),
        "not how they lie",
    ),
    "cut in a row": (CORUNDUM.cif[: CORUNDUM.cif.index("0.25")], "is not a CIF: line 10"),
    "no atoms": (CORUNDUM.cif.split("loop_")[0], "has no atoms"),
    "a row of nothing": (salt(rows="? ? ? ? ?"), "has no atoms"),
    "a pattern": ("data_p\nloop_\n_pd_meas_counts_total\n1\n2\n", "has no atoms"),
}


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def read(folder, text):
    """What `refine --cif` gets, and what `store add` gets, of one file."""
    path = folder / "sample.cif"
    path.write_bytes(as_bytes(text))
    return cif_files.read_structure(path), cif_files.read_file(str(path), "sample.cif")


@pytest.mark.parametrize("kind", READ)
def test_a_file_is_read_as_what_it_means(tmp_path, kind):
    text, right = READ[kind]
    structure, stored = read(tmp_path, text)
    entry = stored.entries[0]
    assert right.faults(entry.described, structure.notes) == []
    # both verbs got one and the same
    assert structure.cif == entry.cif
    assert set(entry.described.notes) <= set(structure.notes)
    assert structure.name == "sample"


@pytest.mark.parametrize("kind", READ)
def test_what_was_read_means_the_same_to_whoever_reads_it_again(tmp_path, kind):
    first, stored = read(tmp_path, READ[kind][0])
    again, twice = read(tmp_path, first.cif)
    assert not [note for note in again.notes if "deuterium" not in note]
    assert again.cif == first.cif
    assert twice.entries[0].described.density == pytest.approx(
        stored.entries[0].described.density, rel=1e-5
    )


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_cannot_be_trusted_is_refused_in_the_same_words(tmp_path, kind):
    text, reason = REFUSED[kind]
    path = tmp_path / "sample.cif"
    path.write_bytes(as_bytes(text))
    with pytest.raises(InputError) as refused:
        cif_files.read_structure(path)
    assert reason in refused.value.what
    assert refused.value.where.startswith(str(path))
    assert refused.value.remedy
    try:
        said = cif_files.read_file(str(path), str(path)).refused[0]
    except InputError as fault:
        said = str(fault)
    assert said == str(refused.value)
