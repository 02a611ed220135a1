"""Files of every family, made here: read right, with what was taken as what."""

from __future__ import annotations

import numpy as np
import pytest
from support import xas_files as made
from support.xas_files import ENERGY, FLUORESCENCE, I0, IF, IR, IT, MU, TIME

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import FileOptions

T, F = np.log(I0 / IT), FLUORESCENCE
CRLF = made.xdi().replace("\n", "\r\n")
B18 = "# Diamond Light Source\n# Instrument: B18-CORE XAS\n# qexafs_energy\tI0\tIt\tIref\tlnI0It"
ISS = "# Facility: NSLS-II\n# Element: Fe\n# Edge: K\n#\n# # energy  i0  ir  it  iff  pba2_adc7"
FAMILIES = {
    "XDI": (made.xdi(), "XDI", "transmission ln(i0/itrans)", T),
    "XDI with carriage returns": (CRLF, "XDI", "transmission", T),
    "XDI in keV": (
        made.xdi(("itrans", "energy keV", "i0"), (IT, ENERGY / 1000, I0)),
        "XDI",
        "transmission",
        T,
    ),
    "XDI over the angle": (
        made.xdi(("angle degrees", "i0", "ifluor"), (made.ANGLE, I0, IF)),
        "XDI",
        "fluorescence ifluor/i0",
        F,
    ),
    "BMM": (made.bmm(), "XDI", "fluorescence Σ(DTC1 ... DTC4)/I0", F),
    "13-ID": (made.step_scan(), "XDI", "fluorescence Σ(Fe_Ka_mca1 ... Fe_Ka_mca4)/I0", F),
    "13-ID before XDI": (made.epics(), "Epics scan", "transmission", T),
    "SPEC": (made.spec(), "SPEC", "transmission", T),
    "12-BM": (made.spec_12bm(), "SPEC", "transmission ln(i0/i1)", T),
    "MRCAT": (made.mrcat(), "MRCAT_XAFS", "transmission ln(Io/It)", T),
    "XDAC": (made.xdac(), "XDAC", "fluorescence Σ(Ifch1 ... Ifch4)/I0", F),
    "9-BM": (made.labview(), "LabVIEW scan", "transmission ln(I0-32/It-32)", T),
    "20-BM of 2001": (made.labview(listed=False), "LabVIEW scan", "transmission", T),
    "SSRL": (made.ssrl(), "SSRL", "transmission ln(I0/I1)", T),
    "SSRL with many elements": (made.ssrl(micro=True), "SSRL", "fluorescence Σ(SCA1.1", F),
    "CLS": (made.cls(), "CLS", "transmission ln(Detector2/Detector3)", T),
    "9809 fluorescence": (made.pf9809(), "9809", "fluorescence", F),
    "9809 transmission": (made.pf9809(2, 2), "9809", "transmission", T),
    "9809 with elements": (made.pf9809(elements=4), "9809", "fluorescence", F),
    "9809 without gaps": (
        made.pf9809(2, 2, touching=True),
        "9809",
        "transmission",
        T + np.log(1e3),
    ),
    "SRS under names": (made.srs(), "SRS", "transmission", T),
    "SRS of Daresbury": (made.srs("plain"), "SRS", "transmission", T),
    "NXxas": (made.nxxas(), "NeXus NXxas", "transmission", T),
    "NXxas in keV": (made.nxxas("Fluorescence", unit="keV"), "NeXus NXxas", "fluorescence", F),
    "NXxas of yield": (made.nxxas("Total Electron Yield"), "NeXus", "electron yield", F),
    "Athena": (made.athena(), "Athena project", "µ as in column 2", MU),
    "Athena unpacked": (made.athena(packed=False), "Athena project", "µ", MU),
    "Athena as JSON": (made.athena_json(), "Athena project", "µ", MU),
    "xmu": (made.headed("#%atom: Fe\n#%edge: K\n#   energy   mu", ENERGY, MU), "named", "µ as", MU),
    "nor": (
        made.headed("# Element=Fe   Edge=K\n#  energy norm nbkg flat", ENERGY, MU, MU, MU),
        "named columns",
        "µ, normalised as in column 2 norm",
        MU,
    ),
    "ISS": (made.headed(ISS, ENERGY, -I0, -IR, -IT, 0 * IT, TIME), "named", "transmission", T),
    "LISA": (
        made.headed("#eBraggEnergy I0_EH1 I1_EH1 mu IR_EH2", ENERGY, I0, IT, MU, IR),
        "named columns",
        "transmission ln(I0_EH1/I1_EH1)",
        T,
    ),
    "B18": (made.headed(B18, ENERGY, I0, IT, IR, T, separator="\t"), "named", "transmission", T),
    "PHOENIX": (made.phoenix(), "named", "fluorescence FeKa_sum_cps_c2/I0_KEITHLEY1_c3", F),
    "names after a line of text": (
        made.headed("energy,i0,it", ENERGY, I0, IT, separator=","),
        "named columns",
        "transmission",
        T,
    ),
}


