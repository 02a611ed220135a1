"""The catalog: filled from the ledger, read by databroker, never in the way."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import httpx
import pytest
from support.catalog_runs import documents, measure, uid_of, wait_for_server

from materialsdock.errors import InputError, LedgerFault, Refused, Unreachable
from materialsdock.ledger.documents import close_torn_runs
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.views import catalog as catalogs
from materialsdock.views.catalog import CatalogFeeder, open_catalog


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One initialised catalog for the module: the first opening costs some seconds."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def catalog(folder):
    with open_catalog(folder / "catalog") as found:
        yield found


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        found.add_job(Job("job", Sample("quartz", "xrd")))
        yield found


@pytest.fixture
def feeder(ledger, catalog, tmp_path):
    with CatalogFeeder(ledger, catalog, tmp_path) as found:
        yield found


def test_runs_come_back_through_databroker(tmp_path, ledger, RE):
    uid = measure(RE, ledger)
    with (
        open_catalog(tmp_path / "catalog") as catalog,
        CatalogFeeder(ledger, catalog, tmp_path) as f,
    ):
        assert f.drain(30)
        run = catalog[-1]
        assert run.start["uid"] == uid
        assert run.stop["exit_status"] == "success"
        assert list(run.table("primary")["motor"]) == [0, 1, 2, 3, 4]
        assert len(run.table("decision")) == 5
        second = measure(RE, ledger, "corundum", 3)
        assert f.drain(30)
        assert catalog[second].start["sample"] == "corundum"
        assert [found.start["uid"] for found in catalog(sample="quartz")] == [uid]
        assert f.trouble is None
    with open_catalog(tmp_path / "catalog") as again:
        assert again[-1].start["uid"] == second


def test_a_torn_run_is_closed_and_a_half_fed_one_begun_anew(tmp_path, ledger, catalog, RE):
    uid = measure(RE, ledger)
    documents = [(name, doc) for _, _, name, doc in ledger.documents()]
    with Ledger(tmp_path / "torn.sqlite") as torn:
        torn.add_job(Job("job", Sample("quartz", "xrd")))
        for name, document in documents[:-3]:
            torn.add_documents("job", [(name, document)])
        with CatalogFeeder(torn, catalog, tmp_path) as feeder:
            assert feeder.drain(30)
        assert close_torn_runs(torn) == 1
        assert close_torn_runs(torn) == 0
        with CatalogFeeder(torn, catalog, tmp_path) as feeder:
            assert feeder.drain(30)
            assert feeder.trouble is None
        assert catalog[uid].stop["exit_status"] == "abort"
        assert catalog[uid].stop["reason"] == "interrupted"
        assert len(catalog[uid].table("primary")) in (4, 5)


def test_an_embedded_catalog_has_one_owner(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom materialsdock.views.catalog import _locked\n"
        "with _locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Refused, match="another process"), open_catalog(tmp_path):
            pass
    finally:
        holder.communicate("")


def test_a_server_that_is_not_there_is_said_so():
    with (
        pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"),
        open_catalog(uri="http://127.0.0.1:9/api"),
    ):
        pass


def test_a_catalog_must_be_somewhere():
    with pytest.raises(InputError, match="name one"), open_catalog():
        pass


@pytest.mark.parametrize("pages", [False, True])
def test_events_and_pages_are_the_same_table(ledger, feeder, catalog, pages):
    uid = uid_of(10 + pages)
    ledger.add_documents("job", list(documents(uid, pages=pages)))
    assert feeder.drain(20)
    assert list(catalog[uid].table("primary")["y"]) == [0.1, 0.2]


@pytest.mark.filterwarnings("ignore:The callback .* raised")
def test_an_error_inside_the_server_is_tried_again(ledger, catalog, feeder, monkeypatch):
    from tiled.catalog.adapter import CatalogContainerAdapter

    monkeypatch.setattr(catalogs, "BACK_OFF_S", 0.1)
    create, failures = CatalogContainerAdapter.create_node, iter([ArithmeticError("locked")])

    async def fail_once(self, *arguments, **options):
        for failure in failures:
            raise failure
        return await create(self, *arguments, **options)

    monkeypatch.setattr(CatalogContainerAdapter, "create_node", fail_once)
    ledger.add_documents("job", list(documents(uid_of(47))))
    assert feeder.drain(30)
    assert feeder.refused == {}
    assert len(catalog[uid_of(47)].table("primary")) == 2


def test_a_ledger_that_cannot_be_read_for_a_moment(ledger, catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogs, "BACK_OFF_S", 0.1)
    read, failures = ledger.documents, iter([LedgerFault("locked")])

    def fail_once(*arguments):
        for failure in failures:
            raise failure
        return read(*arguments)

    monkeypatch.setattr(ledger, "documents", fail_once)
    ledger.add_documents("job", list(documents(uid_of(48))))
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)


def test_a_position_cut_by_a_crash_is_none(ledger, catalog, tmp_path):
    (tmp_path / "catalog.position").write_text("")
    ledger.add_documents("job", list(documents(uid_of(49))))
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)
    assert (tmp_path / "catalog.position").read_text() == "5"


def test_a_dead_tiled_holds_up_nobody(ledger, feeder, catalog, monkeypatch):
    """Ledger writes go on at their pace; when Tiled is back all of it arrives, once."""
    monkeypatch.setattr(catalogs, "BACK_OFF_S", 0.1)
    dead = threading.Event()
    dead.set()
    send = type(catalog.v2.context.http_client).send

    def fail(self, *args, **options):
        if dead.is_set():
            raise httpx.UnsupportedProtocol("nobody there")  # not retried by Tiled's client
        return send(self, *args, **options)

    monkeypatch.setattr(type(catalog.v2.context.http_client), "send", fail)
    began = time.perf_counter()
    ledger.add_documents("job", list(documents(uid_of(70))))
    assert time.perf_counter() - began < 0.5
    assert not feeder.drain(0.5)
    assert "nobody there" in str(feeder.trouble)
    assert feeder.position == 0
    dead.clear()
    assert feeder.drain(20)
    assert feeder.trouble is None
    assert len(catalog[uid_of(70)].table("primary")) == 2


@pytest.mark.slow
def test_reopening_finds_what_was_there_and_leaves_no_thread(tmp_path, ledger):
    ledger.add_documents("job", list(documents(uid_of(80))))
    with (
        open_catalog(tmp_path / "catalog") as catalog,
        CatalogFeeder(ledger, catalog, tmp_path) as feeder,
    ):
        assert feeder.drain(20)
        catalog[-1].table("primary")  # Dask keeps a pool from a process's first reading on
    before = set(threading.enumerate())
    with open_catalog(tmp_path / "catalog") as catalog:
        assert list(catalog[-1].table("primary")["y"]) == [0.1, 0.2]
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(threading.enumerate()) <= before


def test_interleaved_runs_are_kept_apart(ledger, feeder, catalog):
    both = zip(documents(uid_of(20)), documents(uid_of(21)), strict=True)
    for pair in both:
        ledger.add_documents("job", list(pair))
    assert feeder.drain(20)
    for n in (20, 21):
        assert list(catalog[uid_of(n)].table("primary")["y"]) == [0.1, 0.2]


def test_a_restart_goes_on_with_every_run_that_was_open(ledger, catalog, tmp_path):
    """One run ends while another is open; the next process still has the open one's start."""
    first = list(documents(uid_of(40)))
    ledger.add_documents("job", first[:3] + list(documents(uid_of(41))))
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)
    ledger.add_documents("job", first[3:])
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)
    for n in (40, 41):
        assert list(catalog[uid_of(n)].table("primary")["y"]) == [0.1, 0.2]
        assert catalog[uid_of(n)].stop["exit_status"] == "success"


