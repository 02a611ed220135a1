"""Series taken apart: planted mixtures come back, noise is not a component, ambiguity is said."""

from __future__ import annotations

import csv
import json
from itertools import permutations

import numpy as np
import pytest
from support.places import SHARED

from materialsdock.cli import app
from materialsdock.errors import InputError
from materialsdock.fusion.series import command, factors
from materialsdock.fusion.series.curves import Series, SeriesCurve, prepared
from materialsdock.fusion.series.decomposition import decompose, noise_edge
from materialsdock.fusion.series.page import render_series
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE
from materialsdock.testing.planted_powder import PlantedScene, crystal_of, phase_curve

TWO_THETA = np.arange(20.0, 70.0, 0.04)
ENERGY = np.arange(7080.0, 7180.0, 0.5)
T = np.linspace(0.0, 1.0, 15)
RAMP = np.column_stack([np.maximum(1 - 2 * T, 0), 1 - np.abs(2 * T - 1), np.maximum(2 * T - 1, 0)])
PURE = []
for _structure in (CORUNDUM, ZINCITE, FLUORITE):
    _curve = phase_curve(crystal_of(_structure), PlantedScene(()), TWO_THETA)
    PURE.append(_curve / _curve.mean())


def patterns(shares, seed=0, counts=4e3):
    """Counted patterns of mixtures, `shares` (n, k) of their area, on a falling background."""
    rng = np.random.default_rng(seed)
    found = []
    for i, row in enumerate(shares):
        y = sum(s * pure for s, pure in zip(row, PURE, strict=False))
        drawn = rng.poisson(counts * y / PURE[0].max() + 30 + 20 * np.exp(-TWO_THETA / 30))
        y = drawn.astype(float)
        found.append(SeriesCurve(f"scan {i}", TWO_THETA, y, np.sqrt(np.maximum(y, 1.0))))
    return found


def spectra(shares, seed=0, noise=0.003):
    """Mixtures of two edges 4 eV apart, each with a slope and a step of its own."""
    rng = np.random.default_rng(seed)
    ends = [simulate_xanes(ENERGY), simulate_xanes(ENERGY - 4.0)]
    found = []
    for i, row in enumerate(shares):
        mu = sum(s * end for s, end in zip(row, ends, strict=True))
        mu = (1 + 0.3 * i) * mu + 0.1 + rng.normal(0, noise, ENERGY.size)
        found.append(SeriesCurve(f"spectrum {i}", ENERGY, mu))
    return found


def diffraction(curves, **options):
    return decompose(prepared(curves, subtract_background=True), distinct=True, **options)


def rms_error(found, truth):
    """Of the shares, for the order of components that suits best."""
    orders = permutations(range(truth.shape[1]))
    return min(np.sqrt(np.mean((found[:, list(order)] - truth) ** 2)) for order in orders)


# planted mixtures


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_a_ramp_through_three_phases(seed):
    found = diffraction(patterns(RAMP, seed))
    assert len(found.loadings) == 3
    assert rms_error(found.shares, RAMP) < 0.008
    assert found.shares.sum(axis=1) == pytest.approx(1.0)
    assert np.median(found.chi2) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_shares_where_no_curve_is_pure(seed):
    """Peaks of its own tell each phase, although it is never seen alone."""
    truth = np.random.default_rng(seed).dirichlet(np.full(3, 2.0), 15)
    assert truth.max() < 0.95
    found = diffraction(patterns(truth, seed))
    assert len(found.loadings) == 3
    assert rms_error(found.shares, truth) < 0.03


def test_loadings_are_the_pure_patterns():
    found = diffraction(patterns(RAMP))
    overlap = np.corrcoef(np.vstack([found.loadings, PURE]))[:3, 3:]
    assert overlap.max(axis=0) == pytest.approx(1.0, abs=2e-3)
    assert sorted(np.argmax(overlap, axis=1)) == [0, 1, 2]
    assert (found.loadings >= 0).all()
    # by how much of the series they make
    assert (np.diff(found.scores.sum(axis=0)) < 0).all()