def write(folder, content, name="scan.dat"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_of_every_family_is_read_right(tmp_path, family):
    content, kind, signal, y = FAMILIES[family]
    found = read_measured(write(tmp_path, content))
    assert found.technique == "xas"
    assert found.kind.startswith(kind)
    assert found.reading.signal.startswith(signal)
    assert found.reading.edge == "Fe K"
    assert not found.reading.dropped
    np.testing.assert_allclose(found.x, ENERGY, atol=2e-3)
    np.testing.assert_allclose(found.y, y, rtol=2e-4, atol=2e-4)


def test_what_was_taken_is_said(tmp_path):
    said = read_measured(write(tmp_path, made.spec_12bm())).reading
    assert said.scan == "29 (1 of 1)"
    assert said.columns == ("1 Energy (keV) as energy", "4 i0 as I0", "5 i1 as It")
    assert said.unit == "keV × 1000"
    said = read_measured(write(tmp_path, made.step_scan()))
    assert "8 to 11 Fe_Ka_mca5 ... Fe_Ka_mca8: no counts, left out" in said.notes
    assert "dead time was corrected by its factor" in said.notes
    said = read_measured(write(tmp_path, made.cls()))
    assert any("mcs04) is i0" in note for note in said.notes)
    said = read_measured(write(tmp_path, made.bmm()))
    assert "4 xmu holds the same" in said.notes


def test_channels_below_a_point_of_daresbury_are_its_elements(tmp_path):
    path = write(tmp_path, made.srs("elements"))
    found = read_measured(path, "xas", FileOptions(signal="fluorescence"))
    np.testing.assert_allclose(found.y, F, rtol=1e-3, atol=1e-6)


def test_a_scan_of_several_is_named_by_its_number(tmp_path):
    path = write(tmp_path, made.spec([("1", ENERGY, I0, IT), ("2", ENERGY, I0, IR)]))
    with pytest.raises(InputError, match=r"2 scans over energy: 1 .*--scan 1"):
        read_measured(path)
    found = read_measured(path, None, FileOptions(scan=2))
    assert found.reading.scan == "2 (3 of 3)"
    np.testing.assert_allclose(found.y, np.log(I0 / IR), rtol=1e-4)
    with pytest.raises(InputError, match="there is no scan 7; it holds 9"):
        read_measured(path, None, FileOptions(scan=7))
    with pytest.raises(InputError, match="no column is named energy"):
        read_measured(path, "xas", FileOptions(scan=9))


def test_a_scan_over_energy_and_angle_is_no_powder_pattern_for_want_of_a_unit(tmp_path):
    head = (
        "#F made\n#S 1  zapline mono 10.3 9.8 7244 100\n#N 4\n#L Mon  Ion1  TwoTheta  ZapEnergy\n"
    )
    path = write(tmp_path, head + made.rows(I0, IT, made.ANGLE, ENERGY / 1000))
    with pytest.raises(InputError, match=r"a file of xas and xrd; xas: energies run .*may be keV"):
        read_measured(path)
    with pytest.raises(InputError, match="--unit keV"):
        read_measured(path, "xas")
    found = read_measured(path, "xas", FileOptions(unit="keV"))
    np.testing.assert_allclose(found.y, T, rtol=1e-6)


def test_a_group_of_several_is_named(tmp_path):
    path = write(tmp_path, made.athena(("Fe's oxide", "foil", "foil")))
    with pytest.raises(InputError, match=r"holds 3 groups: .*--group"):
        read_measured(path)
    found = read_measured(path, None, FileOptions(group="Fe's oxide"))
    assert found.reading.scan == "group Fe's oxide (1 of 3)"
    with pytest.raises(InputError, match=r"2 groups are called 'foil'.*abc1, abc2"):
        read_measured(path, None, FileOptions(group="foil"))
    found = read_measured(path, None, FileOptions(group="abc2"))
    np.testing.assert_allclose(found.y, MU + 2, rtol=1e-6)
    with pytest.raises(InputError, match="no group 'gold'"):
        read_measured(path, None, FileOptions(group="gold"))


def test_the_shift_of_a_project_is_made_and_said(tmp_path):
    found = read_measured(write(tmp_path, made.athena(shift="-0.5")))
    np.testing.assert_allclose(found.x, ENERGY - 0.5, atol=1e-3)
    assert "energies were moved by -0.5 eV, as the project says" in found.notes


def test_an_entry_of_several_is_named(tmp_path):
    path = write(tmp_path, made.nxxas(entries=("1.1", "2.1")))
    with pytest.raises(InputError, match=r"2 entries over energy: 1.1, 2.1.*--group 1.1"):
        read_measured(path)
    for asked in (FileOptions(group="2.1"), FileOptions(scan=2)):
        assert read_measured(path, None, asked).reading.scan == "2.1 (2 of 2)"
    with pytest.raises(InputError, match=r"no entry '9\.9'"):
        read_measured(path, None, FileOptions(group="9.9"))


def test_a_head_that_contradicts_its_channels_asks(tmp_path):
    path = write(tmp_path, made.pf9809(mode=2, declared=3))
    with pytest.raises(InputError, match=r"head says fluorescence \(3\).*--signal transmission"):
        read_measured(path)
    found = read_measured(path, None, FileOptions(signal="transmission"))
    np.testing.assert_allclose(found.y, T, rtol=1e-4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (made.mrcat().split("-" * 96)[0], "without a line of dashes"),
        (made.ssrl().replace("Data:", "Columns:"), "without a line 'Data:'"),
        (made.ssrl().replace("I2\n", "", 1), "6 values under 5 names"),
        (made.srs().replace("&END", "END"), "does not end with &END"),
        (made.pf9809().replace("Mode", "Moda"), "without a line 'Mode'"),
        (made.xdi().replace("Column.3", "Column.4"), "names column 4, the rows have 3"),
        (made.epics().replace("; D2", "; Q2"), "4 values under 3 names"),
        (made.athena(packed=False).replace("'6960'", "'iron'"), "an array holds what is no number"),
        (made.athena_json()[:-5], "no whole JSON"),
        (b"SSRL\0\1\2" + bytes(500), "is a binary file of SSRL"),
        (made.nxxas()[:3000], "damaged HDF5"),
    ],
)
def test_a_damaged_file_names_its_fault(tmp_path, content, says):
    path = write(tmp_path, content)
    with pytest.raises(InputError) as refused:
        read_measured(path, "xas")
    assert says in str(refused.value)
    assert str(path) in refused.value.where
    assert refused.value.remedy


def test_a_scan_that_was_cut_off_says_so(tmp_path):
    short = "\n".join(made.pf9809(2, 2).splitlines()[:-60]) + "\n"
    found = read_measured(write(tmp_path, short))
    assert f"the scan was cut off: {ENERGY.size - 60} of {ENERGY.size} points" in found.notes
