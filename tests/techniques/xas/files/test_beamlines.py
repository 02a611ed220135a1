"""Files as beamlines wrote them, and cases with right answers, where they are at hand."""

from __future__ import annotations

import numpy as np
import pytest
from support import xas_files as made
from support.places import SHARED

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import FileOptions, columns_of

BEAMLINES = SHARED / "xas" / "beamlines"
CASES = SHARED.parent / "cases" / "files"
pytestmark = pytest.mark.skipif(
    not BEAMLINES.is_dir() or not CASES.is_dir(), reason="no measured data beside the checkout"
)

# of TRUTH.md: edge, first and last energy [eV], points, signal.  Three rows of 10-BM stand at one
# energy; of 12-BM 66 rows hold no light behind the sample
TRUTH = {
    "APS10BM_2019.dat": ("Mn K", 6390.00, 7601.36, 3462, "transmission ln(Io/It)"),
    "APS12BM_2019.dat": ("Mn K", 6339.0, 6984.7, 426, "transmission ln(i0/i1)"),
    "APS13ID_2019.dat": ("Mn K", 6389.00, 6537.01, 221, "fluorescence Σ(Mn_Ka_mca1 ... Mn_Ka_mca4"),
    "APS20ID_2018.dat": ("As K", 11716.98, 12246.44, 379, "fluorescence XMAP4:AsKa_Sum/XMAP4:DT"),
    "APS9BM_2019.dat": ("Mn K", 6287.67, 7391.45, 442, "transmission ln(I0-32/It-32)"),
    "CLSHXMA.dat": ("As K", 11667.00, 12842.36, 414, "transmission"),
    "NSLS6BM_2019.dat": ("V K", 5264.99, 6120.53, 352, "fluorescence Σ(DTC1 ... DTC4)/I0"),
    "NSLS_XDAC_2011.dat": ("Fe K", 6912.00, 7757.72, 422, "transmission ln(I0/It)"),
    "PF9A_2022.dat": ("Fe K", 6606.15, 8211.13, 1426, "fluorescence"),
    "SSRLmicro_2008.dat": (
        "Ge K",
        10900.00,
        11411.24,
        296,
        "fluorescence Σ(SCA1.1 ... SCA1.32)/I0",
    ),
    "fe_xanes_8ch.xdi": ("Fe K", 7012.00, 7108.60, 100, "fluorescence Σ(Fe_Ka_mca1"),
    "mn_cpmnco3.dat": ("Mn K", 6339.98, 7196.98, 409, "transmission"),
}
RISES = {
    "APS20ID_2018.dat": 11868.0,
    "CLSHXMA.dat": 11865.0,
    "NSLS6BM_2019.dat": 5467.0,
    "SSRLmicro_2008.dat": 11107.0,
}


@pytest.mark.parametrize("name", TRUTH)
def test_a_beamline_file_holds_what_is_known_of_it(name):
    edge, first, last, points, signal = TRUTH[name]
    found = read_measured(BEAMLINES / name)
    assert found.technique == "xas"
    assert found.x.size == points
    assert found.x[0] == pytest.approx(first, abs=0.02)
    assert found.x[-1] == pytest.approx(last, abs=0.05)
    assert found.reading.signal.startswith(signal)
    assert found.reading.edge == edge


@pytest.mark.parametrize("name", RISES)
def test_it_rises_where_it_should(name):
    found = read_measured(BEAMLINES / name)
    steepest = found.x[np.argmax(np.gradient(found.y, found.x))]
    assert steepest == pytest.approx(RISES[name], abs=4.0)


@pytest.mark.parametrize("name", ["APS13ID_2019.dat", "fe_xanes_8ch.xdi"])
def test_a_scan_that_ends_before_its_edge_is_read_and_says_so(name):
    notes = read_measured(BEAMLINES / name).notes
    assert any(note.startswith("no edge inside: ") for note in notes)


def test_rows_without_light_are_left_out_and_counted():
    said = read_measured(BEAMLINES / "APS12BM_2019.dat").reading
    assert said.scan == "29 (1 of 1)"
    assert said.dropped == ("66 of 492 rows: i0 or i1 ≤ 0, first in line 143",)


