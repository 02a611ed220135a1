"""Measured files: recognised by content, read exactly, refused with line and remedy."""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.places import SHARED

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.formats import measured, read_measured
from materialsdock.formats.options import FileOptions
from materialsdock.model import Measured

X = np.round(20 + 0.02 * np.arange(50), 4)
Y = 100 + np.arange(50) % 7
NOT_SCANS = {".cif", ".instprm", ".ini", ".PRM"}
UNREADABLE = {"xaspy_xmcd_co.csv", "inamin_Fe-1.txt", "inamin_Fe-2.txt"}


def write(folder, text, name="scan.dat"):
    path = folder / name
    path.write_text(text)
    return path


def columns(separator, *extra):
    rows = zip(X, Y, *extra, strict=True)
    return "".join(
        separator.join(f"{v:g}" if v < 1e4 else str(v) for v in row) + "\n" for row in rows
    )


@pytest.mark.parametrize("separator", [" ", "\t", ",", ";", "   "])
@pytest.mark.parametrize("header", ["", "# 2theta counts\n", "angle,counts\n", "\n\n! made here\n"])
def test_two_columns_however_separated(tmp_path, separator, header):
    found = read_measured(write(tmp_path, header + columns(separator)))
    assert found.technique == "xrd"
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, Y)


def test_three_columns_carry_the_sd(tmp_path):
    found = read_measured(write(tmp_path, columns(" ", np.sqrt(Y)), "a.xye"))
    np.testing.assert_allclose(found.sigma, np.sqrt(Y), rtol=1e-5)


def test_gzip_is_read_as_what_it_holds(tmp_path):
    path = tmp_path / "a.xy.gz"
    path.write_bytes(gzip.compress(columns(" ").encode()))
    np.testing.assert_allclose(read_measured(path).y, Y)


def blocks(values, width, form="{:8d}"):
    return "".join(
        "".join(form.format(v) for v in values[i : i + width]) + "\n"
        for i in range(0, len(values), width)
    )


def test_fullprof_counts_after_start_step_end(tmp_path):
    found = read_measured(write(tmp_path, f"20.0 0.02 20.98\n{blocks(Y, 8)}"))
    assert found.kind.startswith("FullProf")
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, Y)
    with pytest.raises(InputError, match="cut short"):
        read_measured(write(tmp_path, f"20.0 0.02 20.98\n{blocks(Y[:40], 8)}"))


def test_gsas_std_and_its_padding(tmp_path):
    padded = np.concatenate([Y, [0, 0]])
    head = "title\nBANK 1 52 6 CONST 2000 2.0 0 0 STD\n"
    found = read_measured(write(tmp_path, head + blocks(padded, 10)))
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, Y)
    assert "2 zeros" in found.notes[0]


def test_uxd_with_a_short_last_row(tmp_path):
    head = "_START=20.0\n_STEPSIZE=0.02\n_STEPTIME=12.5\n_WL1=1.5406\n_WL2=1.54443\n_COUNTS\n"
    found = read_measured(write(tmp_path, head + blocks(Y, 8)))
    assert found.y.size == 50
    assert found.count_time_s == 12.5
    assert found.wavelengths_angstrom == (1.5406, 1.54443)
    with pytest.raises(InputError, match="_STEPSIZE missing"):
        read_measured(write(tmp_path, "_START=20\n_COUNTS\n" + blocks(Y, 8)))


def xdi(*names):
    head = "".join(f"# Column.{i}: {name}\n" for i, name in enumerate(names, 1))
    energy = np.linspace(7000, 7200, 60)
    rows = "".join(f"{e:.3f} {1000 + i} {500 + i}\n" for i, e in enumerate(energy))
    return f"# XDI/1.0\n{head}#---\n{rows}"


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("energy eV", "i0", "itrans"), np.log(1000 / 500)),
        (("energy eV", "itrans", "i0"), np.log(500 / 1000)),
        (("energy eV", "i0", "ifluor"), 0.5),
    ],
)
def test_xdi_columns_are_used_by_name(tmp_path, names, first):
    found = read_measured(write(tmp_path, xdi(*names)))
    assert found.technique == "xas"
    assert found.kind == "XDI"
    assert found.y[0] == pytest.approx(first)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("hello\nworld\n", "line 1"),
        ("1\n2\n3\n", "one column"),
        ("20 5\n20.02 6\n", "2 points are too few"),
        (columns(" ") + "21 nan\n", "line 51"),
        (columns(" ") + "21 -5\n", "line 51"),
        (columns(" ") + "20.5 5\n", "line 51"),
        (columns(" ") + "21 5 9\n", "line 51"),
        (columns(" ") + "21,5 oops\n", "line 51"),
        (xdi("energy eV", "spam", "ham"), "hold no µ"),
        ("BANK 1 50 5 LOGS 1 2 3\n1 2\n", "not a BANK of constant step"),
    ],
)
def test_a_wrong_file_ends_in_one_sentence_with_its_place(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as refused:
        read_measured(path)
    assert says in str(refused.value)
    assert str(path) in refused.value.where


@pytest.fixture(params=[False, True], ids=["as installed", "the other way round"])
def order(request, monkeypatch):
    """Techniques in either order of their entry points."""
    names = sorted(technique.known(), reverse=request.param)
    known = {name: technique.named(name) for name in names}
    monkeypatch.setattr(measured, "known", lambda: known)
    return names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (columns(" "), "xrd"),
        (f"20.0 0.02 20.98\n{blocks(Y, 8)}", "xrd"),
        (xdi("energy eV", "i0", "itrans"), "xas"),
        ("".join(f"{7000 + i} {0.5 + i / 100}\n" for i in range(50)), "xas"),
    ],
)
def test_the_order_of_techniques_does_not_matter(tmp_path, order, text, found):
    assert read_measured(write(tmp_path, text)).technique == found


