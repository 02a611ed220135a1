"""Formats of the makers: attenuators, what rietx says, and archives that would do harm."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from support.places import SHARED
from support.powder_files import COUNTS, X, brml, packed, ras, rasx, read, rows, xrdml

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.files.attenuators import is_corrected
from materialsdock.techniques.xrd.job import scan_of

FACTOR = np.where(COUNTS > 300, 25.0, 1.0)
COUNTED = np.rint(COUNTS / FACTOR)
VENDOR = SHARED / "xrd" / "vendor"
LISTED = f"<beamAttenuationFactors>{' '.join(f'{f:g}' for f in FACTOR)}</beamAttenuationFactors>"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (xrdml(more=LISTED, values=COUNTED, tag="counts"), "a.xrdml"),
        (xrdml(more=LISTED, values=COUNTED * FACTOR), "a.xrdml"),
        (brml(absorption=FACTOR, values=COUNTED * FACTOR), "a.brml"),
        (ras(FACTOR, COUNTED), "a.ras"),
        (ras(FACTOR, COUNTED * FACTOR + 0.0), "a.ras"),
    ],
)
def test_sigma_is_that_of_what_was_counted_behind_an_attenuator(tmp_path, content, name):
    found = read(tmp_path, content, name)
    np.testing.assert_allclose(found.y, COUNTED * FACTOR)
    np.testing.assert_allclose(found.sigma, np.sqrt(COUNTED) * FACTOR, rtol=1e-3)
    assert any("attenua" in note or "absorber" in note for note in found.notes)


def test_counts_or_smoothness_tell_whether_factors_were_applied():
    assert not is_corrected(COUNTED, FACTOR)
    assert is_corrected(COUNTED * FACTOR * 1.1, FACTOR * 1.1)
    rate = COUNTED / 7.3
    assert not is_corrected(rate, FACTOR)
    assert is_corrected(rate * FACTOR, FACTOR)


@pytest.mark.parametrize(
    ("factor", "says"),
    [(np.zeros(61), "not all positive"), (np.full(61, 2.0), "is 2 at every point")],
)
def test_factors_that_say_nothing_are_not_applied(tmp_path, factor, says):
    found = read(tmp_path, ras(factor))
    np.testing.assert_allclose(found.y, COUNTS)
    assert any(says in note for note in found.notes)


def test_what_rietx_remarks_becomes_a_note(tmp_path):
    found = read(tmp_path, ras().replace('*MEAS_SCAN_AXIS_X "TwoThetaTheta"\n', ""))
    assert any("read as 2θ in degrees" in note for note in found.notes)
    assert not any("file.ras" in note for note in found.notes)
    down = ras(values=COUNTS[::-1]).replace("*RAS_INT_START\n", "*RAS_INT_START\n")
    lines = down.splitlines()
    first, last = lines.index("*RAS_INT_START") + 1, lines.index("*RAS_INT_END")
    lines[first:last] = lines[first:last][::-1]
    found = read(tmp_path, "\n".join(lines))
    np.testing.assert_allclose(found.y, COUNTS[::-1])
    assert any("descends" in note for note in found.notes)


def test_counts_per_second_that_only_arithmetic_shows(tmp_path):
    head = '*MEAS_SCAN_STEP "0.05"\n*MEAS_SCAN_SPEED "1.5"\n*MEAS_SCAN_SPEED_UNIT "deg/min"\n'
    text = ras(values=COUNTS / 2).replace("*RAS_HEADER_END", head + "*RAS_HEADER_END")
    found = read(tmp_path, text)
    np.testing.assert_allclose(found.y, COUNTS)
    assert found.count_time_s == 2.0


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (xrdml().replace("<xrdMeasurements", f"{LAUGHS}]>\n<xrdMeasurements", 1), "a.xrdml"),
        (
            packed(
                Experiment0__RawData0_dot_xml=f"{LAUGHS}]><RawData>&j;</RawData>",
                Experiment0__DataContainer_dot_xml="<D/>",
            ),
            "a.brml",
        ),
        (
            packed(
                Data0__Profile0_dot_txt=rows(X, COUNTS),
                root_dot_xml=f"{LAUGHS}]><Root>&j;</Root>".encode("utf-16"),
            ),
            "a.rasx",
        ),
        (
            packed(
                Data0__Profile0_dot_txt=rows(X, COUNTS),
                root_dot_xml=f"{LAUGHS}]><Root>&j;</Root>".encode().replace(b"DOC", b"DO\xffC"),
            ),
            "a.rasx",
        ),
    ],
)
def test_entities_of_xml_are_never_expanded(tmp_path, content, name):
    with pytest.raises(InputError, match=r"entities|not readable as XML") as refused:
        read(tmp_path, content, name)
    assert refused.value.remedy


def test_archives_are_measured_before_they_are_unpacked(tmp_path):
    bomb = packed(Data0__Profile0_dot_txt=b"0" * 30_000_000, root_dot_xml="<Root/>")
    with pytest.raises(InputError, match="times its size"):
        read(tmp_path, bomb, "a.rasx")
    members = {f"Data{i}__Profile{i}_dot_txt": "" for i in range(10_001)}
    with pytest.raises(InputError, match="10001 members"):
        read(tmp_path, packed(**members), "a.rasx")
    lying = bytearray(packed(Data0__Profile0_dot_txt=rows(X, COUNTS, np.ones(61))))
    place = lying.index(b"PK\x01\x02")
    lying[place + 24 : place + 28] = (50).to_bytes(4, "little")  # of the directory: its size
    with pytest.raises(InputError, match="damaged archive"):
        read(tmp_path, bytes(lying), "a.rasx")


def test_a_locked_archive_and_a_missing_member_are_refused(tmp_path):
    locked = bytearray(rasx())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := locked.find(mark, start)) >= 0:
            locked[start + place] |= 1
            start += 4
    with pytest.raises(InputError, match="damaged archive"):
        read(tmp_path, bytes(locked), "a.rasx")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(InputError, match="in no format that is known"):
        read(tmp_path, buffer.getvalue(), "a.zip")


@pytest.mark.skipif(not VENDOR.is_dir(), reason="no measured data beside the checkout")
def test_the_attenuator_of_a_measured_file(tmp_path):
    found = read(tmp_path, (VENDOR / "panalytical_attenuator.xrdml").read_bytes(), "a.xrdml")
    top = int(found.y.argmax())
    assert found.y[top] == 1877 * 188
    assert found.sigma[top] == pytest.approx(np.sqrt(1877) * 188)
    others = np.delete(np.arange(found.y.size), top)
    np.testing.assert_allclose(found.sigma[others], np.sqrt(np.maximum(found.y[others], 1)))
    zeros = read(tmp_path, (VENDOR / "rigaku_three_column.ras").read_bytes(), "a.ras")
    assert zeros.y.tolist() == [250.0, 310.5, 480.2, 390.7]
    assert zeros.wavelengths_angstrom == (0.709319, 0.713607)


@pytest.mark.skipif(not VENDOR.is_dir(), reason="no measured data beside the checkout")
@pytest.mark.parametrize(
    ("name", "points", "first", "last", "y0", "lines"),
    [
        ("panalytical_powder.xrdml", 5027, 4.00656514, 69.99936587, 1305, (1.540598, 1.544426)),
        ("rigaku_nims.ras", 3501, 25.0, 60.0, 13, (1.540593, 1.544414)),
        ("rigaku_powder.rasx", 2726, 10.0, 119.0, 170.55354, (1.540593, 1.544414)),
    ],
)
def test_files_of_the_makers_are_read(tmp_path, name, points, first, last, y0, lines):
    found = read(tmp_path, (VENDOR / name).read_bytes(), name)
    assert found.x.size == points
    assert (found.x[0], found.x[-1]) == pytest.approx((first, last))
    assert found.y[0] == pytest.approx(y0)
    assert found.wavelengths_angstrom == lines


@pytest.mark.skipif(not VENDOR.is_dir(), reason="no measured data beside the checkout")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bruker_raw4_scrambled.raw", "2320 negative counts"),
        ("rigaku_multiscan.ras", "1 of 2 was read"),
        ("rigaku_three_column.ras", "attenuator factors of the file are not all positive"),
    ],
)
def test_files_that_can_be_looked_at_are_read_and_make_no_job(tmp_path, name, says):
    found = read(tmp_path, (VENDOR / name).read_bytes(), name)
    assert any(says in note for note in found.notes)
    with pytest.raises(InputError, match="of which nothing can be made"):
        scan_of(found)
