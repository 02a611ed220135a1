"""Entries into jobs and scenes, and everything that is checked before a sample is queued."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from support import structures
from support.places import ROOT
from support.recipes import FOLDER, PROFILE, written

from materialsdock.campaign import build
from materialsdock.campaign.prepare import job_for
from materialsdock.errors import InputError
from materialsdock.learning.counting.multipass_learner import MultiPassLearner
from materialsdock.learning.counting.steered_learner import SteeredLearner
from materialsdock.model import Axis, Measured, Sample, Scan
from materialsdock.profile import config
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import SheetEntry
from materialsdock.techniques.xas.job import of_edge
from materialsdock.techniques.xas.spectrum.edge_table import named
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.techniques.xrd.job import of_two_theta
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.testing import crystals

REAL = PROFILE.model_copy(update={"simulated": False, "name": "real"})


@pytest.fixture
def files(tmp_path):
    """A measured edge and pattern, and two CIFs."""
    energy = np.linspace(6950.0, 7400.0, 901)
    np.savetxt(tmp_path / "fe.dat", np.c_[energy, simulate_xanes(energy)], header="energy mu")
    pattern = structures.simulated([(crystals.CORUNDUM, 0.6), (crystals.ZINCITE, 0.4)])
    counts = np.c_[pattern.two_theta, np.rint(pattern.intensity)]
    np.savetxt(tmp_path / "mix.xy", counts)
    for structure in (crystals.CORUNDUM, crystals.ZINCITE):
        (tmp_path / f"{structure.name}.cif").write_text(structure.cif)
    return tmp_path


def entry(**more):
    return SheetEntry(**{"sample_id": "S1", "position": 2, **more})


def edge(files, **more):
    return entry(**{"technique": "xas", "replay": str(files / "fe.dat"), **more})


def pattern(files, **more):
    phases = [str(files / "corundum.cif"), str(files / "zincite.cif")]
    replay = str(files / "mix.xy")
    return entry(**{"technique": "xrd", "replay": replay, "phases": phases, **more})


def made(wanted, profile=PROFILE, folder=FOLDER):
    jobs.check([wanted], profile, folder)
    return jobs.job_of(wanted, profile, folder, 7)


def refused(*entries, profile=PROFILE, folder=FOLDER):
    with pytest.raises(InputError) as caught:
        jobs.check(entries, profile, folder)
    return caught.value.what.splitlines()


def test_a_replayed_spectrum_becomes_its_job_and_scene(files):
    job = made(edge(files, name="iron", maximum_points=30, maximum_minutes=2, owner="me"))
    assert job.settings["edge"] == "Fe K"
    assert job.settings["stop"]["maximum_points"] == 30
    assert job.settings["stop"]["maximum_seconds"] == 120.0
    assert (job.seed, job.sample.name, job.sample.position) == (7, "iron", 2)
    assert job.sample.metadata == {"sample_id": "S1", "owner": "me"}
    scene = jobs.scene_of(edge(files), job, PROFILE)
    assert scene["energy_ev"].size == 901
    assert jobs.scene_of(edge(files), job, REAL) is None


def test_the_entry_goes_before_the_recipe_and_the_recipe_before_the_profile(files):
    of_profile = made(edge(files)).settings
    of_recipe = made(edge(files, recipe="exafs")).settings
    of_entry = made(edge(files, recipe="exafs", count_time_s=3.0, threshold=0.2)).settings
    seconds = [s["learner"]["count_time_s"] for s in (of_profile, of_recipe, of_entry)]
    assert seconds == [PROFILE.section("xas").count_time_s, 2.0, 3.0]
    assert (of_recipe["stop"]["threshold"], of_entry["stop"]["threshold"]) == (0.05, 0.2)


def test_nothing_takes_longer_than_the_full_scan_unless_a_row_asks(files):
    share = 1 - PROFILE.conditions.reference_share  # the rest is for visits of the sentinels
    for recipe in (None, "xanes", "exafs"):
        settings = made(edge(files, recipe=recipe)).settings
        whole = settings["full_scan"]["seconds"]
        assert settings["stop"]["full_scan_seconds"] == pytest.approx(share * whole)
        assert "maximum_seconds" not in settings["stop"]
    asked = made(edge(files, maximum_minutes=1000)).settings["stop"]
    assert asked["maximum_seconds"] == 60_000.0


def test_a_replay_is_measured_as_far_as_entry_or_recipe_ask(files):
    grid = Axis.of(made(edge(files, recipe="xanes")).settings["axis"]).grid
    assert grid[[0, -1]].tolist() == [7012.0, 7400.0]  # the file ends before the recipe does
    own = edge(files, energy_start_ev=7050.0, energy_stop_ev=7200.0)
    grid = Axis.of(made(own).settings["axis"]).grid
    assert grid[[0, -1]].tolist() == [7050.0, 7200.0]
    said = refused(edge(files, energy_start_ev=6000.0, energy_stop_ev=7200.0))
    assert "6000 to 7200 is more than its 6950 to 7400" in said[1]


def test_a_replayed_pattern_and_its_job_have_the_same_steps(files):
    wanted = pattern(files, two_theta_start=30.0, two_theta_stop=40.0)
    job = made(wanted)
    scene = jobs.scene_of(wanted, job, PROFILE)
    grid = Axis.of(job.settings["axis"]).grid
    np.testing.assert_allclose(scene["two_theta"], grid, atol=1e-9)
    assert grid[0] == pytest.approx(30.0, abs=0.02)
    assert [s.name for s in job.sample.structures] == ["corundum", "zincite"]
    (files / "mix.xy").write_text("".join(f"{x:.3f} 5\n" for x in np.arange(20, 60, 0.1)))
    with pytest.raises(InputError, match="where the job began with"):
        jobs.scene_of(wanted, job, PROFILE)


def test_fractions_are_steered_by_refinement_and_want_phases(files):
    job = made(pattern(files, recipe="phase-fractions"))
    assert isinstance(build.learner(job), SteeredLearner)
    assert job.settings["stop"]["targets"] == {"weight_fraction_esd": 0.5}
    whole = job.settings["full_scan"]["seconds"]
    assert job.settings["stop"]["full_scan_seconds"] == whole
    assert "without a structure" in refused(pattern(files, recipe="phase-fractions", phases=()))[1]


def test_a_real_instrument_measures_its_own_2theta_range():
    wanted = entry(recipe="quick-phase-check", two_theta_stop=20.01, two_theta_start=10.0)
    job = made(wanted, REAL)
    grid = Axis.of(job.settings["axis"]).grid
    assert (grid.size, grid[0], grid[-1]) == (501, 10.0, pytest.approx(20.0))
    assert job.settings["full_scan"]["seconds"] == pytest.approx(501 * 0.5 + 10.0 / 5.0)
    assert isinstance(build.learner(job), MultiPassLearner)
    assert jobs.scene_of(wanted, job, REAL) is None


def test_a_real_instrument_measures_the_range_of_an_element():
    job = made(entry(technique="xas", element="Cu", edge="K"), REAL)
    grid = Axis.of(job.settings["axis"]).grid
    assert grid[[0, -1]].tolist() == [8829.0, 9279.0]
    assert job.settings["edge"] == "Cu K"
    conventional = of_edge(named("Cu K"), 8829.0, 9279.0)
    assert job.settings["full_scan"]["points"] == conventional.x.size < grid.size
    ends = {"energy_start_ev": 8829, "energy_stop_ev": 9279}
    by_range = made(entry(technique="xas", element="Cu", **ends), REAL)
    assert by_range.settings["axis"] == job.settings["axis"]


def test_a_job_of_a_range_is_that_of_a_file_with_this_range():
    x = 10.0 + 0.02 * np.arange(1001)
    file = Measured("xrd", x, np.full(x.size, 9.0))
    own = job_for(of_two_theta(10.0, 30.0, 0.02), Sample("s", "xrd"), PROFILE)
    assert (
        own.settings["full_scan"]
        == job_for(file, Sample("s", "xrd"), PROFILE).settings["full_scan"]
    )
    with pytest.raises(InputError, match="without an edge"):
        job_for(Scan("xas", x + 7000), Sample("s", "xas"), PROFILE)


@pytest.mark.parametrize("wrong", [(5, 4, 0.1), (5, 6, 0.5), (5, 6, 0.0), (0, 100, 1e-6)])
def test_a_range_that_is_no_scan_is_refused(wrong):
    with pytest.raises(InputError, match="is no scan of 50"):
        of_two_theta(*wrong)


def test_a_texture_axis_is_named_for_a_phase(files):
    oriented = {s.name: s.preferred_orientation for s in phases_of(files, "corundum:0 0 1")}
    assert oriented == {"corundum": (0, 0, 1), "zincite": None}
    both = phases_of(files, "corundum = 0,0,1; zincite: (1 0 -2)")
    assert [s.preferred_orientation for s in both] == [(0, 0, 1), (1, 0, -2)]
    assert (
        "'halite', which is no phase of the row"
        in refused(pattern(files, texture="halite:0 0 1"))[1]
    )


@pytest.mark.parametrize("word", ["corundum", "corundum:0 0", "corundum:0 0 0", "a:x y z"])
def test_what_is_no_axis_is_refused(files, word):
    with pytest.raises(ValidationError):
        pattern(files, texture=word)


def phases_of(files, texture):
    return made(pattern(files, texture=texture)).sample.structures


def test_phases_come_from_the_store_by_id_or_name(files):
    StructureStore(files / "store").add([files / "corundum.cif"])
    (known,) = StructureStore(files / "store").entries()
    analysis = PROFILE.analysis.model_copy(update={"store": str(files / "store")})
    profile = PROFILE.model_copy(update={"analysis": analysis})
    for name in (known.entry_id, known.name):
        job = made(pattern(files, phases=[name]), profile)
        assert job.sample.structures == (known.structure(),)
    assert (
        "'x' names 0 structures of the store"
        in refused(pattern(files, phases=["x"]), profile=profile)[1]
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"replay": "absent.dat"}, "replay: absent.dat: No such file"),
        ({"replay": "."}, "replay: .: is not a regular file"),
        ({"replay": None}, "replay: is missing"),
        ({"element": "Cu", "edge": "K"}, "replay: {}/fe.dat: its edge is at 71"),
        ({"element": "Cu"}, "the file is of Fe K, the row of Cu"),
        ({"recipe": "xane"}, "recipe: profile sim: no recipe"),
        ({"recipe": "phase-fractions"}, "recipe: technique xas, but recipe 'phase-fractions'"),
        ({"standards": ["{}/fe.dat"]}, "1 standards named fe"),
        ({"standards": ["{}/no.dat", "{}/fe.dat"]}, "{}/no.dat"),
    ],
)
def test_what_an_absorption_entry_lacks_is_said(files, more, said):
    def there(value):
        return value.format(files) if isinstance(value, str) else value

    more = {k: [there(v) for v in x] if isinstance(x, list) else there(x) for k, x in more.items()}
    (line,) = refused(edge(files, **more))[1:]
    assert line.startswith("sample S1")
    assert said.format(files) in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"two_theta_step": 0.1}, "replay: a file is replayed on its own steps"),
        ({"phases": ["{}/no.cif"]}, "no.cif"),
        ({"phases": ["{}/empty.cif"]}, "has no atoms"),
        ({"phases": ["id7"]}, "the profile has no structure store"),
        ({"phases": ["{}/corundum.cif", "{}/corundum.cif"]}, "share the name corundum"),
        ({"replay": "{}/fe.dat"}, "replay: "),
        ({"two_theta_start": 1.0, "two_theta_stop": 2.0}, "replay: "),
        ({"recipe": "phase-fractions", "threshold": 0.1}, "has no 'threshold'"),
    ],
)
def test_what_a_diffraction_entry_lacks_is_said(files, more, said):
    (files / "empty.cif").write_text("data_x\n_cell_length_a 4\n")

    def there(value):
        return value.format(files) if isinstance(value, str) else value

    more = {k: [there(v) for v in x] if isinstance(x, list) else there(x) for k, x in more.items()}
    (line,) = refused(pattern(files, **more))[1:]
    assert line.startswith("sample S1")
    assert said in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"replay": "x"}, "replay: profile 'real' is a real instrument and replays nothing"),
        ({"technique": "xrd"}, "range: no two_theta_start, two_theta_stop, two_theta_step"),
        ({"technique": "xrd", "two_theta_start": 5, "two_theta_stop": 9}, "no two_theta_step"),
        ({"recipe": "xanes"}, "range: 0 to 0 eV shows none"),
        ({"technique": "xas", "energy_start_ev": 7100, "energy_stop_ev": 7140}, "shows none"),
        ({"technique": "xas", "energy_start_ev": 7000, "energy_stop_ev": 7300}, "Fe K, Gd L3"),
        (
            {
                "technique": "xas",
                "element": "Fe",
                "edge": "K",
                "energy_start_ev": 8000.0,
                "energy_stop_ev": 9000.0,
            },
            "does not show the Fe K edge",
        ),
        ({"recipe": "xanes", "phases": ["a.cif"]}, "recipe: phases is of xrd"),
    ],
)
def test_what_a_real_instrument_cannot_do_is_said(more, said):
    wanted = entry(**{"recipe": None if "technique" in more else "quick-phase-check", **more})
    assert any(said in line for line in refused(wanted, profile=REAL))


def test_limits_of_axes_and_changer_and_absent_sections_are_kept(files):
    limited = config.Profile.model_validate(
        {
            **REAL.model_dump(by_alias=True),
            "positions": 2,
            "xrd": {**REAL.section("xrd").model_dump(), "limits": (20.0, 60.0)},
            "xas": None,
        }
    )
    said = refused(
        entry(recipe="quick-phase-check"),
        entry(sample_id="S2", position=0, recipe="xanes", element="Fe", edge="K"),
        profile=limited,
    )
    assert said[0] == "3 faults; nothing is queued"
    assert said[1] == "sample S1, position: 2: the changer has 0 to 1"
    assert said[2] == "sample S1, range: 15 to 70 is beyond the limits of the axis, 20 to 60"
    assert said[3] == "sample S2, recipe: profile 'real' has no [xas] section"


def test_what_only_the_whole_job_shows_is_refused_before_it_is_queued(files, tmp_path):
    folder = written(tmp_path, '[measure]\ntechnique = "xas"\n[stop]\nmode = "target"\n')
    assert "no target is given" in refused(edge(files, recipe="r"), folder=folder)[1]


@pytest.mark.slow
def test_hundreds_of_equal_rows_are_checked_in_seconds(files):
    many = [edge(files, sample_id=f"S{n}", position=n, recipe="xanes") for n in range(300)]
    jobs.check(many, PROFILE.model_copy(update={"positions": 300}), FOLDER)
    assert len(many) == 300
    assert ROOT.is_dir()


def test_what_a_sheet_lacks_is_said_by_its_row_and_without_its_folder(tmp_path):
    sheet = tmp_path / "night.csv"
    rows = ["sample_id,position,technique,recipe,replay", "A1,0,,nope,x.xy", "A2,1,xas,,y.xy"]
    sheet.write_text("\n".join(rows))
    with pytest.raises(InputError) as refusal:
        jobs.read_sheet(sheet, PROFILE, FOLDER)
    first, second, last = str(refusal.value).splitlines()[1:]
    assert first.startswith("row 2 (A1), recipe: profile sim: no recipe 'nope'")
    assert second.startswith("row 3 (A2), replay: y.xy: No such file")
    assert last == "(mend these and try again)"


def test_rows_of_one_id_are_not_taken_for_each_other(tmp_path):
    sheet = tmp_path / "night.csv"
    rows = ["A1,0,xas,,x.xy", "A1,1,xas,nope,x.xy", "A2,0,xas,,y.xy"]
    sheet.write_text("\n".join(["sample_id,position,technique,recipe,replay", *rows]))
    with pytest.raises(InputError) as refusal:
        jobs.read_sheet(sheet, PROFILE, FOLDER)
    places = [line.split(":")[0] for line in str(refusal.value).splitlines()[1:-1]]
    assert places == ["row 3, sample_id", "row 4, position", "row 2 (A1), replay"]
