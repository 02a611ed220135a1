"""Every kind of powder file holds the same counts, and the reader finds them."""

from __future__ import annotations

import gzip
import io

import h5py
import numpy as np
import pytest
from support.powder_files import (
    COUNTS,
    CU,
    KINDS,
    X,
    asc,
    brml,
    chi,
    cif,
    gsas,
    jcamp,
    mdi,
    nexus,
    ras,
    rasx,
    raw_v3,
    read,
    rows,
    title,
    uxd,
    xrdml,
)

from materialsdock.errors import InputError

WITH_LINES = ("UXD", "BRML", "XRDML", "RD", "NeXus")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_counts(tmp_path, kind):
    name, content = KINDS[kind]
    found = read(tmp_path, content, name)
    np.testing.assert_allclose(found.x, X, atol=1e-6)
    np.testing.assert_allclose(found.y, COUNTS, atol=2 if kind == "RD" else 0.06)  # RD packs them
    assert found.reading.columns
    assert found.reading.unit.startswith("2θ")
    sigma = np.sqrt(found.y) if found.sigma is None else found.sigma
    np.testing.assert_allclose(sigma, np.sqrt(found.y), rtol=2e-3)
    if kind.startswith(WITH_LINES):
        assert found.wavelengths_angstrom == pytest.approx(CU)
        assert "file" in found.reading.wavelengths_from


@pytest.mark.parametrize("kind", ["XRDML", "RASX", "GSAS STD", "RD"])
def test_packed_files_are_what_they_hold(tmp_path, kind):
    name, content = KINDS[kind]
    raw = content if isinstance(content, bytes) else content.encode()
    found = read(tmp_path, gzip.compress(raw), f"{name}.gz")
    np.testing.assert_array_equal(found.y, read(tmp_path, content, name).y)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("kind", ["heading", "UXD", "RAS", "XRDML"])
def test_the_encoding_does_not_matter(tmp_path, kind, encoding):
    name, content = KINDS[kind]
    found = read(tmp_path, content.encode(encoding) + b"\x1a" * (encoding == "latin-1"), name)
    np.testing.assert_allclose(found.y, COUNTS)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gsas() + gsas(number=2), "a.gsas"),
        (uxd() + uxd("_2THETACOUNTS"), "a.uxd"),
        (asc(scans=2), "a.asc"),
        (xrdml(scans=2), "a.xrdml"),
        (ras(scans=2), "a.ras"),
        (cif() + cif().replace("data_sample", "data_again"), "a.cif"),
    ],
)
def test_the_first_of_several_scans_is_read_and_said(tmp_path, content, name):
    found = read(tmp_path, content, name)
    assert found.reading.scan == "1 of 2"
    assert any("1 of 2 was read; --scan" in note for note in found.notes)
    second = read(tmp_path, content, name, scan=2)
    assert second.reading.scan == "2 of 2"
    assert not any("--scan" in note for note in second.notes)
    with pytest.raises(InputError, match=r"no \w+ 3.*the file has 1 \("):
        read(tmp_path, content, name, scan=3)


@pytest.mark.parametrize("kind", ["RAW v3", "RD", "UDF", "CPI", "chi", "JCAMP pairs"])
def test_a_scan_that_is_not_there_is_refused(tmp_path, kind):
    name, content = KINDS[kind]
    with pytest.raises(InputError, match="no scan 2"):
        read(tmp_path, content, name, scan=2)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (uxd("_CPS"), 2.0),
        (uxd("_2THETACPS"), 2.0),
        (asc("cps", "*SPEED_DIM\t= sec./step\n*SPEED\t= 2\n"), 2.0),
        (asc("cps", "*SPEED_DIM\t= deg./min.\n*SPEED\t= 1.5\n"), 2.0),
        (xrdml(unit="cps", values=COUNTS / 2), 2.0),
    ],
)
def test_counts_per_second_become_counts_of_the_time_stated(tmp_path, content, seconds):
    found = read(tmp_path, content)
    np.testing.assert_allclose(found.y, COUNTS, atol=0.03)
    assert found.count_time_s == seconds
    assert "per second × 2 s" in found.reading.signal
    sigma = np.sqrt(found.y) if found.sigma is None else found.sigma
    np.testing.assert_allclose(sigma, np.sqrt(COUNTS), rtol=1e-3)


