"""Energy, signal, rows and edge: chosen by the file, by the user, or asked."""

from __future__ import annotations

import numpy as np
import pytest
from support import xas_files as made
from support.xas_files import ENERGY, FLUORESCENCE, I0, IF, IR, IT, MU, SHARES, TIME

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import FileOptions, columns_of

T = np.log(I0 / IT)
NOISE = np.random.default_rng(3).normal(size=ENERGY.size)
BARE = made.rows(ENERGY, TIME, I0, IT, IF, IF / 3, T)


@pytest.fixture
def read(tmp_path):
    def reading(content, technique=None, columns="", **asked):
        path = tmp_path / "scan.dat"
        path.write_text(content)
        named = columns_of(columns) if columns else {}
        return read_measured(path, technique, FileOptions(columns=named, **asked))

    return reading


@pytest.mark.parametrize(
    ("columns", "y", "signal"),
    [
        ("energy=1,mu=7", T, "µ as in column 7"),
        ("energy=1,i0=3,it=4", T, "transmission ln(column 3/column 4)"),
        ("energy=1,i0=3,if=5", IF / I0, "fluorescence column 5/column 3"),
        ("energy=1,i0=3,if=5+6", IF / I0 * 4 / 3, "fluorescence Σ(column 5, column 6)/column 3"),
        ("energy=1,i0=3,iy=5", IF / I0, "electron yield column 5/column 3"),
    ],
)
def test_a_user_names_the_columns(read, columns, y, signal):
    found = read(BARE, columns=columns)
    assert found.technique == "xas"
    assert found.reading.signal == signal
    np.testing.assert_allclose(found.y, y, rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("energy=1,nu=7", "'nu' is no quantity, known are energy, angle, two_theta, mu"),
        ("energy=1,mu=8", "column 8 is asked for, the file has 7"),
        ("energy=1+2,mu=7", "energy is 2 columns; only channels of fluorescence are added"),
        ("energy=1,it=4", "they hold no µ, nor i0 with a detector"),
        ("energy=2,mu=7", "energies run from 1 to 1 without a unit"),
        ("mu=7", "no column is named energy"),
        ("energy=7,mu=1", "energies run from .* without a unit, which may be keV"),
        ("angle=1,i0=3,it=4", "whose d-spacing is not named"),
    ],
)
def test_columns_that_cannot_be_are_refused(read, columns, says):
    with pytest.raises(InputError, match=says):
        read(BARE, "xas", columns=columns)


def test_more_bare_columns_than_two_are_asked_for(read):
    with pytest.raises(InputError) as refused:
        read(BARE)
    assert "column 7 is ln(3/4)" in refused.value.what
    assert "--columns energy=1,i0=3,it=4" in refused.value.remedy
    found = read(made.rows(ENERGY, MU))
    assert (found.kind, found.reading.signal) == ("columns: energy, µ", "µ as in column 2")


def test_a_user_says_what_a_column_of_a_named_file_is(read):
    content = made.headed("# energy a b i0", ENERGY, IT, IF, I0)
    with pytest.raises(InputError, match="no µ, nor i0 with a detector; its columns are 1 energy"):
        read(content)
    found = read(content, columns="if=3")
    np.testing.assert_allclose(found.y, FLUORESCENCE, rtol=1e-6)
    assert found.reading.columns[1:] == ("4 i0 as I0", "3 b as fluorescence")


@pytest.mark.parametrize(
    ("content", "asked", "unit"),
    [
        (made.rows(ENERGY / 1000, MU), "keV", "keV × 1000"),
        (made.headed("# energy mu", ENERGY / 1000, MU), "keV", "keV × 1000"),
        (made.headed("# energy_keV mu", ENERGY, MU), "eV", "eV"),
        (made.headed("# theta i0 it", made.ANGLE, I0, IT), "deg 3.1356", "deg, E = hc"),
        (made.headed("# theta i0 it", made.ANGLE * 1000, I0, IT), "mdeg 3.1356", "mdeg, E = hc"),
        (made.headed("# Mono Si(111)\n# theta i0 it", made.ANGLE, I0, IT), "", "deg, E = hc"),
    ],
)
def test_units_are_read_or_said(read, content, asked, unit):
    found = read(content, unit=asked)
    assert found.reading.unit.startswith(unit)
    np.testing.assert_allclose(found.x, ENERGY, atol=0.3)  # Si(111) is 3.1356 Å to 4 digits