def test_sd_of_the_shares_is_their_scatter():
    one = np.array([[0.3, 0.7]] * 4 + [[1.0, 0.0], [0.0, 1.0]])
    runs = [diffraction(patterns(one, seed), components=2) for seed in range(12)]
    firsts = []
    for found in runs:
        k = int(np.argmax(found.shares[4]))  # the component that curve 4 is made of
        firsts.append((found.scores[:4, k], found.scores_sd[0, k]))
    scatter = np.mean([values.std(ddof=1) for values, _ in firsts])
    assert scatter == pytest.approx(np.mean([sd for _, sd in firsts]), rel=0.4)


@pytest.mark.parametrize("seed", range(2))
def test_spectra_of_two_states_on_the_way(seed):
    truth = np.column_stack([1 - T, T])
    found = decompose(prepared(spectra(truth, seed), normalisation="edge"))
    assert len(found.loadings) == 2
    assert rms_error(found.shares, truth) < 0.02


def test_spectra_that_are_never_pure_are_called_ambiguous():
    truth = np.column_stack([0.7 - 0.4 * T, 0.3 + 0.4 * T])
    found = decompose(prepared(spectra(truth), normalisation="edge"))
    assert any("would fit as well without" in note for note in found.notes)
    assert rms_error(found.shares, truth) > 0.1  # and so they are wrong, which is why it is said


# how many


@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_has_no_component(seed):
    flat = [
        SeriesCurve(str(i), TWO_THETA, y, np.full(y.size, 2.0))
        for i, y in enumerate(np.random.default_rng(seed).normal(100, 2, (12, TWO_THETA.size)))
    ]
    with pytest.raises(InputError, match="do not differ by more than their noise"):
        decompose(prepared(flat, normalisation="none"), method="pca")


def test_the_noise_edge_is_passed_by_one_in_a_hundred():
    rng = np.random.default_rng(0)
    largest = [np.linalg.svd(rng.normal(size=(10, 200)), compute_uv=False)[0] for _ in range(600)]
    assert np.mean(np.array(largest) > noise_edge(10, 200)) == pytest.approx(0.01, abs=0.012)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_number_of_phases(count):
    truth = np.random.default_rng(count).dirichlet(np.ones(count), 12)
    truth = np.hstack([truth, np.zeros((12, 3 - count))])
    assert len(diffraction(patterns(truth)).loadings) == count
    if count > 1:  # the mean takes one
        assert len(diffraction(patterns(truth), method="pca").loadings) == count - 1


def test_the_number_can_be_asked_for():
    found = diffraction(patterns(RAMP), components=2)
    assert len(found.loadings) == 2
    assert found.rule.startswith("2 components were asked for; by the rule, 3 components")
    assert np.median(found.chi2) > 3
    with pytest.raises(InputError, match="15 components of 15 curves"):
        diffraction(patterns(RAMP), components=15)


def test_a_curve_that_does_not_belong_is_named():
    curves = patterns(np.column_stack([1 - T, T]))
    strange = curves[7].y.copy()
    strange[700:705] += 300
    curves[7] = SeriesCurve("strange", TWO_THETA, strange, curves[7].sigma)
    found = diffraction(curves, components=2)
    assert [note for note in found.notes if note.startswith("strange is not described")]
    assert not [note for note in found.notes if note.startswith("scan")]


# principal components


def test_pca_is_that_of_scikit_learn_where_noise_is_even():
    from sklearn.decomposition import PCA  # 0.7 s, in whoever collects this file

    rng = np.random.default_rng(3)
    y = np.outer(rng.normal(size=9), rng.normal(size=60)) + rng.normal(0, 0.01, (9, 60)) + 5
    series = Series(tuple("abcdefghi"), np.arange(60.0), y, np.full(y.shape, 0.01))
    found = decompose(series, method="pca")
    theirs = PCA(1).fit(y)
    assert found.mean == pytest.approx(theirs.mean_)
    share = found.loadings[0] / np.linalg.norm(found.loadings[0])
    assert np.abs(share @ theirs.components_[0]) == pytest.approx(1.0)
    explained = np.outer(found.scores[:, 0], found.loadings[0])
    assert explained == pytest.approx(theirs.inverse_transform(theirs.transform(y)) - y.mean(0))


