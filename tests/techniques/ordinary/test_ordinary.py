"""The parts of a technique that brings none of its own, each by itself."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from materialsdock import technique
from materialsdock.errors import DeviceFault, InputError
from materialsdock.formats import read_measured
from materialsdock.model import Measured, Observation, Outcome, Sample
from materialsdock.profile.sections import Motion
from materialsdock.sheets.entry import Columns, contradictions
from materialsdock.technique import Part, ReadingKeys, Technique
from materialsdock.techniques.ordinary import export, job, reading, report, scene, sheet
from materialsdock.techniques.ordinary.rates import Rates
from materialsdock.techniques.ordinary.section import Curve
from materialsdock.testing import technique_parts

KEYS = ReadingKeys("sample_height", "counts", "monitor")
SECTION = Curve(
    measure="plans.measure:measure_step",
    visit="plans.measure:measure_step",
    motion=Motion(velocity=2.0, settle_s=0.5),
    resolution=0.25,
)


def demo():
    """A step at 2 mm."""
    x = np.linspace(0.0, 4.0, 41)
    return Measured("height", x, np.where(x < 2, 10.0, 500.0)), Sample("edge", "height")


HEIGHT = Technique(
    name="height",
    title="height of a sample",
    unit="mm",
    symbol="mm",
    keys=KEYS,
    counter="point_detector",
    observe=Part("materialsdock.techniques.ordinary.reading:rate"),
    demo=lambda: demo,
    analysis=Part("materialsdock.techniques.ordinary.analysis"),
)
WIDTH = replace(HEIGHT, name="width")
PROFILE = SimpleNamespace(name="sim", section=lambda name: SECTION)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Two ordinary techniques beside the installed ones."""
    found = {**technique.known(), "height": HEIGHT, "width": WIDTH}
    monkeypatch.setattr(technique, "known", lambda: found)
    monkeypatch.setattr("materialsdock.formats.measured.known", lambda: found)


def made(**options):
    """The job of the demonstration."""
    measured, sample = demo()
    return job.job(job.scan_of(measured), sample, PROFILE, **{"stop": {}, **options})


def test_every_ordinary_part_has_the_names_of_the_seam():
    parts = {each.name: each.default for each in fields(Technique) if type(each.default) is Part}
    assert len(parts) == 10
    ordinary = replace(technique.named("xrd"), **parts)
    assert not [*technique_parts.faults(ordinary)]


# -- files ---------------------------------------------------------------------------------------


def written(folder, *head, rows=None):
    path = folder / "scan.txt"
    rows = rows or [f"{0.1 * i:.1f} {i}" for i in range(30)]
    path.write_text("\n".join([*head, *rows]))
    return path


@pytest.mark.parametrize("name", ["height", "width"])
def test_a_file_says_whose_it_is(tmp_path, name):
    found = read_measured(written(tmp_path, "# made by hand", f"# technique: {name}"))
    assert found.technique == name
    assert found.y.tolist() == list(range(30))


def test_bare_columns_are_its_own_where_somebody_says_so(tmp_path):
    assert read_measured(written(tmp_path), "height").technique == "height"
    angles = [f"{10 + 0.1 * i:.1f} {i}" for i in range(30)]
    assert read_measured(written(tmp_path, rows=angles)).technique == "xrd"


def test_the_third_column_is_the_standard_deviation(tmp_path):
    rows = [f"{i} {i} 0.5" for i in range(30)]
    assert read_measured(written(tmp_path, rows=rows), "height").sigma.tolist() == [0.5] * 30


@pytest.mark.parametrize(("bad", "why"), [("0.4 7", "not above 0.4"), ("0.5 -7", "-7 counts")])
def test_what_no_counter_shows_is_refused_with_its_line(tmp_path, bad, why):
    rows = [f"{0.1 * i:.1f} {i}" for i in range(30)]
    rows[5] = bad
    with pytest.raises(InputError, match=why) as fault:
        read_measured(written(tmp_path, "# technique: height", rows=rows))
    assert "line 7" in str(fault.value)


# -- rows and recipes ----------------------------------------------------------------------------


def planned(**said):
    """A row without a file and without a range; what its recipe says."""
    return SimpleNamespace(
        technique="height",
        profile=PROFILE,
        entry=SimpleNamespace(scan_from=None, scan_to=None),
        said=said.get,
        replayed=lambda: None,
    )


def test_a_row_without_a_file_counts_every_place_of_its_range():
    scan = sheet.scan_of(planned(scan_from=1.0, scan_to=2.0))
    assert scan.technique == "height"
    np.testing.assert_allclose(scan.x, np.linspace(1.0, 2.0, 17))
    found = job.job(scan, demo()[1], PROFILE, stop={})
    assert found.settings["axis"]["points"] == scan.x.size


def test_a_row_without_file_and_range_is_refused():
    with pytest.raises(InputError, match="fill scan_from and scan_to"):
        sheet.scan_of(planned())


def test_a_recipe_names_both_ends_in_order():
    keys = sheet.RecipeKeys
    assert not [*keys().faults()]
    assert [*keys(scan_from=1.0).faults()] == ["scan_to is missing: start and stop come together"]
    assert [*keys(scan_from=1.0, scan_to=0.0).faults()] == ["scan_to is not above scan_from = 1"]


def test_a_fault_of_columns_that_two_techniques_share_is_said_once():
    row = Columns(technique="xrd").model_dump()
    wrong = SimpleNamespace(**row, scan_from=2.0, scan_to=1.0)
    assert contradictions(wrong, ()) == [("scan_to", "is not above scan_from = 2")]