def test_a_torn_run_can_be_closed_after_others(ledger, catalog, tmp_path):
    ledger.add_documents("job", list(documents(uid_of(42), stop=False)))
    ledger.add_documents("job", list(documents(uid_of(43))))
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)
    assert close_torn_runs(ledger) == 1
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)
    assert catalog[uid_of(42)].stop["reason"] == "interrupted"
    assert len(catalog[uid_of(42)].table("primary")) == 2
    assert catalog[-1].start["uid"] == uid_of(43)


def test_a_run_taken_for_torn_that_goes_on_holds_up_nobody(ledger, catalog, feeder):
    *begun, stop = documents(uid_of(44))
    ledger.add_documents("job", begun)
    assert close_torn_runs(ledger) == 1
    ledger.add_documents("job", [stop, *documents(uid_of(45))])
    assert feeder.drain(20)
    assert catalog[uid_of(45)].stop["exit_status"] == "success"


def test_a_batch_that_fails_is_not_written_twice(ledger, catalog, tmp_path, monkeypatch):
    from bluesky_tiled_plugins.writing.tiled_writer import _RunWriter

    monkeypatch.setattr(catalogs, "BATCH", 2)
    monkeypatch.setattr(catalogs, "BACK_OFF_S", 0.1)
    append, failures = _RunWriter._append_with_retry, iter([httpx.ReadTimeout("too slow")])

    def fail_once(self, *arguments):
        for failure in failures:
            raise failure
        return append(self, *arguments)

    monkeypatch.setattr(_RunWriter, "_append_with_retry", fail_once)
    ledger.add_documents("job", list(documents(uid_of(46))))
    with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
        assert feeder.drain(20)
        assert feeder.trouble is None
    assert list(catalog[uid_of(46)].table("primary")["y"]) == [0.1, 0.2]


