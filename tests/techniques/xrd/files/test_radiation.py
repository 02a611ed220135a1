"""Wavelengths: of the file, of the user, of the profile; contradictions are errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.places import SHARED
from support.powder_files import COUNTS, CU, X, cpi, ras, raw_v3, read, rows, uxd, xrdml

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.files import anodes
from materialsdock.techniques.xrd.files.header import header_of
from materialsdock.techniques.xrd.files.instrument import full_width, read_instrument
from materialsdock.techniques.xrd.files.radiation import diffractometer_for
from materialsdock.techniques.xrd.model import Diffractometer, Radiation

PLAIN = rows(X, COUNTS)
GSAS2 = """#GSAS-II instrument parameter file; do not add/delete items!
Type:PXC
Bank:1.0
Lam1:1.5405
Lam2:1.5443
Zero:0.01
Polariz.:0.7
Azimuth:0.0
I(L2)/I(L1):0.48
U:2.0
V:-2.0
W:5.0
X:1.0
Y:3.0
Z:0.0
SH/L:0.002
"""
GSAS = """            123456789012345678901234567890123456789012345678901234567890
INS   BANK      1
INS   HTYPE   PXCR
INS  1 IRAD     3
INS  1 ICONS  1.540500  1.544300       0.0         0       0.7    0       0.5
INS  1I HEAD  DUMMY INCIDENT SPECTRUM FOR X-RAY DIFFRACTOMETER
INS  1I ITYP    0    0.0000  180.0000         1
INS  1PRCF1     3    8      0.01
INS  1PRCF11   2.000000E+00  -2.000000E+00   5.000000E+00   0.000000E+00
INS  1PRCF12   1.000000E+00   3.000000E+00   0.150000E-01   0.250000E-01
"""


@pytest.mark.parametrize(
    ("heading", "found"),
    [
        ("# wavelength = 0.68870 Angstrom, synchrotron", (0.6887,)),
        ("# 11-BM like, Calibrated wavelength = 0.4133180", (0.413318,)),
        ("# Wavelength (Å): 1.5406", (1.5406,)),
        ("# lambda: 0.4 A", (0.4,)),
        ("# Wavelength: 4.959e-11 m", (0.4959,)),
        ("# wavelength = 0.0496 nm", (0.496,)),
        ("K-Alpha1 wavelength,1.540598\nK-Alpha2 wavelength,1.544426\nK-Beta wavelength,1.39", CU),
        ("#lambda1: 1.540598\n#lambda2: 1.544426\nRatio K-Alpha2/K-Alpha1,0.5", CU),
        ("# Wavelength: 9.95e-11", (0.995,)),
        ('\'Id: "1" Anode: "Cu" WL1: "1.540598" WL2: "1.544426" TimePerStep: "2"', CU),
        ("# a sample of 2024, 40 kV", ()),
    ],
)
def test_headings_name_wavelengths(heading, found):
    assert header_of(heading.splitlines()).stated.wavelengths_angstrom == pytest.approx(found)


def test_a_wavelength_of_a_plain_file_is_read_with_its_place(tmp_path):
    found = read(tmp_path, "# wavelength = 0.68870 Angstrom, synchrotron\n" + PLAIN)
    assert found.wavelengths_angstrom == (0.6887,)
    assert found.reading.wavelengths_from == "the heading of the file"
    assert read(tmp_path, PLAIN).wavelengths_angstrom is None


@pytest.mark.parametrize(
    ("options", "lines", "source"),
    [
        ({"wavelengths_angstrom": (0.4959,)}, (0.4959,), "--wavelength"),
        ({"anode": "Co"}, (1.788996, 1.792835), "--anode Co"),
        ({"anode": "MoKα"}, (0.70931715, 0.713607), "--anode MoKα"),
        ({"anode": "cu ka1"}, (1.5405929,), "--anode cu ka1"),
    ],
)
def test_options_say_what_a_file_does_not(tmp_path, options, lines, source):
    found = read(tmp_path, PLAIN, **options)
    assert found.wavelengths_angstrom == lines
    assert found.reading.wavelengths_from == source


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (uxd(), {"wavelengths_angstrom": (0.4959,)}, r"0\.4959 Å.*1\.540598 and 1\.544426 Å"),
        (xrdml(), {"anode": "Co"}, r"--anode Co says 1\.788996"),
        (PLAIN, {"anode": "Co", "wavelengths_angstrom": (1.5406,)}, "--anode Co says"),
        (uxd(), {"wavelengths_angstrom": (1.5424,)}, r"1\.5424 Å"),
        (PLAIN, {"wavelengths_angstrom": (1.0, 1.1, 1.2)}, "not one or two wavelengths"),
        (PLAIN, {"wavelengths_angstrom": (12.4,)}, "not one or two wavelengths"),
        (PLAIN, {"anode": "Xx"}, "no anode 'Xx'"),
    ],
)
def test_contradictions_are_errors_with_both_numbers(tmp_path, content, options, says):
    with pytest.raises(InputError, match=says) as refused:
        read(tmp_path, content, **options)
    assert refused.value.remedy


@pytest.mark.parametrize("asked", [(1.5406,), (1.5418,), (1.5406, 1.5444)])
def test_an_option_that_agrees_with_the_file_is_taken(tmp_path, asked):
    found = read(tmp_path, uxd(), wavelengths_angstrom=asked)
    assert found.wavelengths_angstrom == asked
    assert any("the file names 1.540598 and 1.544426 Å" in note for note in found.notes)


def test_a_wavelength_that_is_a_little_off_is_remarked(tmp_path):
    found = read(tmp_path, PLAIN, wavelengths_angstrom=(1.5405, 1.5443))
    assert any("cells come out 0.006 % too small" in note for note in found.notes)
    assert not read(tmp_path, uxd()).notes


@pytest.mark.parametrize(
    "heading", ['\'Comment: "" Anode: "Co"', "Anode material,Co", "# anode = Co"]
)
def test_the_anode_in_a_heading_names_its_lines(tmp_path, heading):
    found = read(tmp_path, f"{heading}\n{PLAIN}")
    assert found.wavelengths_angstrom == (1.788996, 1.792835)
    assert found.reading.wavelengths_from == "anode Co of the file (tables)"


def test_the_anode_of_a_file_completes_what_it_names(tmp_path):
    assert read(tmp_path, cpi()).wavelengths_angstrom == (1.54056, 1.5444274)
    alone = ras().replace('*HW_XG_WAVE_LENGTH_ALPHA2 "1.544414"\n', "")
    found = read(tmp_path, alone)
    assert found.wavelengths_angstrom == (1.540593, 1.5444274)
    assert "Kα2 of its anode Cu" in found.reading.wavelengths_from
    nothing = alone.replace('*HW_XG_WAVE_LENGTH_ALPHA1 "1.540593"\n', "")
    assert read(tmp_path, nothing).reading.wavelengths_from == "anode Cu of the file (tables)"
    assert read(tmp_path, raw_v3()).wavelengths_angstrom == (1.5406,)


@pytest.mark.parametrize(
    ("radiation", "lines", "weights", "says"),
    [
        (Radiation(), CU, (1.0, 0.5), "of the profile, the file names none"),
        (None, CU, (1.0, 0.5), "1.544426 Å of the profile"),
        (Radiation((1.5406,), source="the file"), CU, (1.0, 0.5), "the file names 1.5406 Å alone"),
        (Radiation((1.5418,), source="the file"), CU, (1.0, 0.5), "the file names 1.5418 Å alone"),
        (Radiation((1.5406,), alone=True, source="-"), (1.5406,), (1.0,), "1.5406 Å of -"),
        (Radiation((0.41,), source="the file"), (0.41,), (1.0,), "the profile has 1.540598 and"),
        (Radiation((1.789, 1.793), source="f"), (1.789, 1.793), (1.0, 0.5), "the profile has"),
        (Radiation((1.54, 1.544), (1.0, 0.4), source="f"), (1.54, 1.544), (1.0, 0.4), "of f"),
    ],
)
def test_the_profile_gives_what_nobody_else_does(radiation, lines, weights, says):
    known = Diffractometer(wavelengths_angstrom=CU)
    found, words = diffractometer_for(known, radiation)
    assert found.wavelengths_angstrom == lines
    assert found.weights == weights
    assert says in words


def test_a_profile_of_one_line_takes_the_doublet_of_a_file():
    one = Diffractometer(wavelengths_angstrom=(0.7,), weights=(1.0,))
    assert diffractometer_for(one, Radiation(CU, source="f"))[0].weights == (1.0, 0.5)


@pytest.mark.parametrize(("text", "axial"), [(GSAS2, (0.001, 0.001)), (GSAS, (0.015, 0.025))])
def test_instrument_files_give_radiation_and_widths(tmp_path, text, axial):
    path = tmp_path / "lab.prm"
    path.write_text(text)
    found = read(tmp_path, PLAIN, instrument=path)
    assert found.wavelengths_angstrom == (1.5405, 1.5443)
    assert found.reading.wavelengths_from == "instrument file lab.prm"
    known, _ = diffractometer_for(Diffractometer(), found.about)
    assert known.polarization == 0.7
    assert known.axial == axial
    # FWHM² of a variance of 5 centideg²: 8 ln 2 × 5e-4 deg²
    assert known.widths == pytest.approx(
        (1.10904e-3, -1.10904e-3, 2.77259e-3, 0.01, 0.03), rel=1e-5
    )
    assert known.weights == (1.0, 0.48 if text is GSAS2 else 0.5)
    assert known.zero_deg == (0.01 if text is GSAS2 else 0.0)
    assert known.fwhm_deg == pytest.approx(full_width(known.widths, 60.0))


def test_widths_agree_with_those_of_the_engine(tmp_path):
    from rietx.io.instrument_profile import read_gsas2_instprm

    path = tmp_path / "lab.instprm"
    path.write_text(GSAS2 + "Diff-type:Bragg-Brentano\nGonio.radius:200\n")
    theirs = read_gsas2_instprm(path)
    found, _ = read_instrument(path)
    own = found.instrument
    names = ("u", "v", "w", "x", "y")
    assert own["widths"] == pytest.approx([getattr(theirs.profile, n).value for n in names])
    assert own["axial"][0] == pytest.approx(theirs.geometry.axial_sl.value)
    assert own["geometry"] == theirs.geometry.kind == "bragg_brentano"
    assert own["zero_deg"] == theirs.zero_shift.value


def test_a_gaussian_and_a_lorentzian_have_their_own_width():
    assert full_width((0, 0, 0.01, 0, 0), 60.0) == pytest.approx(0.1)
    assert full_width((0, 0, 0, 0.1, 0), 0.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GSAS2.replace("PXC", "PNC"), r"is for neutrons \(PNC\)"),
        ("#GSAS-II instrument parameter file\nType:PNT\ndifC:22580\n", "is for times of flight"),
        (GSAS2.replace("1.5405", "x"), "Lam1 is 'x'"),
        (GSAS2.replace("1.5405", "154.05"), "names the wavelengths"),
        (GSAS.replace("ICONS", "ICONZ"), "no record"),
        ("hello", "is no instrument parameter file"),
        ("\0\1\2" * 90, "is binary"),
    ],
)
def test_what_is_no_instrument_file_is_refused(tmp_path, text, says):
    path = tmp_path / "lab.prm"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as refused:
        read_instrument(path)
    assert str(path) in refused.value.where
    with pytest.raises(InputError, match="cannot be read"):
        read_instrument(tmp_path / "none.prm")


def test_an_instrument_must_agree_with_the_file(tmp_path):
    path = tmp_path / "lab.instprm"
    path.write_text(GSAS2)
    with pytest.raises(InputError, match=r"instrument file lab\.instprm says 1\.5405"):
        read(tmp_path, "# wavelength = 0.41\n" + PLAIN, instrument=path)
    both = read(tmp_path, PLAIN, instrument=path, wavelengths_angstrom=(1.54059,))
    assert both.wavelengths_angstrom == (1.54059,)
    assert both.about.instrument["polarization"] == 0.7


def test_known_lines_are_those_of_others_within_their_errors():
    xraydb = pytest.importorskip("xraydb")
    for anode, lines in anodes.K_ALPHA.items():
        own = xraydb.xray_lines(anode)
        for line, name in zip(lines, ("Ka1", "Ka2"), strict=True):
            assert line == pytest.approx(12398.4198 / own[name].energy, rel=6e-4)


@pytest.mark.skipif(not (SHARED / "xrd").is_dir(), reason="no measured data beside the checkout")
@pytest.mark.parametrize("name", ["are_tio2/Lab_CuKa.instprm", "gsas2_tutorials/INST_XRY.PRM"])
def test_instrument_files_of_others_are_read(name):
    found, _ = read_instrument(Path(SHARED / "xrd" / name))
    assert found.wavelengths_angstrom == (1.5405, 1.5443)
    assert found.instrument["widths"][2] == pytest.approx(2.77259e-3, rel=1e-5)
    assert replace(found, instrument={}).weights == (1.0, 0.5)
    assert np.isfinite(found.instrument["fwhm_deg"])


@pytest.mark.parametrize(
    ("content", "names", "remedy"),
    [
        (
            "_ANODE=Co\n" + uxd(),
            "1.544426 Å, .* 1.788996 Å .Kα1 of its anode Co",
            "Co",
        ),
        (f"# wavelength 1.5406\n# lambda 0.7093\n{PLAIN}", "1.5406 Å, .* 0.7093 Å", "0.7093"),
        (f"# wavelength 1.5406\n# anode: Mo\n{PLAIN}", "1.5406 Å, .* 0.709", "--anode Mo"),
        (f"# wavelength 1.5406\n# photon energy 12 keV\n{PLAIN}", "1.5406 Å, .* 1.0332", "1.0332"),
        (f"# lambda1 1.5406\n# lambda2 1.789\n{PLAIN}", "1.5406 and 1.789 Å", "--wavelength 1.789"),
    ],
)
def test_wavelengths_of_a_file_that_contradict_each_other_are_asked_about(
    tmp_path, content, names, remedy
):
    with pytest.raises(InputError, match=names) as refused:
        read(tmp_path, content)
    assert refused.value.remedy.startswith("say which: --wavelength 1.540")
    assert remedy in refused.value.remedy


def test_the_user_confirms_one_of_two_wavelengths_and_no_third(tmp_path):
    content = "_ANODE=Co\n" + uxd()
    found = read(tmp_path, content, anode="Co")
    assert found.wavelengths_angstrom == pytest.approx((1.788996, 1.792835))
    assert any("also names 1.540598 Å, which contradicts it" in note for note in found.notes)
    assert read(tmp_path, content, wavelengths_angstrom=CU).wavelengths_angstrom == CU
    with pytest.raises(InputError, match="say which"):
        read(tmp_path, content, anode="Mo")


@pytest.mark.parametrize(
    ("heading", "found"),
    [
        ("# wavelength 1.5406\n# wavelength 1.5444", (1.5406, 1.5444)),
        ("# K-Alpha1 wavelength 1.5406, K-Alpha2 wavelength 1.5444", (1.5406, 1.5444)),
        ("# wavelength 1.5418\n# lambda 1.5406", (1.5418,)),
        ("# wavelength 1.5406\n# photon energy 8.048 keV", (1.5406,)),
        ("# wavelength 1.3922\n# anode: Cu", (1.3922,)),
        ("# wavelength 0.71073, anode Mo", (0.71073,)),
    ],
)
def test_lines_of_one_tube_do_not_contradict_each_other(tmp_path, heading, found):
    lines = read(tmp_path, f"{heading}\n{PLAIN}").wavelengths_angstrom
    assert lines == pytest.approx(found)