def test_noisy_curves_count_less():
    """A series with one curve counted a hundred times shorter keeps its components."""
    curves = patterns(RAMP, counts=4e3)
    weak = patterns(RAMP[7:8], seed=9, counts=40)[0]
    curves[7] = SeriesCurve("weak", TWO_THETA, weak.y, weak.sigma)
    found = diffraction(curves)
    assert len(found.loadings) == 3
    kept = np.delete(np.arange(15), 7)
    assert rms_error(found.shares[kept], RAMP[kept]) < 0.01
    assert found.scores_sd[7].max() > 3 * found.scores_sd[0].max()


# pieces


def test_pure_rows_are_found():
    rng = np.random.default_rng(0)
    ends = rng.random((3, 50))
    mixed = rng.dirichlet(np.ones(3), 20)
    rows = np.vstack([mixed @ ends, 5 * ends])
    assert set(factors.purest(rows, 3)) == {20, 21, 22}


def test_most_distinct_loadings_of_overlapping_curves():
    x = np.linspace(0, 1, 100)
    one, two = np.exp(-(((x - 0.3) / 0.1) ** 2)), np.exp(-(((x - 0.7) / 0.1) ** 2))
    mixed = np.array([one + 0.3 * two, two])
    assert factors.room_between(mixed)[0, 1] == pytest.approx(0.3, abs=0.02)
    apart = factors.most_distinct(mixed, np.zeros(2))
    assert factors.room_between(apart).max() < 0.01
    assert np.corrcoef(apart[0], one)[0, 1] > 0.999


def test_the_common_grid_is_that_of_the_coarsest():
    fine, coarse = np.arange(10.0, 60.0, 0.02), np.arange(12.0, 70.0, 0.05)
    curves = [SeriesCurve("f", fine, fine**2, np.ones(fine.size))] * 3
    curves.append(SeriesCurve("c", coarse, coarse**2, np.ones(coarse.size)))
    series = prepared(curves, normalisation="none")
    assert series.x[0] == 12.0
    assert series.x[-1] == pytest.approx(59.95)
    assert series.x.size == 960
    assert series.y[0] == pytest.approx(series.x**2, rel=1e-4)
    assert (series.sigma[0] <= 1).all()  # two points averaged
    assert series.sigma[3] == pytest.approx(1)


def test_scatter_between_neighbours_is_the_noise():
    (curve,) = spectra([[1.0, 0.0]], noise=0.01)
    series = prepared([curve] * 4, normalisation="none")
    assert series.sigma[0] == pytest.approx(0.01, rel=0.25)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c[:3], "3 curves are no series"),
        (lambda c: c[:1], "1 curve is no series"),
        (
            lambda c: [*c[:3], SeriesCurve("far", c[0].x + 90, c[0].y, c[0].sigma)],
            "0 common points",
        ),
        (lambda c: [*c[:3], SeriesCurve("odd", c[0].x, c[0].y[1:])], "odd: its columns differ"),
        (
            lambda c: [*c[:3], SeriesCurve("nan", c[0].x, c[0].y * np.nan)],
            "nan: has values that are not",
        ),
        (
            lambda c: [*c[:3], SeriesCurve("back", c[0].x[::-1], c[0].y)],
            "back: its positions do not",
        ),
        (lambda c: [*c[:3], SeriesCurve("sure", c[0].x, c[0].y, 0 * c[0].y)], "sure: its sigma"),
        (
            lambda c: [*c[:3], SeriesCurve("zero", c[0].x, 0 * c[0].y, c[0].sigma)],
            "zero: its mean is 0",
        ),
        (lambda c: [*c[:3], SeriesCurve("smooth", c[0].x, c[0].x)], "smooth: shows no noise"),
    ],
    ids=["few", "one", "apart", "length", "nan", "order", "sigma", "empty", "smooth"],
)
def test_what_is_no_series_is_one_clear_error(change, words):
    with pytest.raises(InputError, match=words):
        prepared(change(patterns(RAMP)))


