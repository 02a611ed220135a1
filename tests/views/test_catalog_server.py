"""The catalog of a facility: profiles/sim/tiled.yaml served over PostgreSQL, fed by a librarian."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time

import pytest
from support.catalog_runs import measure, wait_for_server
from support.made_site import SITE
from support.places import ROOT
from support.postgresql import wait_for

from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Sample
from materialsdock.night.system.process import Child
from materialsdock.profile.simulation import free_port
from materialsdock.views.catalog import open_catalog, server_config

SETTINGS = ROOT / "profiles" / "sim" / "tiled.yaml"
KEY = secrets.token_hex(16)
LIMIT_S = 60.0


@pytest.fixture
def databases(postgresql, monkeypatch, tmp_path):
    """The server's two databases; the environment that its settings name."""
    import psycopg

    wait_for(postgresql)
    with psycopg.connect(postgresql, autocommit=True) as connection:
        for name in ("catalog", "tables"):
            connection.execute(f"CREATE DATABASE {name}")
    environment(monkeypatch, tmp_path, postgresql.rpartition("/")[0])
    yield postgresql
    with psycopg.connect(postgresql, autocommit=True) as connection:
        for name in ("catalog", "tables"):
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def environment(monkeypatch, folder, address):
    """Set what tiled.yaml takes from the environment."""
    monkeypatch.setenv("MATERIALSDOCK_POSTGRESQL", address)
    monkeypatch.setenv("MATERIALSDOCK_CATALOG_FILES", str(folder / "files"))
    monkeypatch.setenv("TILED_SINGLE_USER_API_KEY", KEY)


@pytest.fixture
def server(tmp_path):
    """Start `tiled serve config` with a file of settings; the address, and what ends it."""
    started = []

    def serve(settings, port):
        command = [sys.executable, "-m", "tiled", "serve", "config", str(settings)]
        with (tmp_path / "tiled.log").open("w") as log:
            command += ["--host", "127.0.0.1", "--port", str(port)]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
        uri = f"http://127.0.0.1:{port}/api/v1"
        wait_for_server(uri, tmp_path / "tiled.log")
        return uri, end

    def end():
        while started:
            process = started.pop()
            process.terminate()
            process.wait(20)

    yield serve
    end()


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "data" / "run").mkdir(parents=True)
    with Ledger(tmp_path / "data" / "ledger.sqlite") as found:
        found.add_job(Job("job", Sample("quartz", "xrd")))
        yield found


def librarian(folder, uri):
    """The daemon's own child for a site whose profile names the server."""
    site, data, key = folder / "site", folder / "data", folder / "tiled.key"
    for room in SITE:
        shutil.copytree(ROOT / room, site / room)
    key.write_text(f"{KEY}\n")
    with (site / "profiles" / "sim" / "profile.toml").open("a") as profile:
        profile.write(f'\n[catalog]\nuri = "{uri}"\napi_key_file = "{key}"\n')
    words = ["--profile", "sim", "--site", str(site), "--data", str(data)]
    return Child("materialsdock.night.processes.librarian", words, data / "run" / "librarian.log")


def arrived(catalog, uid):
    """The run, as soon as all of it is in the catalog."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if uid in catalog.v2 and catalog.v2[uid].metadata.get("stop"):
            return catalog[uid]
        time.sleep(0.2)
    raise AssertionError(f"run {uid} is not in the catalog")


@pytest.mark.slow
def test_runs_go_through_postgresql_and_come_back(databases, server, ledger, tmp_path, RE):
    """The second one is measured while the server is away."""
    import psycopg

    port = free_port()
    uri, end = server(SETTINGS, port)
    child = librarian(tmp_path, uri)
    try:
        first = measure(RE, ledger)
        with open_catalog(None, uri, KEY) as catalog:
            run = arrived(catalog, first)
            assert run.start["sample"] == "quartz"
            assert list(run.table("primary")["motor"]) == [0, 1, 2, 3, 4]
            assert len(run.table("decision")) == 5
        end()
        second = measure(RE, ledger, sample="corundum")
        server(SETTINGS, port)
        with open_catalog(None, uri, KEY) as catalog:
            assert len(arrived(catalog, second).table("primary")) == 5
            assert [found.start["uid"] for found in catalog(sample="corundum")] == [second]
    finally:
        child.kill()
        child.end()
    with psycopg.connect(f"{databases.rpartition('/')[0]}/catalog") as connection:
        query = "SELECT key FROM nodes WHERE key = ANY(%s) ORDER BY id"
        kept = [key for (key,) in connection.execute(query, [[first, second]])]
    assert kept == [first, second]


def test_the_settings_are_those_of_the_embedded_catalog(monkeypatch, tmp_path):
    """But for the databases and who may read, so that what is tested of one holds for both."""
    from tiled.config import parse_configs

    environment(monkeypatch, tmp_path, "postgresql://somebody:secret@127.0.0.1:5432")
    parsed = parse_configs(SETTINGS).model_dump(warnings="none")
    ours = tmp_path / "embedded.yml"
    ours.write_text(json.dumps(server_config(tmp_path)))
    embedded = parse_configs(ours).model_dump(warnings="none")
    assert parsed["authentication"]["single_user_api_key"] == KEY
    assert not parsed["authentication"]["allow_anonymous_access"]
    assert parsed["media_types"] == embedded["media_types"]
    (tree,), (other,) = parsed["trees"], embedded["trees"]
    assert tree["tree_type"] == other["tree_type"]
    assert tree["args"].keys() == other["args"].keys()
    assert tree["args"]["specs"] == other["args"]["specs"]
    assert tree["args"]["uri"] == "postgresql://somebody:secret@127.0.0.1:5432/catalog"
    assert not [name for name in os.environ if f"${{{name}}}" in json.dumps(tree["args"])]