@pytest.mark.parametrize("x", [np.linspace(-200, 100, 50), np.full(50, np.nan)])
def test_a_file_of_no_technique_asks_which_one(tmp_path, order, x):
    path = write(tmp_path, "".join(f"{each:g} 5\n" for each in x))
    with pytest.raises(InputError, match=r"x runs from .*--technique xas or --technique xrd"):
        read_measured(path)


def test_a_file_that_several_techniques_take_asks_which_one(tmp_path, order, monkeypatch):
    for name in order:
        monkeypatch.setattr(technique.named(name).formats(), "is_mine", lambda _: True)
    path = write(tmp_path, columns(" "))
    with pytest.raises(InputError, match="--technique xas or --technique xrd"):
        read_measured(path)
    assert read_measured(path, "xrd").technique == "xrd"
    xdi_in_uxd = "_START=20\n_STEPSIZE=0.02\n# Column.1: energy eV\n# Column.2: mu\n_COUNTS\n"
    path = write(tmp_path, xdi_in_uxd + blocks(Y, 8), "both.dat")
    with pytest.raises(InputError, match="a file of xas and xrd"):
        read_measured(path)


def test_an_unknown_technique_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"no technique 'nmr'.*available: x"):
        read_measured(write(tmp_path, columns(" ")), "nmr")


def test_binary_is_refused(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(b"RAW1.01\x00\x01\x02" * 50)
    with pytest.raises(InputError, match="binary"):
        read_measured(path)


@settings(max_examples=150)
@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_anything_else_is_measured_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.dat"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        assert isinstance(read_measured(path), Measured)


@settings(max_examples=100)
@given(cut=st.integers(0, 700), insert=st.sampled_from(["\x00", "nan", "BANK", "-", "1e999", "\n"]))
def test_a_damaged_file_is_measured_or_refused(tmp_path_factory, cut, insert):
    text = f"20.0 0.02 20.98\n{blocks(Y, 8)}"
    path = tmp_path_factory.getbasetemp() / "damaged.dat"
    path.write_text(text[:cut] + insert + text[cut:])
    with contextlib.suppress(InputError):
        assert np.isfinite(read_measured(path).y).all()


def manifest():
    if not (SHARED / "MANIFEST.csv").is_file():
        return []
    with (SHARED / "MANIFEST.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["points"]]


@pytest.mark.skipif(not manifest(), reason="no measured data beside the checkout")
@pytest.mark.parametrize("row", manifest(), ids=lambda row: Path(row["file"]).name)
def test_every_measured_file_is_read_whole(row):
    path = SHARED / row["file"]
    if path.name in UNREADABLE:
        with pytest.raises(InputError):
            read_measured(path)
        return
    found = read_measured(path)
    assert found.technique == row["technique"][:3].lower()
    assert found.x.size == int(row["points"])
    assert found.x[0] == pytest.approx(float(row["range_lo"]), abs=0.01)
    assert found.x[-1] == pytest.approx(float(row["range_hi"]), abs=0.01)


def test_the_patterns_that_come_with_rietx_are_read():
    folder = Path(importlib.util.find_spec("rietx").submodule_search_locations[0])
    fap = read_measured(folder / "data" / "examples" / "FAP.XRA")
    assert (fap.x.size, fap.x[0]) == (5751, 15.0)
    nac = read_measured(folder / "data" / "examples" / "11BM_NAC.fxye")
    assert nac.wavelengths_angstrom == (0.413909,)
    assert nac.sigma is not None


@pytest.mark.parametrize(
    ("heading", "asked", "says"),
    [
        ("# 2theta counts", {"edge": "Fe-K"}, "--edge speaks of files of X-ray absorption"),
        ("", {"group": "a"}, "--group speaks of .* this is one of powder diffraction"),
        ("", {"signal": "fluorescence"}, "--signal speaks of"),
        ("# energy mu", {"anode": "Cu"}, "--anode speaks of files of powder diffraction"),
        ("# energy mu", {"wavelengths_angstrom": (1.5,)}, "--wavelength speaks of"),
    ],
)
def test_an_option_of_another_technique_is_refused(tmp_path, heading, asked, says):
    x, y = (7000 + 10 * np.arange(50), Y / 100) if "energy" in heading else (X, Y)
    rows = "".join(f"{a} {b}\n" for a, b in zip(x, y, strict=True))
    path = write(tmp_path, f"{heading}\n{rows}")
    with pytest.raises(InputError, match=says) as refused:
        read_measured(path, None, FileOptions(**asked))
    assert "leave" in refused.value.remedy
    of_profile = FileOptions().over(FileOptions(**asked))
    assert read_measured(path, None, of_profile).x.size == 50


def test_columns_that_the_user_names_decide_whose_file_it_is(tmp_path):
    path = write(tmp_path, "".join(f"{7 + i / 100} {i} {i + 1}\n" for i in range(50)))
    asked = FileOptions(columns={"two_theta": (1,), "counts": (2,)}, unit="keV")
    with pytest.raises(InputError, match="no unit 'keV'"):
        read_measured(path, None, asked)