def test_columns_without_a_heading_are_asked_for():
    path = BEAMLINES / "generic_columns_no_header.dat"
    with pytest.raises(InputError, match=r"column 4 is ln\(2/3\); column 7 is ln\(3/6\)"):
        read_measured(path)
    found = read_measured(path, None, FileOptions(columns=columns_of("energy=1,mu=7")))
    assert (found.x.size, found.reading.edge) == (198, "Ge K")
    same = read_measured(path, None, FileOptions(columns=columns_of("energy=1,i0=3,it=6")))
    np.testing.assert_allclose(same.y, found.y, atol=1e-9)


def test_groups_of_projects():
    found = read_measured(BEAMLINES / "Ce.prj")
    assert (found.reading.scan, found.reading.edge) == ("group CeO2 (1 of 1)", "Ce L3")
    with pytest.raises(InputError, match=r"holds 5 groups: 'Sn foil', 'SnO2'.*--group"):
        read_measured(BEAMLINES / "Sn.prj")
    found = read_measured(BEAMLINES / "Sn.prj", None, FileOptions(group="SnO2"))
    assert (found.x.size, found.reading.edge) == (332, "Sn K")


def test_bare_scans_of_circular_dichroism_are_asked_for_their_columns():
    for name in ("inamin_Fe-1.txt", "inamin_Fe-2.txt"):
        path = SHARED / "xas" / "xmcd" / name
        with pytest.raises(InputError, match="say which is which: --columns energy=1"):
            read_measured(path, "xas")
        asked = FileOptions(columns=columns_of("energy=1,i0=2,iy=3"))
        found = read_measured(path, "xas", asked)
        assert found.x[0] == pytest.approx(690.09, abs=0.02)
        assert found.reading.signal == "electron yield column 3/column 2"


@pytest.mark.parametrize(
    ("name", "points", "signal"),
    [
        ("x_kev.xdi", 268, "transmission"),
        ("x_kev_named.dat", 268, "µ"),
        ("x_energy_second.xdi", 268, "transmission"),
        ("x_comma_int.csv", 195, "µ"),
        ("x_desc.xdi", 268, "transmission"),
        ("x_both.xdi", 268, "transmission"),
        ("x_nan.xdi", 267, "transmission"),
        ("x_i0zero.xdi", 267, "transmission"),
        ("x_athena.prj", 268, "µ"),
    ],
)
def test_cases_have_the_spectrum_of_their_answer(name, points, signal):
    found = read_measured(CASES / name)
    steepest = found.x[np.argmax(np.gradient(found.y, found.x))]
    assert found.x.size == points
    assert steepest == pytest.approx(7122.98, abs=1.0)
    assert found.reading.signal.startswith(signal)
    assert found.reading.edge == "Fe K"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x_kev_plain.dat", "--technique xas or --technique xrd"),
        ("x_two_scans.dat", "2 scans lie behind each other .*--scan 1"),
        ("x_spec.spec", "2 scans over energy.*--scan 1"),
        ("x_bigmu.dat", "y runs to 1632, which cannot be µ"),
        ("x_tof.dat", "x runs from 1000 to 19980"),
    ],
)
def test_cases_that_cannot_be_told_are_asked(name, says):
    with pytest.raises(InputError, match=says):
        read_measured(CASES / name)


@pytest.mark.parametrize(
    "names",
    [
        "# Mono Energy (eV)   Scaler preset  I0   It",
        "# Mono Energy (eV)\tScaler preset\tI0\tIt",
        "# Energy Preset I0 It",
        "#" + "".join(f"{name:<21}" for name in ("Mono Energy (eV)", "Preset", "I0", "It")),
    ],
)
def test_names_of_a_labview_scan_need_no_fixed_width(tmp_path, names):
    path = tmp_path / "scan.dat"
    rows = made.rows(made.ENERGY, made.TIME, made.I0, made.IT)
    path.write_text(f"# LabVIEW Control Panel file\n# made\n{names}\n{rows}")
    assert read_measured(path).reading.signal == "transmission ln(I0/It)"


def test_xmu_of_feff_is_read_and_called_calculated(tmp_path):
    path = tmp_path / "xmu.dat"
    zero = 0 * made.ENERGY
    columns = (made.ENERGY, made.ENERGY - 7112, zero, made.MU, made.MU, zero)
    head = "# Fe\n#  xsedge+ 50, used to normalize mu 1.0E-03\n"
    path.write_text(f"{head}#  omega    e    k    mu    mu0     chi     @#\n{made.rows(*columns)}")
    found = read_measured(path)
    np.testing.assert_allclose(found.y, made.MU)
    assert found.reading.signal == "µ, normalised as in column 4 mu"
    assert "it was calculated, not measured: by FEFF" in found.notes
