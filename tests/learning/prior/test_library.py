"""Library priors: learned from standards, kept in a file, set on a spectrum, refused when wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.places import SHARED
from typer.testing import CliRunner

from materialsdock.cli import app
from materialsdock.cli.request import MeasureRequest
from materialsdock.errors import InputError, ModelFault
from materialsdock.formats.options import FileOptions
from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.prior import placement
from materialsdock.learning.prior.library import PriorStandard, load
from materialsdock.profile import config, siteroot
from materialsdock.techniques.xas.commands import learn_prior
from materialsdock.techniques.xas.section import prior_file
from materialsdock.techniques.xas.spectrum.edge import locate
from materialsdock.techniques.xas.spectrum.edge_table import named
from materialsdock.techniques.xas.spectrum.grids import prior_grid
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xas.standards import read_standard

GRID = np.linspace(7076.0, 7181.0, 211)
NOISE = 0.01
KINDS = [
    (7112.0, 0.55, 0.05, 1.98),
    (7116.0, 0.3, 0.09, 2.1),
    (7118.0, 0.7, 0.03, 1.9),
    (7114.0, 0.45, 0.12, 2.25),
]


def spectrum(energy_ev, e0_ev, white_line, pre_edge_peak, distance):
    return simulate_xanes(
        energy_ev,
        e0_ev=e0_ev,
        white_line=white_line,
        pre_edge_peak=pre_edge_peak,
        distance_angstrom=distance,
    )


def standard(name, *kind):
    energy = np.arange(7000.0, 7400.0, 0.5)
    found = locate(energy, spectrum(energy, *kind))
    return PriorStandard(name, found.e0_ev, energy - found.e0_ev, found.flat)


@pytest.fixture(scope="module")
def standards():
    return [standard(f"simulated {i}", *kind) for i, kind in enumerate(KINDS)]


@pytest.fixture(scope="module")
def learning():
    """The module, imported by the one worker that needs torch."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|linear_oper")
        from materialsdock.learning.prior import learning
    return learning


@pytest.fixture(scope="module")
def prior(learning, standards):
    return learning.learn(standards, "Fe K", prior_grid)


@pytest.fixture(scope="module")
def left_out(learning, standards):
    """What is learned of all but the first."""
    return learning.learn(standards[1:], "Fe K", prior_grid)


def counted(truth, places, seed=0):
    rng = np.random.default_rng(seed)
    at = np.linspace(0, GRID.size - 1, places).round().astype(int)
    return at, truth[at] + NOISE * rng.standard_normal(places), np.full(places, NOISE**2)


def grown(kernel, at, y, noise):
    posterior = placement.posterior(GRID, kernel)
    for each in zip(at.tolist(), y.tolist(), noise.tolist(), strict=True):
        posterior.update(*each)
    return posterior


def test_what_is_learned_describes_the_standards(prior, standards):
    assert prior.sources == tuple(each.name for each in standards)
    curves = [np.interp(prior.energy_ev, each.energy_ev, each.flat) for each in standards]
    np.testing.assert_allclose(prior.mean, np.mean(curves, axis=0), atol=1e-12)
    np.testing.assert_allclose(prior.edges_ev, [each.e0_ev for each in standards])
    assert (np.diff(prior.u) > 0).all()
    assert prior.sd.min() > 0
    near, far = (abs(prior.energy_ev - at) < 5 for at in (0.0, 150.0))
    assert (
        np.gradient(prior.u, prior.energy_ev)[near].min()
        > 2 * np.gradient(prior.u, prior.energy_ev)[far].max()
    )


def test_learning_again_gives_the_same(learning, prior, standards):
    again = learning.learn(standards, "Fe K", prior_grid)
    np.testing.assert_array_equal(again.sd, prior.sd)
    np.testing.assert_array_equal(again.u, prior.u)


def test_what_is_learned_is_likelier_than_where_the_search_began(learning, standards, monkeypatch):
    found = learning.learn(standards, "Fe K", prior_grid).learned["log_likelihood_per_standard"]
    monkeypatch.setattr(learning, "ROUNDS", 0)
    assert (
        found
        > learning.learn(standards, "Fe K", prior_grid).learned["log_likelihood_per_standard"] + 1
    )


def test_repeats_count_once(learning, prior, standards):
    twice = learning.learn([*standards, replace(standards[0], name="again")], "Fe K", prior_grid)
    assert twice.sources[-1] == "again"
    np.testing.assert_allclose(twice.mean, prior.mean, atol=1e-12)
    with pytest.raises(InputError, match="2 different standards among 4 files"):
        learning.learn([*standards[:2], *standards[:2]], "Fe K", prior_grid)


