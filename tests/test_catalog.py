"""The catalog: filled from the ledger, read by databroker, never in the way."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest

from materialsdock.catalog import CatalogFeeder, close_torn_runs, open_catalog
from materialsdock.errors import InputError, Refused, Unreachable
from materialsdock.ledger import Ledger
from materialsdock.model import Job, Sample


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        found.add_job(Job("job", Sample("quartz", "xrd")))
        yield found


def measure(RE, ledger, sample="quartz", points=5):
    """A run with two streams whose documents go to the ledger, as a campaign's do."""
    import bluesky.plan_stubs as bps
    import bluesky.preprocessors as bpp
    from ophyd.sim import det, motor

    def plan():
        for i in range(points):
            yield from bps.mv(motor, i)
            yield from bps.trigger_and_read([det, motor])
            yield from bps.create("decision")
            yield from bps.read(motor)
            yield from bps.save()

    token = RE.subscribe(lambda name, doc: ledger.add_documents("job", [(name, doc)]))
    (uid,) = RE(bpp.run_wrapper(plan(), md={"sample": sample}))
    RE.unsubscribe(token)
    return uid


def test_runs_come_back_through_databroker(tmp_path, ledger, RE):
    uid = measure(RE, ledger)
    with open_catalog(tmp_path / "catalog") as catalog, CatalogFeeder(ledger, catalog, tmp_path) as f:
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


def test_a_torn_run_is_closed_and_a_half_fed_one_begun_anew(tmp_path, ledger, RE):
    uid = measure(RE, ledger)
    documents = [(name, doc) for _, _, name, doc in ledger.documents()]
    with Ledger(tmp_path / "torn.sqlite") as torn:
        torn.add_job(Job("job", Sample("quartz", "xrd")))
        for name, document in documents[:-3]:
            torn.add_documents("job", [(name, document)])
        with open_catalog(tmp_path / "catalog") as catalog:
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
        "import sys\nfrom pathlib import Path\nfrom materialsdock.catalog import _locked\n"
        "with _locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Refused, match="another process"), open_catalog(tmp_path):
            pass
    finally:
        holder.communicate("")


def test_a_server_that_is_not_there_is_said_so():
    with pytest.raises(Unreachable, match="127.0.0.1:9"), open_catalog(uri="http://127.0.0.1:9/api"):
        pass


def test_a_catalog_must_be_somewhere():
    with pytest.raises(InputError, match="name one"), open_catalog():
        pass


def test_one_setting_switches_to_a_server(tmp_path, ledger, RE):
    from tiled.server.simple import SimpleTiledServer

    with SimpleTiledServer(str(tmp_path / "server")) as server:
        opened = partial(open_catalog, uri=server.uri)
        uid = measure(RE, ledger, points=2)
        with opened() as catalog, CatalogFeeder(ledger, catalog, tmp_path) as feeder:
            assert feeder.drain(30)
            assert feeder.trouble is None
            assert catalog[uid].start["uid"] == uid