# report and command


@pytest.mark.parametrize("method", ["nmf", "pca"])
def test_the_page_shows_all_of_it_and_names_are_inert(method):
    curves = patterns(RAMP)
    evil = "<img src=x onerror=alert(1)>$x$"
    curves[2] = SeriesCurve(evil, curves[2].x, curves[2].y, curves[2].sigma)
    found = diffraction(curves, method=method)
    page = render_series(found, "deg")
    assert page.count("<svg") == 4
    assert "scan 13" in page
    assert found.rule in page
    assert ("share (%)" in page) == (method == "nmf")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;img src=x" in page


@pytest.fixture
def files(tmp_path):
    for i, curve in enumerate(patterns(RAMP)):
        np.savetxt(tmp_path / f"scan_{i:02d}.xye", np.column_stack([curve.x, curve.y, curve.sigma]))
    return sorted(tmp_path.glob("*.xye"))


def test_the_command_writes_report_and_tables(files, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(
        "sys.argv", ["materialsdock", "series", *map(str, files), "--out", str(out), "--json"]
    )
    app.main()
    said = json.loads(capsys.readouterr().out)
    assert said["components"] == 3
    assert rms_error(np.array(said["shares"]), RAMP) < 0.01
    assert (out / "series.html").is_file()
    rows = list(csv.reader((out / "scores.csv").read_text().splitlines()))
    assert len(rows) == 16
    assert rows[0][:3] == ["curve", "component 1", "component 1 sd"]
    table = np.loadtxt(out / "loadings.csv", delimiter=",", skiprows=1)
    assert table.shape == (TWO_THETA.size, 5)


def test_files_that_make_no_series_are_all_named(files, tmp_path):
    (tmp_path / "prose.xy").write_text("no numbers here\n")
    missing = tmp_path / "missing.xy"
    with pytest.raises(InputError, match=r"prose\.xy.*missing\.xy"):
        command.read_curves([*files, tmp_path / "prose.xy", missing])
    with pytest.raises(InputError, match="unknown method 'ica'"):
        command.take_apart(files, tmp_path, method="ica", components=None)
    np.savetxt(tmp_path / "edge.dat", np.column_stack([ENERGY, simulate_xanes(ENERGY)]))
    with pytest.raises(InputError, match="diffraction and absorption"):
        command.read_curves([*files, tmp_path / "edge.dat"])


# measured data


def measured(folder, pattern, count):
    found = sorted((SHARED / folder).glob(pattern))
    if len(found) != count:
        pytest.skip(f"{folder} is not here")
    return found


def test_repeated_scans_of_two_oxides(tmp_path):
    """Three scans each of MnO and MnO2 at the Mn K edge."""
    paths = measured("xas/xasdatalibrary/Mn", "*.xdi", 6)
    found, _ = command.take_apart(paths, tmp_path, method="nmf", components=None)
    assert len(found.loadings) == 2
    for group in (slice(0, 3), slice(3, 6)):
        assert np.ptp(found.shares[group, 0]) < 0.05
    assert abs(found.shares[0, 0] - found.shares[5, 0]) > 0.95


def test_magnetite_is_two_thirds_ferric(tmp_path):
    """Fe3O4 = FeO·Fe2O3: 2/3 of its iron is ferric; a component for each of four standards."""
    paths = measured("xas/xasdatalibrary/Fe", "*.xdi", 6)
    found, _ = command.take_apart(paths, tmp_path, method="nmf", components=4)
    at = {name.split("_")[0]: i for i, name in enumerate(found.series.names)}
    ferric = int(np.argmax(found.shares[at["Fe2O3"]]))
    assert found.shares[at["Fe3O4"], ferric] == pytest.approx(2 / 3, abs=0.06)