def test_short_spectra_are_refused_by_name(learning, standards):
    short = replace(standards[1], energy_ev=np.linspace(-10, 300, 800), name="short one")
    with pytest.raises(InputError, match="short one"):
        learning.learn([*standards, short], "Fe K", prior_grid)
    with pytest.raises(InputError, match="no standards"):
        learning.learn([], "Fe K", prior_grid)


def test_the_kernel_is_one_symmetric_positive_function(prior):
    kernel = placement.unplaced(prior, edge_step=2.0)
    x = np.linspace(7000.0, 7900.0, 60)
    matrix = kernel(x, x)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-12)
    np.testing.assert_allclose(np.diag(matrix), kernel.diagonal(x), rtol=1e-12)
    np.testing.assert_allclose(kernel.rows(x)(7), matrix[7], rtol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * matrix.max()
    doubled = prior.kernel(kernel.e0_ev, e0_sd_ev=kernel.e0_sd_ev, edge_step=4.0)
    np.testing.assert_allclose(doubled(x, x), 4.0 * matrix)
    np.testing.assert_allclose(doubled.mean(x), 2.0 * kernel.mean(x))


def test_an_uncertain_position_is_the_moments_of_a_moving_edge(prior):
    x, e0, sd = np.linspace(7105.0, 7130.0, 40), 7115.0, 2.0
    wide, sharp = prior.kernel(e0, e0_sd_ev=sd), prior.kernel(e0, e0_sd_ev=1e-6)
    rng = np.random.default_rng(0)
    moved = np.array(
        [
            np.interp(x - e0 - shift, prior.energy_ev, prior.mean)
            for shift in sd * np.clip(rng.standard_normal(20_000), -2.8, 2.8)
        ]
    )
    np.testing.assert_allclose(wide.mean(x), moved.mean(axis=0), atol=0.02)
    added = np.diag(wide(x, x) - sharp(x, x)) - 0.09 * (wide.mean(x) ** 2 - sharp.mean(x) ** 2)
    np.testing.assert_allclose(added, moved.var(axis=0), atol=0.01)


def test_beyond_the_library_it_knows_less(prior):
    kernel = prior.kernel(7112.0)
    end = 7112.0 + prior.energy_ev[-1]
    x = np.array([end, end + 500.0])
    rest = kernel(x, x) - prior.kernel(7112.0, scale=1e-9)(x, x)
    assert rest[0, 1] < 0.1 * rest[0, 0]


def test_posterior_under_a_library_prior_is_dense_algebra(prior):
    at, y, noise = counted(spectrum(GRID, *KINDS[0]), 17)
    kernel = prior.kernel(7113.0)
    posterior = grown(kernel, at, y, noise)
    cross = kernel(GRID[at], GRID)
    matrix = kernel(GRID[at], GRID[at]) + np.diag(noise)
    solved = np.linalg.solve(matrix, np.column_stack([y - kernel.mean(GRID[at]), cross]))
    np.testing.assert_allclose(
        posterior.mean, kernel.mean(GRID) + cross.T @ solved[:, 0], atol=1e-6
    )
    covariance = kernel(GRID, GRID) - cross.T @ solved[:, 1:]
    np.testing.assert_allclose(posterior.covariance(), covariance, atol=1e-7)
    mean, sd = posterior.at(GRID[3:9] + 0.1)
    assert np.isfinite(mean).all()
    assert (sd > 0).all()
    untouched, sd = placement.posterior(GRID, kernel).at(GRID)
    np.testing.assert_array_equal(untouched, kernel.mean(GRID))
    np.testing.assert_allclose(sd**2, GridPosterior(GRID, kernel).variance)


@pytest.mark.parametrize(("unit", "offset"), [(1.0, 0.0), (0.15, -2.0), (3.0, 1.0)])
def test_a_raw_spectrum_is_placed_whatever_its_unit(left_out, standards, unit, offset):
    truth = spectrum(GRID, *KINDS[0])
    at, y, noise = counted(truth, 24)
    kernel = placement.place(left_out, GRID[at], unit * y + offset, unit**2 * noise)
    assert kernel.e0_ev == pytest.approx(standards[0].e0_ev, abs=1.5)
    assert kernel.edge_step == pytest.approx(unit, rel=0.35)
    found = grown(kernel, at, unit * y + offset, unit**2 * noise).mean
    assert np.sqrt(np.mean((found - offset - unit * truth) ** 2)) < 0.03 * unit


def test_placing_needs_numbers_that_differ(prior):
    x = GRID[::20]
    for y in (np.ones(x.size), np.full(x.size, np.nan)):
        with pytest.raises(ModelFault, match="not finite, or all equal"):
            placement.place(prior, x, y, np.full(x.size, 1e-4))


def test_a_right_prior_agrees_and_too_few_counts_refuse_nothing(left_out):
    at, y, noise = counted(spectrum(GRID, *KINDS[0]), 20)
    posterior = grown(placement.place(left_out, GRID[at], y, noise), at, y, noise)
    verdict = placement.agreement(posterior, posterior.log_likelihood + 9.0)
    assert verdict.ok, verdict.reason
    assert "over 15 of 20 counts" in verdict.reason
    few = placement.agreement(grown(left_out.kernel(7112.0), at[:5], 9.0 * y[:5], noise[:5]))
    assert few.ok
    assert "too few" in few.reason


def test_wrong_priors_are_refused_with_the_numbers(prior):
    at, y, noise = counted(spectrum(GRID, *KINDS[0]), 20)
    far = grown(prior.kernel(7140.0), at, y, noise)
    verdict = placement.agreement(far)
    assert not verdict.ok
    assert "refused: mean z²" in verdict.reason
    right = grown(placement.place(prior, GRID[at], y, noise), at, y, noise)
    verdict = placement.agreement(right, right.log_likelihood + 10.5)
    assert not verdict.ok
    assert "-10.5 against none" in verdict.reason


def test_the_file_gives_back_the_prior(prior, tmp_path):
    path = tmp_path / "Fe-K.prior.npz"
    prior.save(path)
    again = load(path)
    assert (again.edge, again.sources, again.learned) == (
        prior.edge,
        prior.sources,
        dict(prior.learned),
    )
    x = np.linspace(7080.0, 7180.0, 30)
    np.testing.assert_array_equal(again.kernel(7112.0)(x, x), prior.kernel(7112.0)(x, x))
    assert path.stat().st_size < 200_000


def test_files_that_are_none_of_ours_are_refused(prior, tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(InputError, match="not a library prior"):
        load(path)
    path.write_text("energy mu")
    with pytest.raises(InputError, match="materialsdock prior learn"):
        load(path)
    replace(prior, version=99).save(path)
    with pytest.raises(InputError, match="version 99, but 1 is read here"):
        load(path)
    replace(prior, mean=prior.mean[:-1], sd=prior.sd * np.nan).save(path)
    with pytest.raises(InputError, match=r"sd is not finite"):
        load(path)
    replace(prior, mean=prior.mean[:-1]).save(path)
    with pytest.raises(InputError, match=r"mean has shape"):
        load(path)
    replace(prior, edge=7).save(path)
    with pytest.raises(InputError, match=r"no edge"):
        load(path)
    replace(prior, mean=np.full(prior.mean.shape, "x")).save(path)
    with pytest.raises(InputError, match=r"mean is not numbers"):
        load(path)
    for broken in (np.arange(3.0), [1, 2]):
        np.save(path.with_suffix(".npy"), broken)
        with pytest.raises(InputError, match=r"not a library prior"):
            load(path.with_suffix(".npy"))
    np.savez(path, about=np.array("[1, 2]"))
    with pytest.raises(InputError, match=r"no table"):
        load(path)


def test_the_measuring_path_imports_neither_torch_nor_what_only_a_search_needs():
    program = (
        "import sys; import materialsdock.learning.prior.placement; "
        "import materialsdock.campaign.run; "
        "assert not {'optuna', 'scipy.signal', 'scipy.stats'} & set(sys.modules); "
        "import materialsdock.techniques.xas.commands.learn_prior; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def xdi(path, kind):
    energy = np.arange(7000.0, 7400.0, 1.0)
    rows = "\n".join(
        f"{e:.2f} {y:.6f}" for e, y in zip(energy, spectrum(energy, *kind), strict=True)
    )
    path.write_text(f"# XDI/1.0\n# Column.1: energy eV\n# Column.2: mutrans\n#---\n{rows}\n")
    return path


def test_the_command_learns_from_files_and_refuses_other_edges(tmp_path):
    files = [xdi(tmp_path / f"s{i}.xdi", kind) for i, kind in enumerate(KINDS)]
    said = learn_prior.learn_prior(files, FileOptions(edge="fe-k"), tmp_path / "mine.npz")
    assert (said["edge"], said["different"]) == ("Fe K", 4)
    assert load(tmp_path / "mine.npz").sources == ("s0", "s1", "s2", "s3")
    assert "4 different standards in 4 files" in learn_prior.overview(said)
    with pytest.raises(InputError, match=r"s0\.xdi, --edge: Mn K is at 6539 eV.*rises at"):
        learn_prior.learn_prior(files, FileOptions(edge="Mn-K"), tmp_path / "other.npz")
    with pytest.raises(InputError, match="no edge 'Fe'"):
        learn_prior.learn_prior(files, FileOptions(edge="Fe"), None)


def test_the_command_line_prints_what_was_learned(tmp_path):
    files = [str(xdi(tmp_path / f"s{i}.xdi", kind)) for i, kind in enumerate(KINDS)]
    out = tmp_path / "Fe-K.prior.npz"
    command = ["prior", "learn", *files, "--edge", "Fe-K", "--out", str(out)]
    done = CliRunner().invoke(app.app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["standards"] == ["s0", "s1", "s2", "s3"]
    assert load(out).edge == "Fe K"
    assert "4 different standards" in CliRunner().invoke(app.app, command).stdout


def test_standards_are_read_as_the_options_say(tmp_path):
    files = [xdi(tmp_path / f"s{i}.xdi", kind) for i, kind in enumerate(KINDS)]
    in_kev = []
    for path in files:
        rows = [line.split() for line in path.read_text().splitlines() if line[0] != "#"]
        in_kev.append(path.with_suffix(".dat"))
        in_kev[-1].write_text("".join(f"{mu} {float(e) / 1e3:.7f}\n" for e, mu in rows))
    command = ["prior", "learn", *map(str, in_kev), "--out", str(tmp_path / "kev.npz"), "--json"]
    named_columns = ["--columns", "energy=2,mu=1", "--unit", "keV"]
    done = CliRunner().invoke(app.app, [*command, *named_columns, "--edge", "Fe-K"])
    assert done.exit_code == 0, done.output
    of_ev = learn_prior.learn_prior(files, FileOptions(edge="Fe-K"), tmp_path / "ev.npz")
    assert json.loads(done.stdout)["edges_ev"] == pytest.approx(of_ev["edges_ev"], abs=0.01)
    with pytest.raises(InputError, match=r"no edge is named.*--edge Fe-K"):
        learn_prior.learn_prior(files, FileOptions(), None)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A copy of the site, which a facility may write to."""
    for room in (*siteroot.ROOMS, "profiles"):
        (tmp_path / "site" / room).mkdir(parents=True)
    here = siteroot.find() / "profiles" / "sim" / "profile.toml"
    there = tmp_path / "site" / "profiles" / "sim" / "profile.toml"
    there.parent.mkdir()
    shutil.copy(here, there)
    monkeypatch.setenv("MATERIALSDOCK_SITE", str(tmp_path / "site"))
    return tmp_path / "site"


def test_a_profile_names_its_priors(site, tmp_path):
    files = [xdi(tmp_path / f"s{i}.xdi", kind) for i, kind in enumerate(KINDS)]
    said = learn_prior.learn_prior(files, FileOptions(edge="Fe-K"), None, "sim")
    folder = site / "profiles" / "sim"
    named = folder / "priors" / "Fe-K.prior.npz"
    assert said["prior"] == str(named)
    assert prior_file(Path("Fe-K"), folder, Path()) == named
    assert prior_file(Path("a/mine.npz"), folder, Path("b")) == Path("b/a/mine.npz")
    with pytest.raises(InputError, match=r"no library prior 'Mn-K'.*available: Fe-K"):
        prior_file(Path("Mn-K"), folder, Path())
    profile = folder / "profile.toml"
    profile.write_text(profile.read_text().replace("[xas]\n", '[xas]\nprior = "Fe-K"\n', 1))
    assert config.load("sim", site).section("xas").prior == named
    request = MeasureRequest.of(site=site, prior=Path("Fe-K"))
    with pytest.raises(InputError, match="no profile 'other'"):
        learn_prior.learn_prior(files, FileOptions(edge="Fe-K"), None, "other")
    assert request.applied(config.load("sim", site)).section("xas").prior == named


def test_real_iron_standards(learning):
    files = sorted((SHARED / "xas/xasdatalibrary/Fe").glob("*.xdi"))
    if not files:
        pytest.skip("measured spectra are not here")
    edge = named("Fe-K")
    known = [read_standard(path, edge) for path in files]
    left_out, others = known[0], known[1:]
    learned = learning.learn(others, edge.name, prior_grid)
    assert learned.edges_ev.size == len(others) - 1  # two foils are one standard
    truth = np.interp(GRID, left_out.e0_ev + left_out.energy_ev, left_out.flat)
    at, y, noise = counted(truth, 24)
    posterior = grown(placement.place(learned, GRID[at], y, noise), at, y, noise)
    assert placement.agreement(posterior).ok
    assert np.sqrt(np.mean((posterior.mean - truth) ** 2)) < 0.03
