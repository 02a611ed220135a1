"""Powder files that others made, with their right answers (../shared; skipped without them)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.places import SHARED

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import FileOptions

CASES = SHARED.parent / "cases" / "files"
XRD = SHARED / "xrd"
SAME = """
bom_crlf.csv cps.xy cr_only.xy descending.xy duplicate_one.xy esd_zero.xye fortran_d.xy
four_col.xy fullprof.dat fullprof_title.dat gsas_ESD.gsas gsas_FXYE.gsas gsas_STD.gsas
gsas_big.gsas gsas_default_form.gsas gsas_inst.gsas gsas_two_banks.gsas gsas_wave.fxye
hash_inline.xy index_first.csv jcamp.dx latin1.txt nxmonopd.nxs powder_pd.cif scan.asc
scan.brml scan.ras scan.rasx scan.xrdml scan_two.ras scan_v3.raw semicolon_comma.csv
shiftjis.txt tab_comma.txt three_col_bkg.xy trailing_comment.xy trailing_text.xy
uxd_2tcounts.uxd uxd_2tcps.uxd uxd_2tcps_co.uxd uxd_counts.uxd uxd_cps.uxd
uxd_two_ranges.uxd wave_header.xy
"""
SAID = {
    "scan_two.ras": "1 of 2",
    "gsas_two_banks.gsas": "bank 1 of 2 was read",
    "uxd_two_ranges.uxd": "range 1 of 2 was read",
    "descending.xy": "reversed",
    "three_col_bkg.xy": "(Ybackground) was not read",
    "esd_zero.xye": "is 0 at every point",
    "trailing_text.xy": "text behind the rows",
    "tab_comma.txt": "decimal commas",
    "cps.xy": "per second × 10 s",
}
LINES = {
    "scan.ras": (1.540593,),
    "scan.xrdml": (1.540598, 1.544426),
    "uxd_2tcps_co.uxd": (1.788965, 1.79285),
    "wave_header.xy": (0.6887,),
    "gsas_wave.fxye": (0.413318,),
}
REFUSED = {
    "gsas_ALT.gsas": "RALF holds times of flight",
    "inline_comment.xy": "line 1501",
    "negative.xy": "754 negative counts",
    "one_nan.xy": "nan is not finite",
    "thousands.csv": "line 275",
    "q_axis.xy": "names no wavelength",
    "d_axis.xy": "names no wavelength",
}
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the checkout")


def told(found) -> str:
    said = found.reading
    return " ".join((*found.notes, *said.dropped, said.scan, said.signal, said.unit))


@pytest.fixture(scope="module")
def good():
    return read_measured(CASES / "good.xy", "xrd")


@pytest.mark.parametrize("name", SAME.split())
def test_cases_hold_the_counts_of_the_good_one(good, name):
    found = read_measured(CASES / name, "xrd")
    np.testing.assert_allclose(found.x, good.x, atol=2e-3)
    np.testing.assert_allclose(found.y, good.y, rtol=1e-9, atol=1e-6)
    sigma = np.sqrt(np.maximum(good.y, 1)) if found.sigma is None else found.sigma
    np.testing.assert_allclose(sigma, np.sqrt(np.maximum(good.y, 1)), rtol=2e-3)
    assert SAID.get(name, "") in told(found)
    if name in LINES:
        assert found.wavelengths_angstrom == LINES[name]


@pytest.mark.parametrize("name", REFUSED)
def test_cases_without_an_answer_are_refused(name):
    with pytest.raises(InputError, match=re.escape(REFUSED[name])) as refused:
        read_measured(CASES / name, "xrd")
    assert name in refused.value.where
    assert refused.value.remedy


@pytest.mark.parametrize("name", ["q_axis.xy", "d_axis.xy"])
def test_other_axes_are_converted_with_a_wavelength(good, name):
    asked = FileOptions(wavelengths_angstrom=(1.540593, 1.544427))
    found = read_measured(CASES / name, "xrd", asked)
    np.testing.assert_allclose(found.x, good.x, atol=2e-3)


def test_cases_of_other_points_are_read_as_they_are():
    for name, points in (("gap.xy", 2802), ("nonuniform.xy", 2251), ("cut_mid.xy", 2667)):
        assert read_measured(CASES / name, "xrd").x.size == points
    found = read_measured(CASES / "normalised01.xy", "xrd")
    assert found.reading.sigma_from.startswith("not known: intensities are not counts")


def measured_files() -> list[Path]:
    kinds = (".xy.gz", ".csv", ".csv.gz", ".dat", ".prn", ".gsas", ".XRA", ".xrdml", ".ras")
    return sorted(p for p in XRD.rglob("*") if p.name.endswith((*kinds, ".rasx", ".raw")))


@pytest.mark.parametrize("path", measured_files(), ids=lambda path: path.name)
def test_every_measured_file_says_what_it_took(path):
    found = read_measured(path, "xrd")
    assert found.kind
    assert found.reading.columns
    assert found.reading.unit
    assert found.reading.sigma_from
    assert (np.diff(found.x) > 0).all()