def test_counting_times_of_each_point_are_used(tmp_path):
    times = np.where(X < 21, 2.0, 8.0)
    counted = np.rint(COUNTS * times / 2)
    listed = f"<countingTimes>{' '.join(f'{t:g}' for t in times)}</countingTimes>"
    for content in (
        xrdml(more=listed, values=counted),
        rows(X, counted, times, heading="2theta counts time"),
        uxd("_2THETACOUNTSTIME").split("_2THETA")[0]
        + "_2THETACOUNTSTIME\n"
        + rows(X, counted, times),
    ):
        found = read(tmp_path, content)
        assert found.count_time_s == 8.0
        np.testing.assert_allclose(found.y, counted * 8 / times)
        np.testing.assert_allclose(found.sigma, np.sqrt(counted) * 8 / times)
        assert "counting time × 8 s" in found.reading.signal
    clock = rows(X, COUNTS, np.cumsum(times), heading="2theta counts time")
    assert read(tmp_path, clock).count_time_s is None


def test_old_files_of_bruker_and_archives_without_a_manifest(tmp_path):
    old = read(tmp_path, brml(views=False), "a.brml")
    assert any("does not describe its columns: 3 is 2θ" in note for note in old.notes)
    np.testing.assert_allclose(read(tmp_path, rasx(manifest=False), "a.rasx").y, COUNTS)
    np.testing.assert_allclose(read(tmp_path, raw_v3(length=0), "a.raw").y, COUNTS)
    with pytest.raises(InputError, match="data record of 8 bytes"):
        read(tmp_path, raw_v3(length=8), "a.raw")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (title().replace("23.0000", "29.0000"), "cut short"),
        ("a title\n" + title().replace("23.0000", "29.0000"), "rows may go on"),
        (gsas().replace("61 7", "99 7"), "61 points where BANK promises 99"),
        (gsas().replace("CONST", "SLOG"), "SLOG holds times of flight"),
        (gsas("ALT"), r"in a form that is known \(ALT\)"),
        (uxd().replace("COUPLED", "THETA"), "_DRIVE is 'THETA'"),
        (uxd().replace("_START", "_BEGIN"), "_START missing"),
        (asc().replace("= 61", "= 60"), r"61 counts where \*COUNT promises 60"),
        (asc().replace("STOP\t= 23", "STOP\t= 33"), "61 counts, but 20 to 33"),
        (asc().replace("2theta/theta", "omega"), "is no 2θ scan"),
        (jcamp("(X++(Y..Y))").replace("NPOINTS=61", "NPOINTS=62"), "61 values"),
        (jcamp("(X++(Y..Y))").replace("\n20.4 ", "\n21.4 "), "begins at 21.4"),
        (jcamp("(X++(Y..Y))").replace("\n20.4 ", "\n20.4A@"), "a packed table"),
        (jcamp().replace("X-RAY DIFFRACTION", "INFRARED SPECTRUM"), "INFRARED"),
        (chi("Radius (pixels)"), "names no axis of a powder pattern"),
        (cif("_diffrn_radiation_probe neutron\n"), "pattern of neutrons"),
        ("data_x\n_cell_length_a 4.0\n", "is a crystal structure, not a measured file"),
        ("data_x\n_audit_author_name me\n", "CIF without a measured powder pattern"),
        (xrdml().replace("Gonio", "Omega"), "rocking curve"),
        (ras().replace("TwoThetaTheta", "Omega"), "rocking curve"),
        (ras().replace("*RAS_INT_END", ""), "not a row of numbers"),
    ],
)
def test_what_is_no_powder_pattern_is_refused(tmp_path, content, says):
    with pytest.raises(InputError, match=says) as refused:
        read(tmp_path, content)
    assert str(tmp_path / "a.dat") in refused.value.where
    assert refused.value.remedy


@pytest.mark.parametrize("above", ["a title\n", "/* a comment */\n", "one\ntwo\n! three\n"])
def test_titles_may_stand_above_the_range_of_fullprof(tmp_path, above):
    found = read(tmp_path, above + title())
    assert found.kind == "FullProf INSTRM=0"
    np.testing.assert_allclose(found.y, COUNTS)


def test_peaks_are_no_pattern(tmp_path):
    peaks = "".join(f"{20 + i:.3f} {100 - i} {i + 1} 0 0\n" for i in range(30))
    with pytest.raises(InputError, match="list of peaks"):
        read(tmp_path, peaks, "a.dif")
    assert read(tmp_path, rows(X, COUNTS), "a.dif").x.size == 61