# -- events and the job --------------------------------------------------------------------------


def test_an_event_is_a_rate_with_its_counting_statistics():
    data = {"sample_height": 1.5, "counts": 400, "count_time_s": 2.0}
    assert reading.rate(data, KEYS) == (1.5, 200.0, 10.0, 2.0)
    assert reading.rate({**data, "counts": 0}, KEYS).sigma == 0.5


@pytest.mark.parametrize("wrong", [{"counts": -1}, {"counts": float("nan")}, {"count_time_s": 0}])
def test_impossible_counts_are_a_fault(wrong):
    data = {"sample_height": 1.5, "counts": 400, "count_time_s": 2.0}
    with pytest.raises(DeviceFault, match="counts"):
        reading.rate({**data, **wrong}, KEYS)


def test_a_job_is_on_the_axis_of_its_technique():
    settings = made(count_time_s=3.0).settings
    assert settings["axis"] == {
        "name": "sample_height",
        "unit": "mm",
        "start": 0.0,
        "step": 0.0625,
        "points": 65,
        "resolution": 0.25,
    }
    assert settings["full_scan"] == {
        "points": 41,
        "seconds": 41 * 3.5 + 4.0 / 2.0,
        "full_time_s": 3.0,
    }
    assert settings["stop"]["full_scan_seconds"] == pytest.approx(41 * 3.5 + 4.0 / 2.0)


# -- the simulation ------------------------------------------------------------------------------


def test_rates_are_counts_in_the_time_of_the_file_or_of_the_job():
    measured, _ = demo()
    found = made(count_time_s=2.0)
    shown = scene.scene(measured, found, PROFILE)
    np.testing.assert_allclose(shown["rate_hz"], measured.y / 2)
    shown = scene.scene(replace(measured, count_time_s=10.0), found, PROFILE)
    np.testing.assert_allclose(shown["rate_hz"], measured.y / 10)


def test_a_stand_in_is_the_demonstration_stretched_to_the_job():
    wide = replace(demo()[0], x=np.linspace(10.0, 30.0, 41))
    found = job.job(job.scan_of(wide), demo()[1], PROFILE, stop={})
    shown = scene.stand_in(found)
    assert (shown.technique, shown.x[0], shown.x[-1]) == ("height", 10.0, 30.0)
    assert np.interp([19.0, 21.0], shown.x, shown.y).tolist() == [10.0, 500.0]


def test_visits_are_counted_by_place():
    told = [Observation(f"r/{i}", i, x, 1.0, 1.0, 1.0, "r") for i, x in enumerate((0.5, 1, 0.5))]
    found = scene.counted(made(), told)
    assert found["visited"].tolist() == [5000, 10000]
    assert found["visits"].tolist() == [2, 1]


# -- the report and the files --------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """Numbers with and without a standard deviation, and what is no number."""

    edge_mm: float = 2.0123
    edge_sd_mm: float = 0.0021
    height: float = 500.0
    height_sd: float = float("nan")
    turns: int = 3
    missing_sd: float = 0.5
    kind: str = "sharp"
    sound: bool = True
    curve: tuple[float, ...] = (1.0, 2.0)


@pytest.fixture
def outcome():
    x = np.linspace(0.0, 4.0, 9)
    rates = Rates("sample_height", "mm", x, np.arange(9.0), np.ones(9))
    return Outcome(made(), (), {}, rates, Found(), rates)


def test_a_number_stands_with_its_standard_deviation(outcome):
    assert [*report.facts(outcome)] == [
        ("edge (mm)", "2.012(2)"),
        ("height", "500"),
        ("turns", "3"),
        ("missing sd", "0.5"),
    ]


def test_the_summary_has_every_number_and_word(outcome):
    assert report.summary(outcome) == {
        "edge_mm": 2.0123,
        "edge_sd_mm": 0.0021,
        "height": 500.0,
        "height_sd": None,
        "turns": 3,
        "missing_sd": 0.5,
        "kind": "sharp",
        "sound": True,
    }


def test_the_figure_is_of_the_axis_and_takes_more(outcome):
    drawn = report.curve(outcome, "An edge", "Dashed: it.", lambda axes: axes.set_title("more"))
    assert drawn.title == "An edge"
    assert drawn.caption.endswith("standard deviations. Dashed: it.")
    for words in ("sample height (mm)", "Count rate (1/s)", "more", "± 2 sd"):
        assert words in drawn.svg


def test_every_exposure_is_a_row_with_its_units(outcome):
    told = (Observation("r/0", 0, 1.25, 1 / 3, 0.5, 2.0, "r"),)
    text = export.columns(SimpleNamespace(outcome=outcome, observations=told)).decode()
    assert text.splitlines() == [
        f"# height of a sample, job {outcome.job.job_id}",
        "# sample_height [mm]  rate [1/s]  sd [1/s]  count time [s]",
        "1.25 0.333333333 0.5 2",
    ]


def test_a_curve_names_its_axis_and_its_units(outcome):
    group = export.curve(outcome.measured)
    assert group.attributes == {"signal": "rate", "axes": ["sample_height"]}
    units = {name: field.attributes["units"] for name, field in group.items.items()}
    assert units == {"sample_height": "mm", "rate": "1/s", "rate_errors": "1/s"}
    assert export.units(outcome.measured) == ("mm", "1/s")
