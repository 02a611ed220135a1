"""The plans that a profile names: today's unless it says otherwise, all resolved at start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from materialsdock.campaign import plan, run
from materialsdock.errors import InputError
from materialsdock.model import Sample
from materialsdock.profile import config, plans, siteroot
from materialsdock.profile.sections import Beam, ConditionSettings
from materialsdock.protocols import RunWatch

SITE = Path(__file__).parents[2]
MINE = """
name = "mine"
{top}
[epics]
configure = "devices.channel_access:configure"
[devices]
shutter = {{ class = "devices.shutter:Shutter", prefix = "BL7:shutter:" }}
[xas]
motion = {{ velocity = 50.0 }}
{xas}
{sections}
"""


def mine(tmp_path, top="", xas="", sections=""):
    folder = tmp_path / "profiles" / "mine"
    folder.mkdir(parents=True)
    text = MINE.format(top=top, xas=xas, sections=sections)
    (folder / "profile.toml").write_text(text)
    return config.load("mine", tmp_path)


def test_a_profile_that_names_no_plan_has_those_of_the_site():
    siteroot.activate()
    profile = config.load("sim", SITE)
    plans.check(profile)
    assert plans.named(profile) == {
        "plans.learn": "plans.adaptive:learn",
        "plans.attempts": "plans.attempts:Attempts",
        "plans.conditions": "plans.guards:ExposureConditions",
        "plans.gate": "plans.guards:ExposureGate",
        "plans.visits": "plans.reference:Visits",
        "plans.hold_for_beam": "plans.stubs:hold_for_beam",
        "plans.set_shutter": "plans.stubs:set_shutter",
        "plans.baselines.uniform_energy": "plans.scan:uniform_energy",
        "plans.baselines.expert_energy": "plans.scan:expert_energy",
        "plans.baselines.uniform_two_theta": "plans.scan:uniform_two_theta",
        "xrd.measure": "plans.measure:measure_segment",
        "xrd.visit": "plans.measure:measure_step",
        "xas.measure": "plans.measure:measure_point",
        "xas.visit": "plans.measure:measure_point",
    }


FACILITY = """
def said(kind):
    return lambda *what, **how: (kind, what, how)


class Attempts:
    def __init__(self, gate):
        self.gate = gate

    def of(self, measure):
        return ("sound", measure)


class Visits:
    def __init__(self, *of):
        self.ready = ("visits", of[1:])


class Gate:
    ready = "the gate's"

    def __init__(self, instrument, conditions):
        self.conditions = conditions


learn, conditions, hold, visit = map(said, ("learn", "conditions", "hold", "visit"))
"""


@pytest.fixture
def facility(tmp_path, monkeypatch):
    (tmp_path / "facility_plans.py").write_text(FACILITY)
    monkeypatch.syspath_prepend(tmp_path)
    named = {"learn": "learn", "conditions": "conditions", "hold_for_beam": "hold"}
    named |= {name.lower(): name for name in ("Attempts", "Visits", "Gate")}
    words = "\n".join(f'{key} = "facility_plans:{name}"' for key, name in named.items())
    return mine(tmp_path, xas='visit = "facility_plans:visit"', sections=f"[plans]\n{words}")


@pytest.fixture
def campaign():
    return SimpleNamespace(job=SimpleNamespace(sample=Sample("a sample", "xas", 4), settings={}))


def test_a_job_is_carried_out_by_the_plans_that_the_profile_names(facility, campaign):
    siteroot.activate()
    from facility_plans import visit

    from plans.measure import measure_point

    with_conditions = facility.model_copy(update={"conditions": ConditionSettings(retries=3)})
    gate = plan.gate_for(campaign, None, with_conditions)
    kind, _, terms = gate.conditions
    assert (kind, terms["place"], terms["retries"]) == ("conditions", 4, 3)
    kind, what, how = plan.plan_for(campaign, None, with_conditions, gate, "sentry")
    assert (kind, what) == ("learn", (campaign, None, ("sound", measure_point)))
    assert how == {"ready": ("visits", ("sentry", visit))}


def test_without_conditions_the_profile_names_what_waits_for_the_beam(facility, campaign):
    siteroot.activate()
    beam = Beam(minimum_ma=50, resume_ma=90)
    watched = facility.model_copy(update={"beam": beam})
    kind, _, how = plan.plan_for(campaign, "instrument", watched)
    assert kind == "learn"
    assert how["ready"]() == ("hold", ("instrument", "ring", 50, 90), {})


def test_the_names_of_older_profiles_still_hold(tmp_path):
    siteroot.activate()
    old = mine(
        tmp_path,
        'learn = "plans.scan:fixed"',
        'measure = "plans.stubs:measure_point"',
        '[plans]\ngate = "plans.attempts:Attempts"',
    )
    plans.check(old)
    assert old.plans.learn == "plans.scan:fixed"
    assert old.plans.gate == "plans.attempts:Attempts"
    assert old.xas.measure == "plans.stubs:measure_point"


def test_learn_is_given_once(tmp_path):
    both = '[plans]\nlearn = "plans.adaptive:learn"'
    same = mine(tmp_path, 'learn = "plans.adaptive:learn"', sections=both)
    assert same.plans.learn == "plans.adaptive:learn"
    with pytest.raises(InputError, match="given twice"):
        mine(tmp_path / "other", 'learn = "plans.scan:fixed"', sections=both)


@pytest.mark.parametrize("learn", ["7", '"nodots"'])
def test_a_learn_that_is_no_name_is_refused_at_the_top_too(tmp_path, learn):
    with pytest.raises(InputError, match=r"plans\.learn"):
        mine(tmp_path, f"learn = {learn}")


def test_every_wrong_name_is_in_one_error(tmp_path):
    siteroot.activate()
    wrong = mine(
        tmp_path,
        "",
        'visit = "plans.nowhere:visit"',
        '[plans]\ngate = "plans.guards:Gat"\nattempts = "plans.attempts:WATCH_S"\n'
        '[plans.baselines]\ngrid = "plans.scan:grid"',
    )
    with pytest.raises(InputError) as refused:
        plans.check(wrong)
    said = str(refused.value)
    for words in (
        "plans.gate = 'plans.guards:Gat': cannot load",
        "plans.attempts = 'plans.attempts:WATCH_S': is no plan",
        "plans.baselines.grid = 'plans.scan:grid': cannot load",
        "xas.visit = 'plans.nowhere:visit': cannot load",
        "mine",
        "name package.module:object that the site has",
    ):
        assert words in said


def test_a_wrong_name_is_said_before_anything_moves(tmp_path, monkeypatch):
    """Even one that only a fault during the measurement would have asked for."""
    siteroot.activate()
    asked, released = [], []
    instrument = SimpleNamespace(devices={"shutter": SimpleNamespace(destroy=released.append)})
    monkeypatch.setattr(run, "build_instrument", lambda profile: instrument)
    monkeypatch.setattr(run, "run_engine", lambda *of: asked.append(of))
    monkeypatch.setattr(run, "release", released.append)
    wrong = mine(tmp_path, sections='[plans]\nvisits = "plans.reference:Visit"')
    with pytest.raises(InputError, match=r"plans\.visits = 'plans\.reference:Visit'"):
        run.acquire(None, wrong, RunWatch())
    assert asked == []
    assert released == [instrument]
