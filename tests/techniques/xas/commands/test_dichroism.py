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
from materialsdock.techniques.xas.dichroism.moments import MagneticAtom

ORBITAL, SPIN, ATOM = 0.085, 1.98, MagneticAtom(3.39)
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
    half = xmcd_command.run(xmcd_command.DichroismRequest(*pair, MagneticAtom(ATOM.holes, 0.5)))
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
    other = write(tmp_path / "others.dat", energy, flux, np.loadtxt(pair[1]).T[1] * flux)
    request = xmcd_command.DichroismRequest(path, other, ATOM, FileOptions(columns=COLUMNS))
    pairs, _ = xmcd_command.read_pairs(request)
    np.testing.assert_allclose(pairs.plus, mu, rtol=1e-6)
    assert pairs.energy_ev.size == energy.size


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


@pytest.fixture
def pairs(tmp_path):
    """Three pairs, each spectrum on a scale of its own."""
    files = []
    for seed, scale in enumerate((1.0, 1.7, 0.6)):
        energy, *both = dichroism(ORBITAL, SPIN, ATOM.holes, noise=2e-3, seed=seed)
        for sign, mu, factor in zip(("plus", "minus"), both, (scale, 1.1 * scale), strict=True):
            files.append(write(tmp_path / f"{sign}{seed}.dat", energy, factor * mu))
    return files


def test_the_mean_of_pairs_is_better_than_one_of_them(pairs):
    one = xmcd_command.run(xmcd_command.DichroismRequest(*pairs[:2], ATOM))
    all_three = xmcd_command.run(
        xmcd_command.DichroismRequest(*pairs[:2], ATOM, more=tuple(pairs[2:]))
    )
    assert (one["pairs"], all_three["pairs"]) == (1, 3)
    for name, true in (("m_orb", ORBITAL), ("m_spin_eff", SPIN)):
        each = all_three["moments"][name]
        assert abs(each["value"] - true) < 2 * each["sd"]
    spin, alone = (said["moments"]["m_spin_eff"] for said in (all_three, one))
    assert spin["sd_noise"] < alone["sd_noise"]
    words = xmcd_command.overview(all_three)
    assert "plus0.dat − minus0.dat and 2 more" in words
    assert "mean of 3 pairs, each spectrum divided by its mean before the edge" in words


def test_pairs_that_disagree_have_more_noise(pairs, tmp_path):
    energy, plus, minus = dichroism(ORBITAL, 1.2, ATOM.holes, noise=2e-3, seed=9)
    other = [write(tmp_path / f"{n}9.dat", energy, mu) for n, mu in (("p", plus), ("m", minus))]
    agreed, mixed = (
        xmcd_command.run(xmcd_command.DichroismRequest(*pairs[:2], ATOM, more=tuple(more)))
        for more in (pairs[2:4], other)
    )
    noises = [said["moments"]["m_spin_eff"]["sd_noise"] for said in (agreed, mixed)]
    assert noises[1] > 2 * noises[0]
    assert noises[1] == pytest.approx(0.4, rel=0.5)  # half of 1.98 - 1.2


def test_pairs_that_are_none_are_refused(pairs, tmp_path):
    def run(*files, **more):
        plus, minus, *rest = files
        request = xmcd_command.DichroismRequest(plus, minus, ATOM, more=tuple(rest), **more)
        return xmcd_command.run(request)

    with pytest.raises(InputError, match=r"plus0\.dat: is named twice"):
        run(pairs[0], pairs[0])
    with pytest.raises(InputError, match="3 spectra are no pairs"):
        run(*pairs[:3])
    copy = tmp_path / "copy.dat"
    copy.write_bytes(pairs[0].read_bytes())
    with pytest.raises(InputError, match=r"copy\.dat: µ⁺ and µ⁻ are the same spectrum"):
        run(pairs[0], copy)
    energy, mu = np.loadtxt(pairs[1]).T
    low = write(tmp_path / "low.dat", energy, mu - 2.0)
    with pytest.raises(InputError, match=r"low\.dat: its mean before the edge is -"):
        run(pairs[0], low, *pairs[2:4])
    with pytest.raises(InputError, match="no points from 600"):
        run(*pairs[:4], pre=(600.0, 601.0))


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
