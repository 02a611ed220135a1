"""`materialsdock xas xmcd`: moments of known spectra, the page, one sentence for bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.places import SHARED
from support.xas_samples import dichroism
from typer.testing import CliRunner

from materialsdock.cli import app
from materialsdock.errors import InputError
from materialsdock.formats.options import FileOptions
from materialsdock.techniques.xas.commands import dichroism as xmcd_command
from materialsdock.techniques.xas.dichroism.moments import Atom

ORBITAL, SPIN, ATOM = 0.085, 1.98, Atom(3.39)
COLUMNS = {"energy": (1,), "if": (3,), "i0": (2,)}


def write(path, *columns):
    np.savetxt(path, np.column_stack(columns), fmt="%.9g")
    return path


@pytest.fixture
def pair(tmp_path):
    energy, plus, minus = dichroism(ORBITAL, SPIN, ATOM.holes, noise=5e-4)
    return write(tmp_path / "plus.dat", energy, plus), write(tmp_path / "minus.dat", energy, minus)


def test_known_moments_with_their_page(pair, tmp_path):
    request = xmcd_command.DichroismRequest(
        *pair, ATOM, FileOptions(edge="Fe-L3"), out=tmp_path / "out"
    )
    said = xmcd_command.run(request)
    for name, true in (("m_orb", ORBITAL), ("m_spin_eff", SPIN)):
        each = said["moments"][name]
        assert abs(each["value"] - true) < 2 * each["sd"]
        assert each["extremes"][0] <= each["value"] <= each["extremes"][1]
        assert each["sd"] == pytest.approx(np.hypot(each["sd_noise"], each["sd_background"]), 1e-3)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    page = (tmp_path / "out" / "plus.xmcd.html").read_text()
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert "backgrounds" in xmcd_command.overview(said)


def test_half_the_polarisation_is_twice_the_moment(pair):
    full = xmcd_command.run(xmcd_command.DichroismRequest(*pair, ATOM))
    half = xmcd_command.run(xmcd_command.DichroismRequest(*pair, Atom(ATOM.holes, 0.5)))
    ratio = half["moments"]["m_spin_eff"]["value"] / full["moments"]["m_spin_eff"]["value"]
    assert ratio == pytest.approx(2.0, rel=1e-4)


def test_windows_asked_for_are_drawn(pair):
    request = xmcd_command.DichroismRequest(*pair, ATOM, pre=(688.0, 699.0), cut=714.5)
    found = xmcd_command.run(request)["background_drawn"]
    assert (found["pre_ev"], found["cut_ev"]) == ([688.0, 699.0], 714.5)


def test_columns_are_signal_over_flux(pair, tmp_path):
    energy, mu = np.loadtxt(pair[0]).T
    flux = 1e5 * (1 + 0.1 * np.sin(energy / 7))
    path = write(tmp_path / "counts.dat", energy, flux, mu * flux)
    request = xmcd_command.DichroismRequest(path, pair[1], ATOM, FileOptions(columns=COLUMNS))
    found, signal, _ = xmcd_command._read(path, request.file)
    np.testing.assert_allclose(signal, mu, rtol=1e-6)
    assert found.size == energy.size


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--holes", "12"], "holes 12"),
        (["--holes", "3.4", "--columns", "1;2"], "cannot read '1;2'"),
        (["--holes", "3.4", "--columns", "energy=1,mu=7"], "the file has 2"),
        (["--holes", "3.4", "--edge", "Co-L3"], "rises at 70"),
        (["--holes", "3.4", "--pre", "600", "601"], "the pre-edge range ends at 601.0 eV"),
    ],
)
def test_bad_requests_are_one_sentence(pair, options, said):
    done = CliRunner().invoke(app.app, ["xas", "xmcd", *map(str, pair), *options])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)


def test_spectra_apart_are_refused(pair, tmp_path):
    energy, mu = np.loadtxt(pair[1]).T
    far = write(tmp_path / "far.dat", energy + 500, mu)
    with pytest.raises(InputError, match="do not overlap"):
        xmcd_command.run(xmcd_command.DichroismRequest(pair[0], far, ATOM))


def test_the_command_prints_one_object(pair):
    done = CliRunner().invoke(
        app.app, ["xas", "xmcd", *map(str, pair), "--holes", "3.39", "--json"]
    )
    assert json.loads(done.stdout)["assumed"]["holes"] == 3.39


@pytest.mark.skipif(not (SHARED / "xas/xmcd").is_dir(), reason="measured data are not here")
def test_measured_iron_holds_the_published_moments_and_says_what_it_does_not_know():
    files = [SHARED / f"xas/xmcd/inamin_Fe-{i}.txt" for i in (1, 2)]
    found = xmcd_command.run(
        xmcd_command.DichroismRequest(*files, ATOM, FileOptions(edge="Fe-L3", columns=COLUMNS))
    )
    # bulk iron, Chen et al., PRL 75, 152 (1995)
    for name, published in (("m_orb", 0.085), ("m_spin_eff", 1.98)):
        each = found["moments"][name]
        assert abs(each["value"] - published) < 2 * each["sd"]
    assert found["verdict"] == "ambiguous"
    assert any("background" in reason for reason in found["reasons"])
