"""From µ to χ(k), χ(R) and a shell: against closed forms, made EXAFS, larch and real spectra."""

from __future__ import annotations

import numpy as np
import pytest
from support.places import SHARED
from support.xas_samples import DEGENERACY, E0, REFF, exafs, feff_text, made_path

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.techniques.xas.exafs.background import remove_background
from materialsdock.techniques.xas.exafs.feff import parse_path, read_path
from materialsdock.techniques.xas.exafs.fourier import (
    K_STEP,
    R_STEP,
    independent_points,
    k_grid,
    partial_transform,
    r_grid,
    transform,
    window,
)
from materialsdock.techniques.xas.exafs.shell import FourierRange, fit_shell, misfit
from materialsdock.techniques.xas.spectrum.checks import check_curve, checked_edge

TRUTH = {"amplitude": 5.0, "distance": 2.13, "sigma2": 0.006, "e0_shift_ev": 1.5}
RANGE = FourierRange((3.0, 13.0), (1.0, 2.4))
DATA = SHARED / "xas"


def oscillations(**changes):
    energy, mu = exafs(TRUTH, **changes)
    return remove_background(energy, mu, E0, 1.3)


def test_the_transform_of_a_sine_has_its_closed_form():
    k, r0, ends = k_grid(20.0), 2.5, (3.0, 15.0)
    # a Hanning window with sills dk has the area of the range
    found = transform(np.sin(2 * k * r0) * window(k, *ends, 1.0, "hanning"))
    peak = int(np.argmax(np.abs(found)))
    assert peak * R_STEP == pytest.approx(r0, abs=R_STEP)
    assert np.abs(found[peak]) == pytest.approx(12.0 / (2 * np.sqrt(np.pi)), rel=0.01)


def test_the_transform_is_the_plain_sum():
    k = k_grid(12.0)
    chi = np.random.default_rng(0).standard_normal(k.size)
    r = r_grid(6.0)
    plain = K_STEP / np.sqrt(np.pi) * np.array([np.sum(chi * np.exp(-2j * k * each)) for each in r])
    assert transform(chi)[: r.size] == pytest.approx(plain, abs=1e-12)
    inside = (r >= 1.0) & (r <= 3.0)
    assert partial_transform(k.size, 1.0, 3.0) @ chi == pytest.approx(plain[inside], abs=1e-12)


@pytest.mark.parametrize("kind", ["kaiser", "hanning"])
def test_windows_rise_from_0_to_1_and_fall_back(kind):
    k = k_grid(20.0)
    shape = window(k, 3.0, 12.0, 2.0, kind)
    assert shape.max() == pytest.approx(1.0, abs=1e-3)
    assert not shape[(k < 1.95) | (k > 13.05)].any()
    assert shape.min() >= 0
    assert shape == pytest.approx(np.interp(15.0 - k, k, shape), abs=0.03)


@pytest.mark.parametrize(("ends", "dk"), [((12.0, 3.0), 1.0), ((3.0, 3.2), 2.0)])
def test_an_empty_window_is_refused(ends, dk):
    with pytest.raises(InputError):
        window(k_grid(20.0), *ends, dk, "hanning")


def test_the_same_windows_and_paths_as_larch(tmp_path):
    larch_xafs = pytest.importorskip("larch.xafs")
    k = k_grid(18.0)
    for kind in ("kaiser", "hanning"):
        theirs = larch_xafs.ftwindow(k, xmin=3, xmax=12, dx=2, window=kind)
        assert window(k, 3.0, 12.0, 2.0, kind) == pytest.approx(theirs, abs=1e-12)
        mine = transform(np.sin(4 * k) * theirs)
        assert mine == pytest.approx(larch_xafs.xftf_fast(np.sin(4 * k) * theirs), abs=1e-12)
    file = tmp_path / "feff0001.dat"
    file.write_text("\n".join(feff_text()))
    path = larch_xafs.feffpath(str(file), s02=0.8, e0=2.0, sigma2=0.006, deltar=0.01)
    larch_xafs.path2chi(path)
    mine = made_path().chi(
        path.k, amplitude=0.8 * 6, distance=REFF + 0.01, sigma2=0.006, e0_shift_ev=2.0
    )
    inside = (path.k > 1) & (path.k < 18)  # at the ends of the table splines differ
    assert mine[inside] == pytest.approx(path.chi[inside], abs=1e-7)


def test_background_removal_leaves_the_oscillations():
    found = oscillations()
    k = found.k
    inside = (k > 3.5) & (k < 13)
    truth = made_path().chi(k[inside], **TRUTH)
    assert np.std(found.chi[inside] - truth) < 0.06 * np.std(truth)
    low = np.abs(transform(found.chi * k**2 * window(k, 3.0, 13.0, 2.0)))[: int(0.7 / R_STEP)]
    high = np.abs(transform(found.chi * k**2 * window(k, 3.0, 13.0, 2.0)))
    assert low.max() < 0.1 * high.max()


def test_a_larger_rbkg_takes_more():
    energy, mu = exafs(TRUTH)
    sizes = [np.std(remove_background(energy, mu, E0, 1.3, rbkg=r).chi[60:]) for r in (1.0, 2.5)]
    assert sizes[1] < 0.5 * sizes[0]


def test_a_short_spectrum_has_no_exafs():
    energy, mu = exafs(TRUTH, length=50.0)
    with pytest.raises(InputError, match="measure to at least"):
        remove_background(energy, mu, E0, 1.3)


