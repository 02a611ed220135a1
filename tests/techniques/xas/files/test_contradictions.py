"""Sources of one value within a file: energies, angles, edges, names; contradictions are said."""

from __future__ import annotations

import numpy as np
import pytest
from support import xas_files as made
from support.xas_files import ENERGY, FLUORESCENCE, I0, IF, IT, MU

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import FileOptions, columns_of

T = np.log(I0 / IT)


@pytest.fixture
def read(tmp_path):
    def reading(content, columns=""):
        path = tmp_path / "scan.dat"
        path.write_text(content)
        named = columns_of(columns) if columns else {}
        return read_measured(path, None, FileOptions(columns=named))

    return reading


SPACING = made.D_SPACING + 0 * ENERGY
FE = "# Element.symbol: Fe\n# Element.edge: K\n"


@pytest.mark.parametrize(
    ("heading", "angle", "spacing", "asked"),
    [
        ("# 2theta d_spacing i0 it", 2 * made.ANGLE, SPACING, ""),
        ("# angle d_spacing i0 it", made.ANGLE, SPACING, ""),
        ("# theta d_spacing_nm i0 it", made.ANGLE, SPACING / 10, ""),
        (FE + "# angle d_spacing i0 it", made.ANGLE, SPACING, ""),
        (FE + "# angle d_spacing i0 it", 2 * made.ANGLE, SPACING, "two_theta=1,i0=3,it=4"),
    ],
)
def test_angles_become_energies_with_a_column_of_d(read, heading, angle, spacing, asked):
    found = read(made.headed(heading, angle, spacing, I0, IT), columns=asked)
    assert found.technique == "xas"
    np.testing.assert_allclose(found.x, ENERGY)


@pytest.mark.parametrize(
    ("head", "angle", "says"),
    [
        (
            FE,
            2 * made.ANGLE,
            "as θ is 3629.51 to 3886.3 eV, as 2θ 6960 to 7497.5 eV, where",
        ),
        ("# d_spacing 1.92\n", made.ANGLE, "says d = 3.1356 Å, the head 1.92 Å"),
    ],
)
def test_angles_that_contradict_the_head_are_asked_about(read, head, angle, says):
    with pytest.raises(InputError, match=says):
        read(made.headed(f"{head}# angle d_spacing i0 it", angle, SPACING, I0, IT))


@pytest.mark.parametrize("element", ["Cu", "Mn"])
def test_an_edge_of_the_head_that_is_not_where_the_data_rise_is_said(read, element):
    head = f"# Element.symbol: {element}\n# Element.edge: K\n# energy i0 it"
    said = " ".join(read(made.headed(head, ENERGY, I0, IT)).notes)
    assert "and rises at 7119.6 eV, where Fe K lies: if that was measured, say --edge Fe-K" in said


def test_currents_that_were_swapped_are_said_with_the_columns_that_mend_it(read):
    content = made.headed("# energy i0 it", ENERGY, IT, I0)
    found = read(content)
    remedy = "energy=1,i0=3,it=2"
    assert any("upside down" in note and f"--columns {remedy}" in note for note in found.notes)
    assert not any("upside down" in note for note in read(content, columns=remedy).notes)


def test_a_ratio_of_the_file_is_taken_before_sums_of_its_elements(read):
    columns = (ENERGY, I0, 1.1 * FLUORESCENCE, IF, IF / 2)
    for name in ("fluo/i0", "if/i0", "mufluor", "roi_over_i0"):
        found = read(made.headed(f"# energy i0 {name} roi1 roi2", *columns))
        np.testing.assert_allclose(found.y, 1.1 * FLUORESCENCE)
        assert any("is not Σ(roi1, roi2)/i0; it was taken" in note for note in found.notes)


@pytest.mark.parametrize(
    ("heading", "columns", "says"),
    [
        ("# relative_energy mu", (ENERGY - 6800, MU), "say --technique"),
        ("# energy(Ry) mu", (ENERGY / 13.6057, MU), "are in ry, neither eV nor keV"),
        ("# energy(meV) mu", (ENERGY * 1e3, MU), "are in mev"),
        ("# Mono: Si(311)\n# d_spacing 3.1356\n# theta i0 it", (made.ANGLE, I0, IT), "of 1.6375"),
    ],
)
def test_energies_of_another_zero_or_unit_are_refused(read, heading, columns, says):
    with pytest.raises(InputError, match=says):
        read(made.headed(heading, *columns))


@pytest.mark.parametrize(
    ("heading", "columns", "says"),
    [
        (
            "# wavenumber mu",
            (ENERGY, MU),
            "column 1 is named 'wavenumber', and was taken as energy",
        ),
        ("# e norm_deriv", (ENERGY, MU), "column 2 is named 'norm_deriv', and was taken as µ"),
        ("# energy ion1 ion2", (ENERGY, I0, IT), "no column is called I0: where the sample stands"),
    ],
)
def test_what_was_taken_against_its_name_is_said(read, heading, columns, says):
    assert any(says in note for note in read(made.headed(heading, *columns)).notes)


def test_a_column_of_errors_belongs_to_the_only_mu(read):
    found = read(made.headed("# energy xmu err", ENERGY, MU, 0.01 * MU))
    np.testing.assert_allclose(found.sigma, 0.01 * MU, rtol=1e-6)


def test_a_last_row_that_was_cut_off_is_left_out(read):
    whole = made.headed("# energy i0 it", ENERGY, I0, IT)
    assert read(whole[:-1]).x.size == ENERGY.size
    found = read(whole[:-4])
    assert found.x.size == ENERGY.size - 1
    assert "the file ends within it" in found.reading.dropped[0]


@pytest.mark.parametrize("names", ["energy it i0", "i0 energy it"])
def test_a_head_of_xdi_and_its_line_of_names_must_agree(read, names):
    content = made.xdi(("energy eV", "i0", "it")).replace("#----", f"#----\n# {names}")
    with pytest.raises(InputError, match="the line of names calls it"):
        read(content)
    assert read(content.replace(names, "energy i0 it")).x.size == ENERGY.size


@pytest.mark.parametrize(
    ("heading", "columns", "says"),
    [
        ("# energy mu i0 it", (ENERGY, 2 * T, I0, IT), "2 mu is 2 × ln(i0/it)"),
        ("# energy I0(nA) It(pA)", (ENERGY, I0, 1e3 * IT), "µ is below zero everywhere"),
        ("# energy(keV) energy(eV) mu", (ENERGY / 1e3, ENERGY + 50, MU), "up to 50 eV off"),
        (
            "# d_spacing 3.1356\n# energy angle i0 it",
            (ENERGY, 1.01 * made.ANGLE, I0, IT),
            "2 angle at d = 3.1356 Å is 6893.02 eV where the energy is 6960 eV",
        ),
    ],
)
def test_columns_that_contradict_each_other_are_said(read, heading, columns, says):
    assert any(says in note for note in read(made.headed(heading, *columns)).notes)
    silent = made.headed("# d_spacing 3.1356\n# energy angle i0 it", ENERGY, made.ANGLE, I0, IT)
    assert not read(silent).notes
