"""The law of damaged powder files: right, or refused with the place and a remedy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.powder_files import COUNTS, KINDS, X, read, rows

from materialsdock.errors import InputError
from materialsdock.model import Measured

CUT_TEXT = (
    "two columns",
    "three columns",
    "GSAS FXYE",
    "UXD",
    "JCAMP pairs",
    "RAS",
    "XRDML",
    "UDF",
)
PACKED = ("RASX", "BRML", "RAW v3", "RD", "XRDML")
BITS = (b"nan", b"1e999", b"-", b"\n", b"BANK", b"<", b'"', b"0", b"_COUNTS\n", b",", b"\0")


def lawful(folder, content, name) -> Measured | None:
    """What is read of a file: a pattern with positive weights; None where it is refused."""
    fault = None
    try:
        found = read(folder, content, name)
    except InputError as refused:
        fault = refused
    if fault is not None:
        assert str(folder / name) in fault.where
        assert fault.remedy
        return None
    assert np.isfinite(found.x).all()
    assert np.isfinite(found.y).all()
    assert (np.diff(found.x) > 0).all()
    assert np.abs(found.x).max() <= 180
    assert found.sigma is None or (np.isfinite(found.sigma) & (found.sigma > 0)).all()
    assert (found.y >= 0).all() or any("negative" in note for note in found.notes)
    return found


def content_of(kind: str) -> tuple[bytes, str]:
    name, content = KINDS[kind]
    return content if isinstance(content, bytes) else content.encode(), name


@settings(max_examples=30)
@given(kind=st.sampled_from(CUT_TEXT), share=st.floats(0.01, 0.999))
def test_a_cut_file_is_its_beginning_or_refused(tmp_path_factory, kind, share):
    raw, name = content_of(kind)
    found = lawful(tmp_path_factory.getbasetemp(), raw[: round(share * len(raw))], name)
    if found is not None:
        n = found.x.size
        np.testing.assert_allclose(found.x, X[:n], atol=1e-6)
        np.testing.assert_allclose(found.y[:-1], COUNTS[: n - 1], atol=0.06)


@settings(max_examples=50)
@given(
    kind=st.sampled_from(sorted(set(KINDS) - {"NeXus"})),
    where=st.floats(0, 1),
    bits=st.sampled_from(BITS) | st.binary(min_size=1, max_size=6),
    instead=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, kind, where, bits, instead):
    raw, name = content_of(kind)
    at = round(where * len(raw))
    lawful(tmp_path_factory.getbasetemp(), raw[:at] + bits + raw[at + instead * len(bits) :], name)


@settings(max_examples=20)
@given(kind=st.sampled_from(PACKED), where=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flipped_bit_never_escapes(tmp_path_factory, kind, where, bit):
    raw, name = content_of(kind)
    changed = bytearray(raw)
    changed[min(round(where * len(raw)), len(raw) - 1)] ^= 1 << bit
    lawful(tmp_path_factory.getbasetemp(), bytes(changed), name)


@settings(max_examples=2, deadline=None)
@given(where=st.floats(0, 1), value=st.integers(0, 255))
def test_damaged_hdf5_neither_hangs_nor_escapes(tmp_path_factory, where, value):
    raw, name = content_of("NeXus")
    changed = bytearray(raw)
    changed[min(round(where * len(raw)), len(raw) - 1)] = value
    lawful(tmp_path_factory.getbasetemp(), bytes(changed), name)


@settings(max_examples=8)
@given(order=st.permutations(range(61)))
def test_shuffled_rows_are_refused_or_in_order(tmp_path_factory, order):
    index = np.array(order)
    found = lawful(tmp_path_factory.getbasetemp(), rows(X[index], COUNTS[index]), "a.xy")
    assert found is None or list(order) in ([*range(61)], [*range(60, -1, -1)])


@pytest.mark.parametrize("extra", [(), (np.sqrt(COUNTS),)])
def test_swapped_columns_are_refused(tmp_path, extra):
    assert lawful(tmp_path, rows(COUNTS, X, *extra), "a.xy") is None
    named = lawful(tmp_path, rows(COUNTS, X, heading="counts 2theta"), "a.xy")
    np.testing.assert_allclose(named.y, COUNTS)


@pytest.mark.parametrize("factor", [np.radians(1), 100, 1000, 10])
def test_wrong_units_are_refused_or_asked(tmp_path, factor):
    with pytest.raises(InputError, match="is not a 2θ range") as refused:
        read(tmp_path, rows(X * factor, COUNTS))
    assert "--unit" in refused.value.remedy


def test_q_without_a_name_is_doubted(tmp_path):
    q = 4 * np.pi * np.sin(np.radians(np.linspace(10, 80, 61) / 2)) / 1.5406
    found = read(tmp_path, rows(q, COUNTS))
    assert any("if it is Q or d, say --unit 1/A or --unit A" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "points"), [(rows(X, COUNTS)[:-1], 61), (rows(X, COUNTS)[:-2], 60)]
)
def test_a_last_count_that_was_cut_off_is_left_out(tmp_path, text, points):
    found = read(tmp_path, text)
    assert found.x.size == points
    assert bool(found.reading.dropped) == (points == 60)
