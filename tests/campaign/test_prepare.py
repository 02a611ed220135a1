"""From a measured file to a job: what a newcomer's words become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from materialsdock.campaign import build, option_words, prepare
from materialsdock.errors import InputError
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.model import Axis, Measured, Observation, Sample
from materialsdock.profile import asking, config
from materialsdock.profile.simulation import add_to_scene, save_scene
from materialsdock.techniques.xas.learner import weights
from materialsdock.techniques.xas.options import regions
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xrd.job import even_grid
from materialsdock.testing import crystals

PROFILE = config.load("sim", ROOT)
PATTERN = Measured(technique="xrd", x=np.linspace(20.0, 40.0, 1001), y=np.full(1001, 50.0))
CORUNDUM = Sample("s", "xrd", 0, (crystals.CORUNDUM, crystals.ZINCITE))
ENERGY = np.linspace(7000.0, 7300.0, 601)
SPECTRUM = Measured(technique="xas", x=ENERGY, y=simulate_xanes(ENERGY))


@pytest.mark.parametrize("measured", [PATTERN, SPECTRUM])
@pytest.mark.parametrize(
    "words", [[], ["mode=paper"], ["mode=robust", "threshold=0.1"], ["maximum_points=9"]]
)
def test_every_way_to_stop_makes_a_sound_job(measured, words):
    job = prepare.job_for(
        measured,
        Sample("s", measured.technique),
        PROFILE,
        stop=option_words.stop_options(words),
    )
    build.check(job)
    axis = Axis.of(job.settings["axis"])
    assert axis.grid[0] == pytest.approx(measured.x[0])
    assert axis.grid[-1] == pytest.approx(measured.x[-1])
    assert job.settings["full_scan"]["points"] == measured.x.size


def test_the_edge_is_the_tabulated_one():
    job = prepare.job_for(SPECTRUM, Sample("s", "xas"), PROFILE)
    assert job.settings["edge"] == "Fe K"


def test_the_files_own_counting_time_is_the_yardstick():
    timed = Measured(technique="xrd", x=PATTERN.x, y=PATTERN.y, count_time_s=12.5)
    sample = Sample("s", "xrd")
    of_file = prepare.job_for(timed, sample, PROFILE).settings["full_scan"]
    of_user = prepare.job_for(timed, sample, PROFILE, count_time_s=2.0).settings["full_scan"]
    assert of_file["full_time_s"] == 12.5
    assert of_user["full_time_s"] == 2.0


def test_uneven_steps_are_refused_with_their_place():
    x = PATTERN.x.copy()
    x[500] += 0.01
    with pytest.raises(InputError, match=r"30\.01"):
        even_grid(x)


def test_what_was_counted_is_not_drawn_again(tmp_path):
    job = prepare.job_for(PATTERN, Sample("s", "xrd"), PROFILE)
    scene = prepare.scene(PATTERN, job, PROFILE)
    path = save_scene(tmp_path / "s.npz", technique="xrd", **scene)
    seen = [Observation(f"r/{i}", 0, 20.02, 10.0, 1.0, 0.2, "r") for i in range(2)]
    prepare.mark_counted(path, job, seen)
    with np.load(path) as file:
        assert file["used_time_s"][1] == pytest.approx(0.4)
        assert file["used_counts"][1] == 4
        assert file["used_counts"].sum() == 4


def test_a_scene_that_cannot_be_written_anew_stays_as_it_was(tmp_path, monkeypatch):
    path = save_scene(tmp_path / "s.npz", technique="xrd", counts=np.arange(3))
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="disk full"):
        add_to_scene(path, {"counts": np.arange(4)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_job_ids_are_safe_as_file_names():
    for name in ("../../etc/x", "CON", "a/b", "😀" * 50, "<script>", "=cmd()"):
        job_id = asking.new_job_id(name)
        assert Path(job_id).name == job_id
        assert job_id.isascii()
        assert len(job_id) < 64


def test_an_objective_that_refinement_steers_towards_stops_at_its_esd():
    section = PROFILE.section("xrd").model_copy(
        update={"objective": "fractions", "wanted_esd": 0.5}
    )
    profile = PROFILE.model_copy(update={"xrd": section})
    job = prepare.job_for(PATTERN, CORUNDUM, profile, stop={})
    assert job.settings["stop"]["targets"] == {"weight_fraction_esd": 0.5}
    assert isinstance(build.learner(job), SteeredLearner)
    cell = PROFILE.section("xrd").model_copy(
        update={"objective": "parameter", "wanted": ("corundum.a",), "wanted_esd": 1e-4}
    )
    profile = PROFILE.model_copy(update={"xrd": cell})
    job = prepare.job_for(PATTERN, CORUNDUM, profile, stop={})
    assert job.settings["stop"]["targets"] == {"cell_length_esd": 1e-4}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": "fractions"}, "fractions with no esd and no parameter"),
        ({"objective": "parameter", "wanted_esd": 1.0}, "parameter with esd 1 and no parameter"),
        (
            {"objective": "fractions", "wanted": ("a.a",), "wanted_esd": 1.0},
            "fractions with esd 1 and parameter a.a",
        ),
    ],
)
def test_an_objective_without_its_numbers_is_refused(changes, said):
    profile = PROFILE.model_copy(update={"xrd": PROFILE.section("xrd").model_copy(update=changes)})
    with pytest.raises(InputError, match=f"objective {said}"):
        prepare.job_for(PATTERN, CORUNDUM, profile, stop={})


def test_a_region_is_worth_its_weight():
    grid = np.linspace(0.0, 10.0, 11)
    found = weights(grid, [(2.0, 4.0, 5.0)])
    assert found.tolist() == [1, 1, 5, 5, 5, 1, 1, 1, 1, 1, 1]
    assert regions(["7100:7140:5"]) == ((7100.0, 7140.0, 5.0),)
    for wrong in ("7100:7140", "7140:7100:5", "a:b:c", "1:2:0", "1:2:inf"):
        with pytest.raises(InputError, match="LO:HI:WEIGHT"):
            regions(["1:2:3", wrong])


@pytest.mark.parametrize("measured", [PATTERN, SPECTRUM])
def test_a_target_alone_can_be_stopped_at(measured):
    """The profile's λ threshold is of another mode and must not stand in the way."""
    target = "e0_sd=0.1" if measured.technique == "xas" else "peak_area_rel_sd=0.1"
    stop = option_words.stop_options(["mode=target", target])
    job = prepare.job_for(measured, Sample("s", measured.technique), PROFILE, stop=stop)
    build.check(job)
    assert job.settings["stop"]["mode"] == "target"