@pytest.mark.parametrize(
    ("content", "asked", "says"),
    [
        (made.rows(ENERGY / 1000, MU), "", "without a unit, which may be keV.*--unit keV"),
        (made.headed("# energy mu", ENERGY / 1000, MU), "", "which may be keV"),
        (made.headed("# energy_eV mu", ENERGY / 1000, MU), "", "run from 6.96 .*--unit keV"),
        (made.headed("# energy_keV mu", ENERGY, MU), "", "run from 6960 to 7497.5 keV.*--unit eV"),
        (made.headed("# theta i0 it", made.ANGLE, I0, IT), "", "d-spacing is not named.*--unit"),
        (made.headed("# theta i0 it", made.ANGLE, I0, IT), "mdeg 3.1356", "HERE"),
        (made.headed("# energy mu", ENERGY, MU), "furlong", "unit 'furlong' is not known"),
    ],
)
def test_units_that_cannot_be_told_are_asked(read, content, asked, says):
    if says == "HERE":  # a thousandth of the angle is a thousand times the energy
        assert read(content, "xas", unit="deg 3.1356").x[0] == pytest.approx(6960, abs=0.1)
        says = "run from"
    with pytest.raises(InputError, match=says):
        read(content, "xas", unit=asked)


def test_what_was_read_back_comes_before_what_was_requested(read):
    columns = (ENERGY, ENERGY + 0.2, MU)
    found = read(made.headed("# requested_energy energy_readback mu", *columns))
    assert found.reading.columns[0] == "2 energy_readback as energy"
    assert "there is 1 requested_energy, up to 0.2 off" in found.notes[0]
    found = read(made.headed("# requested_energy energy_readback mu", ENERGY, ENERGY, MU))
    assert not [note for note in found.notes if " off" in note]
    found = read(made.headed("# energy_readback energy mu", *columns))
    assert found.reading.columns[0] == "2 energy as energy"


def test_of_two_signals_the_clearer_is_taken_and_the_other_said(read):
    noisy = np.round(IT * (1 + 0.05 * NOISE))
    both = "# energy i0 it if"
    found = read(made.headed(both, ENERGY, I0, IT, IF))
    assert found.reading.signal == "transmission ln(i0/it)"
    assert "beside it lies fluorescence if/i0 (edge step " in found.notes[0]
    assert found.notes[0].endswith("--signal fluorescence")
    found = read(made.headed(both, ENERGY, I0, noisy, IF))
    assert found.reading.signal == "fluorescence if/i0"
    found = read(made.headed(both, ENERGY, I0, noisy, IF), signal="transmission")
    assert found.reading.signal == "transmission ln(i0/it)"


@pytest.mark.parametrize(
    ("line", "columns", "signal"),
    [
        ("# energy i0 it ir", (ENERGY, I0, IT, IR), "transmission ln(i0/it)"),
        ("# energy i0 it if", (ENERGY, I0, 0 * I0, IF), "fluorescence if/i0"),
        ("# energy i0 it if", (ENERGY, I0, 5 * NOISE, IF), "fluorescence if/i0"),
        ("# energy i0 it if", (ENERGY, I0, IT, 0 * I0), "transmission ln(i0/it)"),
        ("# energy i0 fl_1 flatot", (ENERGY, I0, IF, 3 * IF), "fluorescence fl_1/i0"),
        ("# energy i0 flatot", (ENERGY, I0, IF), "fluorescence flatot/i0"),
        ("# energy i0 tey", (ENERGY, I0, IF), "electron yield tey/i0"),
        ("# energy tey", (ENERGY, IF), "electron yield tey"),
        ("# energy i0 xmu", (ENERGY, I0, MU), "µ as in column 3 xmu"),
        ("# energy mufluor", (ENERGY, MU), "fluorescence as in column 2 mufluor"),
        ("# energy norm mu", (ENERGY, MU, MU), "µ as in column 3 mu"),
    ],
)
def test_an_empty_channel_is_no_signal(read, line, columns, signal):
    assert read(made.headed(line, *columns)).reading.signal == signal


