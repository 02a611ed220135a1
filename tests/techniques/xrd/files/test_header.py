"""Text above the rows: radiation, energies, and words that make counts other than they seem."""

from __future__ import annotations

import pytest
from support.powder_files import COUNTS, X, read, rows

from materialsdock.techniques.xrd.files.header import header_of


@pytest.mark.parametrize(
    ("heading", "found", "anode", "alone"),
    [
        ("# wavelength 1,5406 A", (1.5406,), "", False),
        ("# energy 17.0 keV", (0.729319,), "", False),
        ("# E = 17 keV", (0.729319,), "", False),
        ("# threshold energy 8 keV", (), "", False),
        ("# ring energy 6000000 keV", (), "", False),
        ("# lambda/2 filter 5", (), "", False),
        ("# Wavelength range 0.4 to 2", (), "", False),
        ("# Cu Kalpha radiation", (), "Cu", False),
        ("# Fe K absorption", (), "", False),
        ("# Fe Ka fluorescence", (), "", False),
        ("# Radiation: CoKa1", (1.788996,), "Co", True),
        ("# CuKα1 λ=1.54056, 40 kV", (1.54056,), "Cu", True),
        ("# Cu Ka1", (1.5405929,), "Cu", True),
        ("# Cu Ka1,2", (), "Cu", False),
        ("# Cu Ka1+Ka2", (), "Cu", False),
        ("# Cu Ka12", (), "Cu", False),
        ("# K-alpha2 stripped, wavelength 1.5406, anode Cu", (1.5406,), "Cu", True),
        ("# background removed; anode Cu, wavelength 1.5406", (1.5406,), "Cu", False),
    ],
)
def test_headings_name_the_radiation(heading, found, anode, alone):
    stated = header_of([heading]).stated
    assert stated.wavelengths_angstrom == pytest.approx(found, abs=1e-5)
    assert (stated.anode, stated.alone) == (anode, alone)


@pytest.mark.parametrize(
    ("heading", "says"),
    [
        ("# neutron wavelength 1.5406 A", "'neutron': everything here takes X-rays"),
        ("# smoothed by 5 points", "'smoothed': neighbouring points are not independent"),
        ("# background subtracted", "'background subtracted': what was counted is not known"),
        ("# Kα2 stripped", "'Kα2 stripped': σ is larger"),
        ("# zero shift: 0.1 deg", "'zero shift: 0.1': it was not applied"),
        ("# wavelength 0.15406", "would be Kα of Cu in nm"),
    ],
)
def test_words_that_make_numbers_doubtful_are_said(tmp_path, heading, says):
    notes = read(tmp_path, f"{heading}\n{rows(X, COUNTS)}").notes
    assert any(says in note for note in notes)
    assert not read(tmp_path, f"# smoothing: no\n{rows(X, COUNTS)}").notes
