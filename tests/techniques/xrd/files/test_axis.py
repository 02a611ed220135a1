"""Positions in any unit become increasing 2θ, and every step is said."""

from __future__ import annotations

import numpy as np
import pytest
from support.powder_files import COUNTS, CU, X, chi, nexus, read, rows

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.files.axis import unit_of

Q = 4 * np.pi * np.sin(np.radians(X / 2)) / CU[0]
D = 2 * np.pi / Q


@pytest.mark.parametrize(
    ("heading", "x", "options", "said"),
    [
        ("Q(1/Angstrom) I", Q, {"wavelengths_angstrom": CU}, "Q [1/A], made 2θ with 1.540598 Å"),
        ("Q (Å⁻¹) Intensity", Q, {"wavelengths_angstrom": CU[:1]}, "Q [1/A]"),
        ("q_nm^-1 counts", 10 * Q, {"unit": "nm^-1", "wavelengths_angstrom": CU[:1]}, "Q [1/nm]"),
        ("#  q_nm^-1    I", 10 * Q, {"wavelengths_angstrom": CU[:1]}, "Q [1/nm]"),
        ("# q_A^-1 I", Q, {"wavelengths_angstrom": CU[:1]}, "Q [1/A]"),
        ("#  2th_deg    I", X, {}, "2θ [deg]"),
        ("q[nm-1] counts", 10 * Q, {"wavelengths_angstrom": CU[:1]}, "Q [1/nm]"),
        ("d(Angstrom) I", D, {"wavelengths_angstrom": CU}, "of --wavelength"),
        ("d-spacing[nm],I", D / 10, {"wavelengths_angstrom": CU}, "d [nm]"),
        ("# wavelength = 1.540598\n# Q(1/A) I", Q, {}, "of the heading of the file"),
        ("", Q, {"unit": "1/A", "wavelengths_angstrom": CU}, "Q [1/A]"),
        ("", D, {"columns": {"d": (1,)}, "wavelengths_angstrom": CU}, "d [A]"),
        ("", 100 * X, {"unit": "centideg"}, "2θ [centideg] × 0.01"),
        ("", 1000 * X, {"unit": "mdeg"}, "2θ [mdeg] × 0.001"),
        ("", X / 2, {"columns": {"theta": (1,)}}, "θ [deg] × 2"),
    ],
)
def test_positions_become_two_theta(tmp_path, heading, x, options, said):
    separator = "," if "," in heading else " "
    found = read(tmp_path, rows(x, COUNTS, separator=separator, heading=heading), **options)
    np.testing.assert_allclose(found.x, X, atol=1e-6)
    np.testing.assert_allclose(found.y, COUNTS)
    assert said in found.reading.unit


def test_anodes_and_formats_give_the_wavelength_too(tmp_path):
    table = rows(Q, COUNTS, heading="Q(1/A) I")
    found = read(tmp_path, table, anode="Cu")
    np.testing.assert_allclose(found.x, X, atol=2e-4)
    assert found.reading.wavelengths_from == "--anode Cu"
    found = read(tmp_path, chi("Q (1/nm)", 10 * Q), wavelengths_angstrom=CU)
    np.testing.assert_allclose(found.x, X, atol=1e-6)
    assert read(tmp_path, nexus()).x[0] == 20.0


@pytest.mark.parametrize(
    ("text", "options", "says", "remedy"),
    [
        (rows(Q, COUNTS, heading="Q(1/A) I"), {}, r"the axis is Q \[1/A\]", "--wavelength"),
        (rows(D, COUNTS, heading="d(A) I"), {}, r"the axis is d \[A\]", "--anode"),
        (
            rows(10 * Q, COUNTS, heading="Q counts"),
            {"wavelengths_angstrom": CU},
            "cannot be reached with 1.5406",
            "--unit 1/nm",
        ),
        (rows(100 * X, COUNTS), {}, "2000 to 2300 is not a 2θ range", "centideg"),
        (rows(X, COUNTS), {"unit": "keV"}, "no unit 'keV'", "known are deg"),
        (
            rows(X, COUNTS, heading="2theta(deg) I"),
            {"unit": "nm"},
            "'nm' is no unit of 2θ",
            "known are",
        ),
        (
            rows(X, COUNTS, heading="2theta(deg) I"),
            {"unit": "mdeg"},
            "gives 2θ in deg, not in mdeg",
            "leave --unit out",
        ),
        (rows(np.roll(X, 30), COUNTS), {}, "2θ goes from 23 to 20, 1 times so", "one scan"),
        (
            rows(np.append(X, 23.0), np.append(COUNTS, 1)),
            {},
            "2θ goes from 23 to 23",
            "one value per point",
        ),
        (rows(X - 300, COUNTS), {}, "is not a 2θ range", "--columns"),
    ],
)
def test_what_cannot_be_two_theta_is_refused(tmp_path, text, options, says, remedy):
    with pytest.raises(InputError, match=says) as refused:
        read(tmp_path, text, **options)
    assert remedy in refused.value.remedy


def test_descending_scans_are_turned_round_and_uneven_ones_are_data(tmp_path):
    sigma = 1.2 * np.sqrt(COUNTS)
    text = rows(X[::-1], COUNTS[::-1], sigma[::-1], heading="2theta I sigma")
    found = read(tmp_path, text)
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.sigma, sigma)
    assert any("descends" in note for note in found.notes)
    kept = np.delete(np.arange(61), [3, 4, 17, 30, 31, 32, 33])
    gaps = read(tmp_path, rows(X[kept], COUNTS[kept]))
    np.testing.assert_array_equal(gaps.x, X[kept])
    assert not gaps.notes


def test_a_point_that_stands_there_twice_counts_once(tmp_path):
    again = np.insert(np.arange(61), 9, 9)
    found = read(tmp_path, rows(X[again], COUNTS[again]))
    np.testing.assert_allclose(found.x, X)
    assert any("twice" in note for note in found.notes)


def test_visits_of_known_time_are_added(tmp_path):
    again = np.concatenate([np.arange(61), np.arange(20, 40)])
    seconds = np.full(again.size, 2.0)
    found = read(tmp_path, rows(X[again], COUNTS[again], seconds, heading="2theta counts time"))
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, COUNTS)
    expected = np.sqrt(COUNTS / np.where((X[20] <= X) & (X[40] > X), 2, 1))
    np.testing.assert_allclose(found.sigma, expected)


@pytest.mark.parametrize(
    ("word", "unit"),
    [
        ("Å⁻¹", "1/A"),
        ("Angstrom^-1", "1/A"),
        ("A-1", "1/A"),
        ("nm^{-1}", "1/nm"),
        ("Ångström", "A"),
        ("Degrees", "deg"),
        ("°2Th.", "deg"),
        ("", ""),
        ("keV", None),
    ],
)
def test_units_are_known_by_their_spellings(word, unit):
    assert unit_of(word) == unit