@pytest.mark.parametrize(
    ("line", "columns", "asked", "says"),
    [
        ("# energy i0 it", (ENERGY, 0 * I0, IT), "", "no µ, nor i0"),
        ("# energy i0 it", (ENERGY, I0, 0 * IT), "", "no µ, nor i0"),
        ("# energy mu", (ENERGY, 0 * MU + 3), "", "no µ, nor i0"),
        ("# energy i0 it", (ENERGY, I0, IT), "yield", "they hold no electron yield, but transm"),
        ("# energy i0 it", (ENERGY, I0, IT), "neutron", "signal 'neutron' is not known"),
        ("# energy mu", (ENERGY, 1000 * MU), "", "which cannot be µ.*--signal fluorescence"),
    ],
)
def test_no_signal_is_asked_for(read, line, columns, asked, says):
    with pytest.raises(InputError, match=says):
        read(made.headed(line, *columns), signal=asked)


def test_counts_that_the_user_calls_fluorescence_are_taken(read):
    found = read(made.headed("# energy mu", ENERGY, 1000 * MU), signal="fluorescence")
    assert found.reading.signal.startswith("fluorescence as in column 2")


def test_channels_are_added_with_their_dead_time_and_without_the_dead(read):
    parts = [IF * share / (1 + i / 10) for i, share in enumerate(SHARES)]
    rates = [1e4 * (1 + i / 10) + 0 * IF for i in range(4)]
    names = [f"ROI{i} ICR{i} OCR{i}" for i in range(1, 5)]
    columns = [c for i in range(4) for c in (parts[i], rates[i], 1e4 + 0 * IF)]
    line = "# energy i0 " + " ".join(names)
    found = read(made.headed(line, ENERGY, I0, *columns))
    np.testing.assert_allclose(found.y, FLUORESCENCE, rtol=1e-6)
    assert "dead time was corrected by input over output count rate" in found.notes
    columns[3] = 0 * IF
    found = read(made.headed(line, ENERGY, I0, *columns))
    np.testing.assert_allclose(found.y, FLUORESCENCE * (1 - SHARES[1]), rtol=1e-6)
    assert "6 ROI2: no counts, left out" in found.notes


def test_a_user_chooses_elements_of_a_detector_and_their_dead_time_is_corrected(read):
    parts = [IF * share / (1 + i / 10) for i, share in enumerate(SHARES)]
    rates = [1e4 * (1 + i / 10) + 0 * IF for i in range(4)]
    names = [f"ROI{i} ICR{i} OCR{i}" for i in range(1, 5)]
    columns = [c for i in range(4) for c in (parts[i], rates[i], 1e4 + 0 * IF)]
    line = "# energy i0 " + " ".join(names)
    found = read(made.headed(line, ENERGY, I0, *columns), columns="if=3+9")
    np.testing.assert_allclose(found.y, FLUORESCENCE * (SHARES[0] + SHARES[2]), rtol=1e-6)
    assert found.reading.signal == "fluorescence Σ(ROI1, ROI3)/i0"
    lines = made.headed("# energy i0 FeKa_mca1 CuKa_mca1 DTC1", ENERGY, I0, IF, IF, IF)
    np.testing.assert_allclose(read(lines, columns="if=3+4+5").y, 3 * FLUORESCENCE, rtol=1e-6)


def test_the_line_of_the_element_is_taken_among_several(read):
    head = "# Element: Fe\n# Edge: K\n# energy i0 CuKa_Sum FeKa_Sum Total_Sum"
    found = read(made.headed(head, ENERGY, I0, 3 * IF, IF, 9 * IF))
    assert found.reading.signal == "fluorescence FeKa_Sum/i0"