def test_a_made_shell_is_found_again():
    energy, mu = exafs(TRUTH)
    data = remove_background(energy, mu, E0, 1.3)
    found = fit_shell(data, made_path(), RANGE)
    assert found.distance == pytest.approx(2.13, abs=0.006)
    assert found.parameters["amplitude"].value == pytest.approx(5.0, rel=0.1)
    assert found.parameters["sigma2"].value == pytest.approx(0.006, abs=0.001)
    assert found.parameters["e0_shift_ev"].value == pytest.approx(1.5, abs=1.0)
    assert misfit(data, found.chi, RANGE) == pytest.approx(found.r_factor, rel=1e-6)
    assert found.n_idp == pytest.approx(independent_points(RANGE.k, RANGE.r))


def test_a_pure_path_is_found_exactly():
    data = oscillations()
    pure = made_path().chi(data.k, **TRUTH, third=3e-4)
    found = fit_shell(
        type(data)(data.k, pure, E0, 1.3, 1.0, data.background),
        made_path(),
        RANGE,
        third_cumulant=True,
    )
    for name, value in {**TRUTH, "third": 3e-4}.items():
        assert found.parameters[name].value == pytest.approx(value, rel=1e-3, abs=1e-5)


def test_esds_cover_the_noise():
    data = oscillations()
    pure = made_path().chi(data.k, **TRUTH)
    pulls = []
    for seed in range(30):
        noisy = pure + 0.004 * np.random.default_rng(seed).standard_normal(pure.size)
        made = type(data)(data.k, noisy, E0, 1.3, 1.0, data.background)
        found = fit_shell(made, made_path(), RANGE)
        pulls.append((found.distance - 2.13) / found.parameters["distance"].esd)
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 2.0


def test_ranges_too_small_for_the_parameters_are_refused():
    with pytest.raises(InputError, match="independent points"):
        fit_shell(oscillations(), made_path(), FourierRange((3.0, 6.0), (1.2, 2.2)))
    with pytest.raises(InputError, match="the data at"):
        fit_shell(oscillations(), made_path(), FourierRange((3.0, 30.0), (1.2, 2.2)))


def test_a_path_file_is_read_whole():
    path = made_path()
    assert (path.reff, path.degeneracy) == (REFF, DEGENERACY)
    assert path.k.size == 61
    assert path.amplitude[30] == pytest.approx(
        1.02 * 0.65 * 10 / 11 * np.exp(-((10 / 9) ** 2)), 1e-3
    )


TABLE = 12  # first line of the table in a made file


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [],
        lambda lines: [line for line in lines if "reff" not in line],
        lambda lines: lines[: TABLE + 5],
        lambda lines: [*lines[: TABLE + 2], "words in the table", *lines[TABLE + 3 :]],
        lambda lines: [*lines[:TABLE], lines[TABLE].replace("E", "nanE"), *lines[TABLE + 1 :]],
        lambda lines: lines[:TABLE] + lines[: TABLE - 1 : -1],
        lambda lines: [line.replace("6.000   2.1000", "6.000   -2.100") for line in lines],
    ],
    ids=["empty", "no reff", "short", "words", "nan", "backwards", "negative"],
)
def test_a_spoilt_path_file_is_refused(spoil):
    with pytest.raises(InputError, match="feff0001"):
        parse_path(spoil(feff_text()), "feff0001.dat")


def test_a_missing_path_file_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_path(tmp_path / "feff0001.dat")


@pytest.mark.parametrize(
    ("energy", "mu", "match"),
    [
        ([], [], "too few"),
        (np.arange(10.0), np.arange(9.0), "do not match"),
        (np.arange(30.0), np.full(30, np.nan), "not finite"),
        (np.r_[np.arange(30.0), 3.0], np.ones(31), "goes from"),
    ],
    ids=["empty", "unequal", "nan", "backwards"],
)
def test_what_is_no_curve_is_refused(energy, mu, match):
    with pytest.raises(InputError, match=match):
        check_curve(np.array(energy, dtype=float), np.array(mu, dtype=float))


def test_another_element_is_refused():
    energy, mu = exafs(TRUTH)
    assert checked_edge(energy, mu, "Fe K").e0_ev == pytest.approx(E0, abs=3)
    with pytest.raises(InputError, match="Cu K at 8979"):
        checked_edge(energy, mu, "Cu K")
    with pytest.raises(InputError, match="no edge"):
        checked_edge(energy, mu, "Xx K")


@pytest.mark.skipif(not DATA.is_dir(), reason="no measured data beside the checkout")
def test_copper_at_10_K():
    measured = read_measured(DATA / "xasdatalibrary/Cu/cu_metal_10K.xdi")
    edge = checked_edge(measured.x, measured.y, "Cu K")
    data = remove_background(measured.x, measured.y, edge.e0_ev, edge.edge_step)
    path = read_path(DATA / "xraylarch/feffcu01.dat")
    found = fit_shell(data, path, FourierRange((3.0, 16.0), (1.5, 2.7)))
    assert found.distance == pytest.approx(2.5478, abs=0.005)  # a = 3.603 Å
    assert 0.8 < found.parameters["amplitude"].value / 12 < 1.0
    assert found.r_factor < 0.005


def test_noise_has_no_edge():
    energy, _ = exafs(TRUTH)
    for seed in range(5):
        mu = 1.0 + 0.1 * np.random.default_rng(seed).standard_normal(energy.size)
        with pytest.raises(InputError):
            checked_edge(energy, mu)