def test_a_cif_of_a_range_and_its_radiation(tmp_path):
    span = "".join(
        f"_pd_meas_2theta_range_{k} {v}\n"
        for k, v in zip(("min", "max", "inc"), (20, 23, 0.05), strict=True)
    )
    lines = "loop_\n_diffrn_radiation_wavelength\n_diffrn_radiation_wavelength_wt\n"
    lines += f"1.3922 0.1\n{CU[0]} 1.0\n{CU[1]} 0.5\n_pd_meas_step_count_time 5\n"
    found = read(tmp_path, cif(span + lines, x=False))
    np.testing.assert_allclose(found.x, X)
    assert found.wavelengths_angstrom == CU
    assert found.count_time_s == 5.0
    with pytest.raises(InputError, match="61 intensities, but"):
        read(tmp_path, cif(span.replace("23", "29"), x=False))


def test_a_cif_says_its_sigma_in_brackets_or_beside(tmp_path):
    values = [f"{y}.0({10 * round(np.sqrt(y))})" for y in COUNTS]
    words = "".join(f"{x} {v}\n" for x, v in zip(X, values, strict=True))
    found = read(
        tmp_path, f"data_a\nloop_\n_pd_meas_2theta_scan\n_pd_proc_intensity_total\n{words}"
    )
    np.testing.assert_allclose(found.sigma, np.round(np.sqrt(COUNTS)))
    assert "brackets" in found.reading.sigma_from


def test_nexus_says_its_sigma_and_angles_in_radians(tmp_path):
    found = read(tmp_path, nexus(errors=True))
    np.testing.assert_allclose(found.sigma, np.sqrt(COUNTS))
    assert found.reading.sigma_from == "/entry/data/errors"
    with pytest.raises(InputError, match="is not a 2θ range"):
        read(tmp_path, nexus(units="rad"))


def test_detectors_of_gsas_make_their_mean_more_certain(tmp_path):
    body = "".join(f"{4:2d}{y:6d}" + "\n" * (i % 10 == 9) for i, y in enumerate(COUNTS))
    found = read(tmp_path, f"BANK 1 {X.size} 7 CONST 2000.0 5.0 0 0 STD\n{body}\n")
    np.testing.assert_allclose(found.y, COUNTS)
    np.testing.assert_allclose(found.sigma, np.sqrt(COUNTS / 4))


def test_hdf5_never_reads_another_file(tmp_path):
    other = tmp_path / "other.nxs"
    other.write_bytes(nexus())
    for name in ("polar_angle", "data"):
        buffer = io.BytesIO(nexus())
        with h5py.File(buffer, "r+") as file:
            del file[f"entry/data/{name}"]
            file[f"entry/data/{name}"] = h5py.ExternalLink(str(other), f"/entry/data/{name}")
        with pytest.raises(InputError, match="in no format that is known"):
            read(tmp_path, buffer.getvalue())


def test_exposures_without_a_second_visit_are_put_in_order(tmp_path):
    order = np.random.default_rng(0).permutation(61)
    buffer = io.BytesIO(nexus())
    with h5py.File(buffer, "r+") as file:
        data = file["entry/data"]
        data["polar_angle"][...], data["data"][...] = X[order], COUNTS[order]
        data["count_time"] = np.full(61, 2.0)
    found = read(tmp_path, buffer.getvalue())
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, COUNTS)
    assert found.notes == ("61 exposures, 122 s together, were put in order",)


def fxye(x=100 * X, form="FXYE", start=2000.0, points=61):
    head = f"BANK 1 {points} {points} CONST {start} 5.0 0 0 {form}\n"
    return head + rows(x, COUNTS, np.sqrt(COUNTS))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (fxye(X), "the rows begin at 20, BANK at 2000: one of them is in degrees"),
        (fxye(start=20.0), "the rows begin at 2000, BANK at 20"),
        (fxye(form="ESD"), "one point a row, as in FXYE, where BANK says ESD"),
        (fxye(form="STD"), "where BANK says STD"),
    ],
)
def test_a_bank_and_its_rows_must_be_of_one_form(tmp_path, content, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, content)


def test_rows_of_a_bank_are_taken_and_what_it_says_otherwise_is_said(tmp_path):
    assert not read(tmp_path, fxye()).notes
    np.testing.assert_allclose(read(tmp_path, fxye(X), unit="deg").x, X)
    found = read(tmp_path, fxye(start=1000.0, points=71))
    np.testing.assert_allclose(found.x, X)
    assert found.notes == (
        "BANK promises 71 points, 61 rows follow",
        "the rows begin at 20° with steps of 0.05°, and were taken; BANK says 10° and 0.05°",
    )


@pytest.mark.parametrize("heading", ["12 5 2023", "7", "25 mg 3 h 1000 C", "5 1 2023 Al2O3\n9"])
def test_a_title_of_fullprof_may_begin_with_numbers(tmp_path, heading):
    np.testing.assert_allclose(read(tmp_path, f"{heading}\n{title()}").y, COUNTS)


