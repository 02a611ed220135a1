"""Pre-flight: a sheet rehearsed by the same plans, before anything real moves."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from materialsdock.cli import simulate_command
from materialsdock.errors import InputError, Refused
from materialsdock.ledger.ledger import Ledger
from materialsdock.night import people
from materialsdock.night.queue import estimate, queue
from materialsdock.night.rehearsal import preflight, rehearsal
from materialsdock.profile import config, siteroot
from materialsdock.sheets import jobs
from materialsdock.sheets.entry import SheetEntry

POINTS = 25


def write_edge(path):
    energy = np.arange(7060.0, 7200.0, 0.5)
    step = 0.5 + np.arctan((energy - 7112.0) / 1.5) / np.pi
    mu = 0.2 + step + 0.4 * np.exp(-0.5 * ((energy - 7116.0) / 2.0) ** 2)
    np.savetxt(path, np.column_stack([energy, mu]), header="energy mu")
    return path


def entry(number, **more):
    known = {"sample_id": f"S{number}", "position": number, "technique": "xas"}
    return SheetEntry.model_validate({**known, **more})


@pytest.fixture(scope="module")
def site():
    return siteroot.activate()


@pytest.fixture(scope="module")
def profile(site):
    return config.load("sim", site)


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    file = str(write_edge(tmp_path_factory.mktemp("files") / "edge.dat"))
    return (
        entry(1, replay=file, maximum_points=POINTS),
        entry(2, replay=file, maximum_points=POINTS, priority=5),
        entry(3, element="Fe", edge="K", maximum_points=POINTS, recipe="xanes"),
    )


@pytest.fixture(scope="module")
def found(entries, profile, site):
    return preflight.preflight(entries, profile, site, seeds=2)


def test_each_recipe_is_rehearsed_for_each_seed_in_order_of_priority(found):
    assert [e.sample_id for e in found.order] == ["S2", "S1", "S3"]
    assert {
        key: [(r.sample_id, r.seed) for r in rows] for key, rows in found.rehearsals.items()
    } == {
        "xas": [("S2", 0), ("S2", 1)],
        "xanes": [("S3", 0), ("S3", 1)],
    }
    assert [r.stand_in for rows in found.rehearsals.values() for r in rows] == [False] * 2 + [
        True
    ] * 2
    assert all(f"budget of {POINTS} points" in r.reason for r in found.rehearsals["xas"])
    assert found.rehearsals["xas"][0].analysis_s > 0


def test_late_is_later_than_middling(found):
    for finish in (*found.each.values(), found.whole):
        assert 0 < finish.p50_s <= finish.p90_s
    assert found.whole.samples == 3
    assert found.whole.p50_s > 2 * found.each["xas"].p50_s * 0.8


@pytest.mark.slow
def test_the_same_seed_foretells_the_same(found, profile, site):
    first = found.order[:1]
    ((key, (row,)),) = preflight.rehearsals(first, profile, site, seeds=1, analyse=False).items()
    before, other = found.rehearsals[key]
    assert (row.steps, row.reason) == (before.steps, before.reason)
    assert row.instrument_s == pytest.approx(before.instrument_s)
    assert other.instrument_s != pytest.approx(before.instrument_s)


@pytest.mark.slow
def test_it_takes_as_long_as_was_foretold(found, profile, entries, tmp_path):
    command = [sys.executable, "-m", "materialsdock", "measure", "--replay", entries[0].replay]
    command += ["--stop", f"maximum_points={POINTS}", "--out", str(tmp_path), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        (job,) = ledger.jobs()
        counted = ledger.decisions(job.job_id)[-1].seconds_measured
    rehearsed = found.rehearsals["xas"][0]
    assert 0.5 < rehearsed.instrument_s / counted < 2  # of the instrument: no clock of this machine
    assert rehearsed.wall_s(profile.simulation.speed) > counted / profile.simulation.speed / 2


def test_a_queue_has_an_eta_from_the_start(found, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        queue.submit(ledger, [(e.sample_id, e.priority, preflight.body_of(e)) for e in found.order])
        estimate.keep_forecast(ledger, found.forecast)
        known = estimate.known_from([], estimate.forecast_of(ledger))
        left = estimate.left_of(queue.samples(ledger), [])
        finish = estimate.finish(left, known)
    assert finish.samples == 3
    means = {key: np.mean([f.at(1.0) for f in rows]) for key, rows in found.forecast.items()}
    expected = sum(means[key] for key in ("xas", "xas", "xanes"))
    assert finish.p50_s == pytest.approx(expected, rel=0.35)


def test_words_and_json_say_what_stood_in(found, profile):
    said = simulate_command.as_json(found, profile)
    assert json.loads(json.dumps(said)) == said
    text = simulate_command.words(said)
    assert "xanes: 1 sample, rehearsed 2 times" in text
    assert "another sample standing in" in text
    assert "P90" in text


def test_a_sheet_with_a_fault_is_refused_and_nothing_is_rehearsed(
    entries, profile, site, monkeypatch
):
    monkeypatch.setattr(preflight, "rehearsals", None)
    bad = [*entries, entry(4, element="Fe", edge="K", position=5000)]
    with pytest.raises(InputError, match="the changer has 0 to"):
        preflight.preflight(bad, profile, site)
    # a stand-in is no excuse for submitting without a file
    with pytest.raises(InputError, match="replays a measured file"):
        jobs.check(entries, profile, site / "profiles" / "sim")


def test_a_real_profile_needs_something_that_simulates_it(entries, profile, site):
    real = profile.model_copy(update={"simulation": None})
    with pytest.raises(InputError, match=r"\[simulation\]"):
        preflight.preflight(entries, real, site)


def test_nothing_but_loopback_is_reached(profile):
    assert profile.epics.environment
    alone = rehearsal.on_loopback(profile)
    assert alone.epics.environment == {}
    assert alone.simulation.speed == rehearsal.FASTEST


def test_of_many_samples_of_a_recipe_some_are_rehearsed():
    rows = [entry(n, maximum_points=100 + n // 2) for n in range(20)]
    assert [e.sample_id for e in preflight.chosen(rows)["xas"]] == ["S0", "S2", "S4"]


def test_a_pattern_stands_in_over_the_range_that_is_asked_for(profile, site):
    asked = entry(
        1, technique="xrd", two_theta_start=20.0, two_theta_stop=60.0, two_theta_step=0.05
    )
    job = jobs.job_of(
        asked, profile.model_copy(update={"simulation": None}), site / "profiles" / "sim"
    )
    scene = rehearsal.stand_in(job, profile)
    assert scene["two_theta"][[0, -1]] == pytest.approx([20.0, 60.0])
    assert scene["counts"].max() > 20 * np.median(scene["counts"]) > 0


def test_a_template_can_be_checked(tmp_path, capsys):
    sheet = tmp_path / "sheet.csv"
    simulate_command.template(sheet, "sim", None)
    assert "two_theta_start" in sheet.read_text()
    sheet.write_text(filled := sheet.read_text() + "\n,,\n")
    with pytest.raises(Refused, match="exists already"):  # an evening's work
        simulate_command.template(sheet, "sim", None)
    assert sheet.read_text() == filled
    with pytest.raises(InputError, match="holds no samples"):
        simulate_command.check(sheet, "sim", None)
    write_edge(tmp_path / "edge.dat")
    rows = {
        "samples": [{"sample_id": "A", "position": 1, "technique": "xas", "replay": "edge.dat"}]
    }
    (tmp_path / "sheet.json").write_text(json.dumps(rows))
    assert simulate_command.check(tmp_path / "sheet.json", "sim", None) == ["A"]


def test_a_sheet_is_told_all_its_faults_at_once(tmp_path):
    """Of cells and of what the instrument cannot do; and nothing is made for it."""
    lines = ["sample_id,position,technique,threshold", "A,1,xrd,5 %", "B,500,xrd,", "C,3,xrd,"]
    (tmp_path / "sheet.csv").write_text("\n".join(lines))
    for refuses in (
        lambda sheet, out: people.submit(sheet, "sim", None, out),
        lambda sheet, out: simulate_command.check(sheet, "sim", None),
    ):
        with pytest.raises(InputError) as error:
            refuses(tmp_path / "sheet.csv", tmp_path / "data")
        assert error.value.where == str(tmp_path / "sheet.csv")
        first, *told = error.value.what.splitlines()
        assert first.startswith("4 faults")
        assert [line.split(":")[0] for line in told] == [
            "row 2, threshold",
            "row 3 (B), position",
            "row 3 (B), replay",
            "row 4 (C), replay",
        ]
    with pytest.raises(InputError, match=r"(?s)4 faults.*C.*, range"):  # of a stand-in
        simulate_command.simulate(
            tmp_path / "sheet.csv", "sim", None, tmp_path / "data", seeds=1, analyse=False
        )
    assert not (tmp_path / "data").exists()
