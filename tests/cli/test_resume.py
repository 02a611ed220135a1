"""SIGKILL at random moments: nothing is lost, nothing measured twice, later decisions the same.

A replay that goes on draws what an uninterrupted one would have drawn.
"""

from __future__ import annotations

import random
import signal
import time
from dataclasses import replace

import pytest
from support.nursery import MEASURING, Nursery
from support.places import ROOT

from materialsdock.campaign import demo, observing, prepare
from materialsdock.cli import measure_command
from materialsdock.cli.request import MeasureRequest
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Axis
from materialsdock.profile import config
from materialsdock.profile.simulation import save_scene
from materialsdock.technique import named
from sim_devices.scenes.xas import absorbed
from sim_devices.scenes.xrd import diffracted
from sim_devices.world import World, load_scene


@pytest.fixture(scope="module")
def nursery():
    with Nursery(MEASURING) as process:
        yield process


def start(nursery, folder, technique):
    """A new measurement."""
    return nursery.start("support.measure_child:measure", folder, technique)


def measured(nursery, folder, technique):
    child = start(nursery, folder, technique)
    said, complaints = child.communicate()
    assert (child.returncode, said) == (0, "done\n"), complaints


def told(folder):
    with Ledger(folder / "ledger.sqlite") as ledger:
        timeless = [
            replace(d, seconds_deciding=0.0, observations=()) for d in ledger.decisions("job")
        ]
        data = [(o.step, o.x, o.y) for o in ledger.observations("job")]
    return data, timeless


def slow(technique, kills):
    return pytest.param(technique, kills, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("technique", "kills"), [("xas", 2), slow("xas", 5), slow("xrd", 5), slow("fluorescence", 2)]
)
def test_killed_and_resumed_is_as_if_never_killed(tmp_path, technique, kills, nursery):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    for folder in (undisturbed, killed):
        folder.mkdir()
    measured(nursery, undisturbed, technique)

    rng = random.Random(11)
    before = 0
    for number in range(kills):
        child = start(nursery, killed, technique)
        assert "measuring\n" in child.stderr
        while number == kills - 1 and len(told(killed)[0]) == before:
            time.sleep(0.02)  # on a busy machine nothing is counted in the first moments
        time.sleep(rng.uniform(0.0, 0.4))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        now = len(told(killed)[0])
        assert now >= before
        before = now
    assert before > 0
    measured(nursery, killed, technique)
    data, decisions = told(killed)
    data_undisturbed, decisions_undisturbed = told(undisturbed)
    assert data == data_undisturbed
    assert decisions == decisions_undisturbed


def kept(folder, technique):
    """A demonstration's job with the scene it is replayed from, nothing counted yet."""
    profile = config.load("sim", ROOT)
    data = DataDirectory(folder)
    scan, sample = demo.sample(technique)
    job = prepare.job_for(scan, sample, profile)
    path = save_scene(
        data.scenes / "s.npz", technique=technique, **prepare.scene(scan, job, profile)
    )
    with Ledger(data.ledger) as ledger:
        ledger.add_job(replace(job, settings={**job.settings, "scene": str(path)}))
    return job, path, data


def visited(world, job):
    """Readings of three places of a job's axis in one visit, as its plan records them."""
    x, sample = Axis.of(job.settings["axis"]).grid[[10, 40, 41]], world.sample(job.sample.position)
    if job.sample.technique == "xrd":
        counts = diffracted(sample, x, 0.3)
        return [
            {"two_theta": a, "counts": c, "count_time_s": 0.3}
            for a, c in zip(x, counts, strict=True)
        ]
    counts = [absorbed(sample, each, 0.3) for each in x]
    return [
        {"mono_energy": a, "i0": i0, "it": it, "count_time_s": 0.3}
        for a, (i0, it) in zip(x, counts, strict=True)
    ]


@pytest.mark.parametrize("technique", ["xas", "xrd"])
def test_a_resumed_replay_draws_what_an_uninterrupted_one_would(tmp_path, technique, monkeypatch):
    job, path, data = kept(tmp_path, technique)
    uninterrupted = World({job.sample.position: load_scene(path)}, seed=3)
    first = visited(uninterrupted, job)
    seen = [
        each
        for number, row in enumerate(first)
        for each in observing.observations(
            named(technique).observer(job),
            "event",
            {"seq_num": number, "data": row},
            run_uid="r",
            step=0,
        )
    ]
    with Ledger(data.ledger) as ledger:
        ledger.add_documents(job.job_id, [], seen)
    monkeypatch.setattr(measure_command, "_carry_out", lambda *_: None)
    measure_command.resume(MeasureRequest(out=tmp_path), job.job_id)
    resumed = World({job.sample.position: load_scene(path)}, seed=3)
    again = visited(resumed, job)
    assert again == visited(uninterrupted, job) != first