def test_a_lost_position_does_no_harm(ledger, catalog, tmp_path):
    ledger.add_documents("job", list(documents(uid_of(50))))
    for _ in range(2):
        with CatalogFeeder(ledger, catalog, tmp_path) as feeder:
            assert feeder.drain(20)
        (tmp_path / "catalog.position").unlink()
    assert len(catalog[uid_of(50)].table("primary")) == 2


@pytest.mark.filterwarnings("ignore:The callback .* raised")
def test_a_run_that_tiled_refuses_does_not_hold_up_the_next(ledger, feeder, catalog):
    broken = list(documents(uid_of(60)))
    del broken[1][1]["data_keys"]["y"]["dtype"]
    broken[2][1]["data"]["y"] = {"not": "a number"}
    ledger.add_documents("job", broken)
    ledger.add_documents("job", list(documents(uid_of(61))))
    assert feeder.drain(20)
    assert list(feeder.refused) == [uid_of(60)]
    assert list(catalog[uid_of(61)].table("primary")["y"]) == [0.1, 0.2]


def test_one_position_has_one_feeder(ledger, catalog, feeder, tmp_path):
    with (
        pytest.raises(Refused, match="another process"),
        CatalogFeeder(ledger, catalog, tmp_path),
    ):
        pass


def test_an_absent_server_is_said_at_once():
    began = time.perf_counter()
    with (
        pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"),
        open_catalog(None, "http://127.0.0.1:9"),
    ):
        pass
    assert time.perf_counter() - began < 5


@pytest.mark.slow
def test_a_tiled_server_is_one_setting_away(tmp_path, ledger):
    """The same reads through `tiled serve` in a process of its own on loopback."""
    from materialsdock.profile.simulation import free_port

    port, key = free_port(), "k" * 32
    settings = tmp_path / "tiled.yml"
    (tmp_path / "served").mkdir()
    catalogs.prepare(tmp_path / "served")
    secured = {"authentication": {"single_user_api_key": key}}
    settings.write_text(json.dumps(catalogs.server_config(tmp_path / "served") | secured))
    command = ["-m", "tiled", "serve", "config", str(settings)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
        )
    try:
        uri = f"http://127.0.0.1:{port}/api/v1"
        wait_for_server(uri, tmp_path / "log")
        ledger.add_documents("job", list(documents(uid_of(90))))
        with (
            open_catalog(None, uri, key) as catalog,
            CatalogFeeder(ledger, catalog, tmp_path) as feeder,
        ):
            assert feeder.drain(20)
            assert list(catalog[-1].table("primary")["y"]) == [0.1, 0.2]
            assert catalog[uid_of(90)].stop["exit_status"] == "success"
    finally:
        server.terminate()
        server.wait(20)
