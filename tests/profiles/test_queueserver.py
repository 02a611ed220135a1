"""The profile's startup in a stock bluesky-queueserver: its loader, and a real RE Manager."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.places import ROOT
from support.re_manager import ITEM, SAMPLE, STARTUP, WORDS, Manager

from materialsdock.errors import InputError
from materialsdock.ledger.ledger import Ledger

pytestmark = [  # of the queue server's own code, which leaves files open
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def loaded(beamline, tmp_path_factory):
    """(namespace, plans, devices) as a RE Manager's worker loads the startup folder."""
    from bluesky_queueserver.manager import profile_ops

    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("manager"))
    try:
        namespace = profile_ops.load_worker_startup_code(startup_dir=str(STARTUP))
        plans, devices, known_plans, known_devices = (
            profile_ops.existing_plans_and_devices_from_nspace(nspace=namespace)
        )
        yield namespace, (plans, devices, known_plans, known_devices)
        namespace["session"].close()
    finally:
        os.chdir(before)


def test_learn_is_a_plan_with_plain_parameters_that_are_described(loaded):
    plans, devices, *_ = loaded[1]
    learn = plans["learn"]
    assert learn["properties"]["is_generator"]
    assert "choosing each next position" in learn["description"]
    found = {p["name"]: (p["annotation"]["type"], p.get("default")) for p in learn["parameters"]}
    assert found == {
        "sample": ("str", None),
        "stop": ("list[str]", "[]"),
        "count_time_s": ("float | None", "None"),
        "seed": ("int", "0"),
        "live_plot": ("bool", "False"),
    }
    assert all(p["description"] for p in learn["parameters"])
    assert {"mono", "two_theta", "shutter"} <= set(devices)


@pytest.mark.parametrize(
    ("kwargs", "good"),
    [
        ({"stop": WORDS, "count_time_s": 0.5}, True),
        ({"stop": WORDS, "seed": "many"}, False),
        ({"colour": "red"}, False),
    ],
)
def test_an_item_is_checked_against_its_description(loaded, kwargs, good):
    from bluesky_queueserver.manager.profile_ops import validate_plan

    plans, devices, *_ = loaded[1]
    item = {**ITEM, "kwargs": kwargs, "user_group": "primary"}
    valid, why = validate_plan(item, allowed_plans=plans, allowed_devices=devices)
    assert valid is good, why


def test_groups_may_learn_and_call_no_functions(loaded):
    from bluesky_queueserver.manager import profile_ops

    path = STARTUP / "user_group_permissions.yaml"
    rights = profile_ops.load_user_group_permissions(str(path))
    plans, devices, *_ = loaded[1]
    allowed, _ = profile_ops.load_allowed_plans_and_devices(
        existing_plans=plans, existing_devices=devices, user_group_permissions=rights
    )
    assert set(allowed["primary"]) == {"learn"}
    for name in ("print", "analyse", "os.system"):
        assert not profile_ops.check_if_function_allowed(
            name, group_name="primary", user_group_permissions=rights
        )


def test_an_item_of_the_queue_measures(loaded):
    from bluesky_queueserver.manager.profile_ops import prepare_plan

    namespace, (plans, devices, known_plans, known_devices) = loaded
    prepared = prepare_plan(
        {**ITEM, "user_group": "primary"},
        plans_in_nspace=known_plans,
        devices_in_nspace=known_devices,
        allowed_plans={"primary": plans},
        allowed_devices={"primary": devices},
        nspace=namespace,
    )
    plan = prepared["callable"](*prepared["args"], **prepared["kwargs"])
    namespace["RE"](plan)
    campaign = namespace["session"].campaign
    assert campaign.job.sample.name == SAMPLE
    assert len(campaign.decisions) == 20
    assert namespace["shutter"].position == "closed"
    with pytest.raises(InputError, match="no sample 'unobtainium'"):
        namespace["RE"](namespace["learn"]("unobtainium"))


# a RE Manager


@pytest.fixture
def manager(tmp_path, beamline):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    made = Manager(tmp_path, {**os.environ, "PYTHONPATH": path})
    yield made
    made.close()


@pytest.mark.slow
def test_a_stock_re_manager_runs_learn_from_its_queue(manager, tmp_path):
    manager.until(60, manager_state="idle")
    assert manager.ask("environment_open")["success"]
    manager.until(90, worker_environment_exists=True, manager_state="idle")
    who = {"user": "anna", "user_group": "primary"}
    added = manager.ask("queue_item_add", item=ITEM, **who)
    assert added["success"], added
    bad = manager.ask("queue_item_add", item={**ITEM, "name": "uniform_energy"}, **who)
    assert not bad["success"]
    assert manager.ask("queue_start")["success"]
    manager.until(90, items_in_history=1, manager_state="idle")
    (done,) = manager.ask("history_get")["items"]
    assert done["result"]["exit_status"] == "completed", done["result"]["traceback"]
    manager.ask("environment_close")
    manager.until(60, worker_environment_exists=False, manager_state="idle")
    with Ledger(tmp_path / "materialsdock-data" / "ledger.sqlite") as ledger:
        measured = [job for job in ledger.jobs() if job.sample.name == SAMPLE]
        assert len(ledger.decisions(measured[0].job_id)) == 20