def test_a_chi_file_of_other_rows_or_another_axis_is_asked_about(tmp_path):
    with pytest.raises(InputError, match="61 rows where 60 are promised"):
        read(tmp_path, chi().replace("\n61\n", "\n60\n"))
    with pytest.raises(InputError, match="'Channel' names no axis") as refused:
        read(tmp_path, chi("Channel"))
    assert "--columns two_theta=1,counts=2" in refused.value.remedy
    found = read(tmp_path, chi("Channel"), columns={"two_theta": (1,), "counts": (2,)})
    np.testing.assert_allclose(found.y, COUNTS)


@pytest.mark.parametrize(
    "content", ["#GSAS-II instrument parameter file\nType:PNT\n", "INS   BANK"]
)
def test_an_instrument_file_is_no_pattern(tmp_path, content):
    with pytest.raises(InputError, match="is an instrument parameter file") as refused:
        read(tmp_path, content)
    assert "--instrument" in refused.value.remedy


def test_mdi_is_read_where_its_numbers_agree(tmp_path):
    found = read(tmp_path, mdi())
    assert found.wavelengths_angstrom == pytest.approx((1.54056, 1.5444274))
    with pytest.raises(InputError, match="61 counts, but line 2 says 20 to 33"):
        read(tmp_path, mdi(end=33.0))


def test_visits_of_a_measurement_are_added_up(tmp_path):
    """As this program exports a measurement: each exposure by itself, with its time."""
    visit = np.concatenate([np.arange(61), np.arange(20, 40)])
    buffer = io.BytesIO(nexus())
    with h5py.File(buffer, "r+") as file:
        del file["entry/data/polar_angle"], file["entry/data/data"]
        detector = file.create_group("entry/instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector["polar_angle"], detector["data"] = X[visit], COUNTS[visit]
        detector["count_time"] = np.full(visit.size, 2.0)
        for name in ("polar_angle", "data"):
            file[f"entry/data/{name}"] = h5py.SoftLink(f"/entry/instrument/detector/{name}")
    found = read(tmp_path, buffer.getvalue())
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, COUNTS)
    assert found.count_time_s == 2.0
    assert found.notes == (
        "81 exposures, 162 s together, were put in order",
        "20 repeated visits were added to the counts of their places",
    )
    assert found.reading.signal == "counts per counting time × 2 s"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            uxd("_2THETACOUNTS").replace("START=20", "START=25"),
            "_START is 25, the rows begin at 20",
        ),
        (uxd().replace("_DRIVE", "_STEPCOUNT=70\n_DRIVE"), "_STEPCOUNT is 70, 61 points follow"),
        (gsas().replace("BANK 1 61", "BANK 1 51"), "10 values behind the 51 that BANK promises"),
        (jcamp().replace("FIRSTX=20", "FIRSTX=10"), "FIRSTX and LASTX are 10 and 23, the table"),
        (jcamp().replace("=COUNTS", "=CPS"), "called counts per second, but whole numbers"),
        (cif("_pd_calib_2theta_offset 0.5\n"), "_pd_calib_2theta_offset is 0.5: it was not"),
        (cif().replace("meas_counts_total", "proc_intensity_net"), "called arbitrary units"),
        (
            ras().replace("*RAS_HEADER_END", '*MEAS_SCAN_UNIT_Y "cps"\n*RAS_HEADER_END'),
            "called counts per second, but whole numbers",
        ),
    ],
)
def test_what_a_head_says_otherwise_is_said(tmp_path, content, says):
    found = read(tmp_path, content)
    assert any(says in note for note in found.notes)
    np.testing.assert_allclose(found.y[:51], COUNTS[:51])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            gsas().replace("2000.0 5.0", "20.0 0.05"),
            "BANK runs from 20 to 23, which is 0.2 to 0.23°",
        ),
        (jcamp(units="1/CM"), "XUNITS is '1/CM', which is none of"),
        ("*TARGET\t= Mo\n" + asc(), "Kα1 of its anode Mo"),
    ],
)
def test_what_a_head_makes_impossible_is_refused(tmp_path, content, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, content)


def test_thousands_of_counts_per_second_of_rigaku(tmp_path):
    speed = "*SPEED\t= 2\n*SPEED_DIM\t= Sec./Step\n"
    found = read(tmp_path, asc(unit="kcps", speed=speed).replace("kcps", "cps"))
    in_thousands = read(tmp_path, asc(unit="kcps", speed=speed))
    np.testing.assert_allclose(in_thousands.y, 1000 * found.y)