def test_a_target_that_no_pattern_has_is_refused():
    for word in ("e0_sd=0.1", "rmse=0.1"):
        with pytest.raises(InputError, match=r"no quantity of a powder pattern: .*peak_area"):
            prepare.job_for(
                PATTERN, Sample("s", "xrd"), PROFILE, stop=option_words.stop_options([word])
            )


def test_a_steered_job_keeps_the_profiles_budgets_and_its_own_esd():
    stop = PROFILE.section("xrd").stop.model_copy(update={"maximum_count_seconds": 300.0})
    section = PROFILE.section("xrd").model_copy(
        update={"objective": "fractions", "wanted_esd": 0.5, "stop": stop}
    )
    profile = PROFILE.model_copy(update={"xrd": section})
    changes = option_words.stop_options(["peak_area_rel_sd=0.1"])
    settings = prepare.job_for(PATTERN, CORUNDUM, profile, stop=changes).settings["stop"]
    assert settings["maximum_count_seconds"] == 300.0
    assert settings["targets"] == {"weight_fraction_esd": 0.5, "peak_area_rel_sd": 0.1}


def of_edge(path, edge_ev):
    axis = np.linspace(-100.0, 150.0, 60)
    prior = LibraryPrior(
        "an edge",
        axis,
        np.tanh(axis),
        np.ones((1, 60)),
        np.full(60, 0.1),
        axis / 10,
        np.array([edge_ev, edge_ev + 4.0]),
        ("a", "b"),
    )
    prior.save(path)
    section = PROFILE.section("xas").model_copy(update={"prior": path})
    return PROFILE.model_copy(update={"xas": section})


def test_a_prior_of_another_edge_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"an edge at 8981\.0 eV, but the edge of this scan is Fe"):
        prepare.job_for(SPECTRUM, Sample("s", "xas"), of_edge(tmp_path / "cu.npz", 8979.0))


def test_a_job_goes_on_with_the_prior_it_began_with(tmp_path):
    path = tmp_path / "fe.npz"
    job = prepare.job_for(SPECTRUM, Sample("s", "xas"), of_edge(path, 7112.0))
    assert build.learner(job).prior is not None
    of_edge(path, 7113.0)
    with pytest.raises(InputError, match="not the one that the job began with"):
        build.learner(job)
    path.unlink()
    with pytest.raises(InputError, match="not a library prior: No such file"):
        build.learner(job)
