"""Damaged files of every family: read right, or refused with a sentence that names the place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import xas_files as made
from support.xas_files import ENERGY, FLUORESCENCE, I0, IF, IT, MU

from materialsdock.errors import InputError
from materialsdock.formats import read_measured

T = np.log(I0 / IT)
TEXTS = {
    "XDI": (made.xdi(), T),
    "13-ID": (made.step_scan(), FLUORESCENCE),
    "Epics scan": (made.epics(), T),
    "SPEC": (made.spec(), T),
    "12-BM": (made.spec_12bm(), T),
    "MRCAT": (made.mrcat(), T),
    "XDAC": (made.xdac(), FLUORESCENCE),
    "LabVIEW": (made.labview(), T),
    "SSRL": (made.ssrl(micro=True), FLUORESCENCE),
    "CLS": (made.cls(), T),
    "9809": (made.pf9809(elements=4), FLUORESCENCE),
    "SRS": (made.srs("plain"), T),
    "Athena": (made.athena(packed=False), MU),
    "JSON": (made.athena_json(), MU),
    "named": (made.headed("# energy i0 it if", ENERGY, I0, IT, IF), T),
    "bare": (made.rows(ENERGY, MU), MU),
}
TWO_SIGNALS = {"XDAC"}  # of a scan that ends before its edge the other is as good
JUNK = st.sampled_from(
    ["\0", "nan", "-", "1e999", "\n", "#S 3 x", " 7", "keV", "\x1a", ",", "'", ")"]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "scan.dat"


def read(path, content):
    """What is read, or None for a refusal that names the file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        found = read_measured(path)
    except InputError as refused:
        named = str(path) in refused.where
        return None if named else pytest.fail(f"names no place: {refused}")
    assert found.x.size >= 20
    assert np.isfinite(found.x).all()
    assert np.isfinite(found.y).all()
    assert (np.diff(found.x) > 0).all()
    return found


@settings(max_examples=60, deadline=None)
@given(family=st.sampled_from(sorted(set(TEXTS) - TWO_SIGNALS)), keep=st.floats(0, 1))
@example(family="12-BM", keep=0.0625)
def test_a_file_that_was_cut_off_is_right_as_far_as_it_goes(path, family, keep):
    text, y = TEXTS[family]
    found = read(path, text[: int(keep * len(text))])
    if found is not None and found.technique == "xas":
        points = slice(0, -1)  # the last number may have lost its last digits
        np.testing.assert_allclose(found.x[points], ENERGY[: found.x.size - 1], atol=2e-3)
        np.testing.assert_allclose(found.y[points], y[: found.x.size - 1], rtol=2e-4, atol=2e-4)


@settings(max_examples=40, deadline=None)
@given(
    family=st.sampled_from(["XDI", "named", "bare"]),
    seed=st.integers(0, 99),
    far=st.integers(1, 200),
)
def test_rows_in_another_order_are_sorted_or_refused(path, family, seed, far):
    text, y = TEXTS[family]
    lines = text.splitlines()
    rng = np.random.default_rng(seed)
    first = next(i for i, line in enumerate(lines) if line and line[0].isdigit())
    order = np.argsort(np.arange(len(lines) - first) + far * rng.random(len(lines) - first))
    mixed = [*lines[:first], *(lines[first + i] for i in order)]
    found = read(path, "\n".join(mixed) + "\n")
    if found is not None:
        np.testing.assert_allclose(found.x, ENERGY, atol=2e-3)
        np.testing.assert_allclose(found.y, y, rtol=2e-4, atol=2e-4)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(4)), unit=st.sampled_from(["eV", "keV"]))
def test_columns_in_any_order_and_unit_are_found_by_name(path, order, unit):
    names = [f"energy {unit}", "i0", "itrans", "ifluor"]
    columns = [ENERGY / (1000 if unit == "keV" else 1), I0, IT, IF]
    found = read(path, made.xdi([names[i] for i in order], [columns[i] for i in order]))
    np.testing.assert_allclose(found.x, ENERGY, atol=2e-3)
    np.testing.assert_allclose(found.y, T, rtol=2e-4, atol=2e-4)


@settings(max_examples=60, deadline=None)
@given(
    family=st.sampled_from(sorted(TEXTS)),
    where=st.lists(st.tuples(st.floats(0, 1), JUNK), min_size=1, max_size=4),
)
def test_junk_in_a_file_is_read_or_refused(path, family, where):
    text, _ = TEXTS[family]
    for place, junk in where:
        at = int(place * len(text))
        text = text[:at] + junk + text[at:]
    read(path, text)


@settings(max_examples=6, deadline=None)
@given(keep=st.floats(0, 1), junk=st.binary(max_size=40))
def test_a_binary_file_that_was_cut_off_is_refused(path, keep, junk):
    whole = made.nxxas()
    found = read(path, whole[: int(keep * (len(whole) - 1))] + junk)
    assert found is None or found.x.size == ENERGY.size
