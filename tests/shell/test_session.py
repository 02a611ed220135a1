"""A session of an operator in IPython: learn, pause with Ctrl-C, resume, read back, analyse."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from bluesky.utils import RunEngineInterrupted

from materialsdock.errors import InputError
from materialsdock.shell import session

SAMPLE = "Fe K edge (simulated)"


@pytest.fixture(scope="module")
def names(beamline, tmp_path_factory):
    """A session on the running beamline, as `materialsdock shell sim` fills it."""
    found = {}
    opened = session.start(found, "sim", data=tmp_path_factory.mktemp("data"))
    yield found
    opened.close()


def test_the_table_says_what_there_is(names, capsys):
    again = session.start(names, "sim")
    assert again is names["session"]
    text = session.table(again)
    for word in ("two_theta", "mono", SAMPLE, "RE(learn(", "catalog[-1]"):
        assert word in text
    assert names["two_theta"] is names["instrument"].two_theta


def test_what_cannot_be_measured_is_refused_before_anything_moves(names):
    with pytest.raises(InputError, match="available: 'fluorapatite'"):
        names["learn"]("unobtainium")
    with pytest.raises(InputError, match="--stop"):
        names["learn"](SAMPLE, stop=["soon"])
    with pytest.raises(InputError, match="measured yet"):
        names["analyse"]()


def test_learn_pause_resume_and_read_back(names, capsys):
    RE, operator = names["RE"], names["session"]

    def press_ctrl_c_twice():
        while operator.campaign is None or len(operator.campaign.decisions) < 8:
            time.sleep(0.01)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.15)

    presser = threading.Thread(target=press_ctrl_c_twice)
    presser.start()
    with pytest.raises(RunEngineInterrupted):
        RE(names["learn"](SAMPLE, stop=["maximum_points=40"], count_time_s=5.0))
    presser.join()
    assert RE.state == "paused"
    assert names["shutter"].position == "closed"
    RE.resume()
    assert names["shutter"].position == "closed"

    run = names["catalog"][-1]
    assert run.start["sample"] == SAMPLE
    assert "40 points" in run.stop["reason"]
    primary, decision = run.table("primary"), run.table("decision")
    assert len(primary) == len(decision) == len(operator.campaign.decisions) == 40
    told = operator.ledger.observations(operator.campaign.job.job_id)
    assert list(primary["mono_energy"]) == [o.x for o in told]
    assert "lambda_t" in capsys.readouterr().out  # the live table

    names["analyse"]()
    assert operator.outcome.found.edge.e0_ev == pytest.approx(7113, abs=3)
    assert "report:" in capsys.readouterr().out


@pytest.mark.parametrize("sample", [SAMPLE, "fluorapatite"])
@pytest.mark.slow
def test_a_live_plot_shows_every_reading(names, sample):
    from matplotlib import pyplot

    pyplot.close("all")
    stop = ["maximum_points=60"]
    names["RE"](names["learn"](sample, stop=stop, live_plot=True, count_time_s=5.0))
    (figure,) = map(pyplot.figure, pyplot.get_fignums())
    points = sum(len(line.get_xdata()) for line in figure.axes[0].lines)
    run = names["session"].campaign.job.job_id
    assert points == len(names["session"].ledger.observations(run)) > 40
    pyplot.close("all")


def test_other_plans_reach_the_catalog_too(names):
    RE = names["RE"]
    RE(names["uniform_energy"](names["instrument"], 7100.0, 7110.0, 5, 0.1))
    assert names["catalog"][-1].start["plan_name"] == "uniform_energy"
    assert len(names["catalog"][-1].table("primary")) == 5