def test_rows_that_hold_no_measurement_are_left_out_and_counted(read):
    i0, it = I0.copy(), IT.copy()
    i0[[3, 7]], it[9] = 0.0, np.nan
    found = read(made.headed("# energy i0 it", ENERGY, i0, it))
    assert found.x.size == ENERGY.size - 3
    assert found.reading.dropped == (
        f"1 of {ENERGY.size} rows: not finite, first in line 11",
        f"2 of {ENERGY.size - 1} rows: i0 or it ≤ 0, first in line 5",
    )
    it[:100] = -it[:100]
    with pytest.raises(InputError, match="no µ, nor i0 with a detector"):
        read(made.headed("# energy i0 it", ENERGY, i0, it))
    it = IT.copy()
    it[:68] = np.nan
    with pytest.raises(InputError, match="line 2: 68 of 268 rows: not finite, first in line 2"):
        read(made.headed("# energy i0 it", ENERGY, I0, it))


def test_scans_behind_each_other_are_asked_for(read):
    twice = made.headed("# energy mu", np.tile(ENERGY, 2), np.concatenate([MU, MU + 1]))
    there_and_back = made.rows(np.r_[ENERGY, ENERGY[::-1]], np.concatenate([MU, MU[::-1] + 1]))
    for content in (twice, there_and_back):
        with pytest.raises(InputError, match=r"2 scans lie behind each other.*--scan 1"):
            read(content)
        found = read(content, scan=2)
        assert found.reading.scan == "2 of 2"
        assert abs(found.x.size - ENERGY.size) <= 1
        np.testing.assert_allclose(found.y[5:-5], MU[5:-5] + 1, rtol=1e-6)
        with pytest.raises(InputError, match="there is no scan 3, the file holds 2"):
            read(content, scan=3)


def test_jitter_and_repeated_energies_are_one_scan(read):
    shaky = ENERGY + np.where(np.arange(ENERGY.size) % 9 == 0, -0.8, 0.0)
    assert read(made.rows(shaky, MU)).reading.scan == ""
    found = read(made.rows(np.repeat(ENERGY, 2), np.repeat(MU, 2)))
    np.testing.assert_allclose(found.y, MU, rtol=1e-6)
    assert f"merged to {ENERGY.size} energies" in found.notes[-1]


@pytest.mark.parametrize(
    ("head", "asked", "edge", "says"),
    [
        ("", "", "Fe K", ""),
        ("# E0: 7112 eV\n", "", "Fe K", ""),
        ("# Element=Fe   Edge=K\n", "", "Fe K", ""),
        ("# Element: Cu\n# Edge: K\n", "", "Cu K", "no edge inside: Cu K is at 89"),
        ("", "fe-k", "Fe K", ""),
    ],
)
def test_the_edge_is_named_by_the_file_or_by_its_energy(read, head, asked, edge, says):
    found = read(made.headed(f"{head}# energy mu", ENERGY, MU), edge=asked)
    assert found.reading.edge == edge
    assert any(says in note for note in found.notes) if says else not found.notes


def test_an_edge_that_is_not_that_of_the_spectrum_is_refused(read):
    with pytest.raises(InputError, match=r"Mn K is at 65\d\d.*rises at 71"):
        read(made.headed("# energy mu", ENERGY, MU), edge="Mn K")


def test_a_scan_without_an_edge_says_so(read):
    before = ENERGY < 7105
    found = read(made.headed("# Element: Fe\n# Edge: K\n# energy mu", ENERGY[before], MU[before]))
    assert found.reading.edge == "Fe K"
    assert found.notes == (
        "no edge inside: Fe K is at 7112 eV, the scan runs from 6960 to 7104.5 eV",
    )
    found = read(made.headed("# energy mu", ENERGY, 1 - 1e-5 * (ENERGY - 7000)))
    assert (found.reading.edge, found.notes) == ("", ("no clear edge was found",))


def test_a_standard_deviation_is_taken_where_it_says_so(read):
    names = ("energy eV", "mutrans", "mutrans_sd")
    found = read(made.xdi(names, (ENERGY, MU, 0.01 * MU)))
    np.testing.assert_allclose(found.sigma, 0.01 * MU, rtol=1e-6)
    assert found.reading.columns[-1] == "3 mutrans_sd as standard deviation"
    assert read(made.xdi(names, (ENERGY, MU, 0 * MU))).sigma is None
    found = read(made.rows(ENERGY, MU, 0.02 * MU), columns="energy=1,mu=2,sigma=3")
    np.testing.assert_allclose(found.sigma, 0.02 * MU, rtol=1e-6)
    assert found.reading.sigma_from == "a column of the file"
