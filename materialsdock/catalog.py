"""databroker over Tiled, fed from the ledger: a view that may be slow, absent, or rebuilt.

Tiled never stands between a reading and the next one: documents are in the ledger first, and a
thread carries them over.  `directory` gives a catalog inside this process; `uri` a Tiled server.
"""

from __future__ import annotations

import fcntl
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import httpx

from materialsdock.errors import InputError, LedgerFault, Refused, Unreachable

SPEC = {"name": "CatalogOfBlueskyRuns", "version": "3.0"}
BATCH = 500
POLL_S = 0.2
BACK_OFF_S = 5.0
CONNECT_S = 5.0
FAULTS = (httpx.HTTPError, OSError, RuntimeError, ValueError, KeyError, TypeError, LedgerFault)


class Source(Protocol):
    """What the catalog needs of a ledger."""

    def documents(
        self, after_seq: int = 0, limit: int = 1000
    ) -> list[tuple[int, str, str, dict[str, Any]]]: ...

    def last_document(self) -> int: ...

    def torn_runs(self) -> list[tuple[str, str]]: ...

    def add_documents(self, job_id: str, documents: list[tuple[str, dict[str, Any]]]) -> None: ...


@contextmanager
def open_catalog(
    directory: Path | None = None, uri: str | None = None, api_key: str | None = None
) -> Iterator[Any]:
    """A databroker.v1.Broker, of a Tiled server when `uri` is given, else embedded in `directory`.

    Raises Refused when another process has the embedded catalog open, and Unreachable when the
    server does not answer.
    """
    from databroker.v1 import Broker

    if uri is not None:
        client = _of_server(uri, api_key)
        with closing(client.context):
            yield Broker(client)
        return
    if directory is None:
        raise InputError("neither directory nor uri", where="catalog", remedy="name one of them")
    with _locked(directory), _embedded(directory) as client:
        yield Broker(client)


def _of_server(uri: str, api_key: str | None) -> Any:
    from tiled.client import from_uri

    url = urlsplit(uri)
    try:
        # Tiled's client goes on asking for half a minute before it says that nobody is there
        port = url.port or (443 if url.scheme == "https" else 80)
        socket.create_connection((url.hostname or "", port), CONNECT_S).close()
        return from_uri(uri, api_key=api_key)
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise Unreachable(
            f"no Tiled server: {error}", where=uri, remedy="start it, or leave out catalog.uri"
        ) from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(
                "another process has this catalog open",
                where=str(directory),
                remedy="close it, or let both use one Tiled server (catalog.uri)",
            ) from error
        yield


@contextmanager
def _embedded(directory: Path) -> Iterator[Any]:
    """A Tiled client of an application in this process: SQLite, no socket."""
    from tiled.client import from_context
    from tiled.client.context import Context
    from tiled.server.app import build_app_from_config

    app = build_app_from_config(server_config(directory))
    # starlette's advice to its own users, raised at import: none of an operator's business
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
    # an error of the server comes back as status 500, as from any other server
    with Context.from_app(app, raise_server_exceptions=False) as context:
        (directory / "ready").touch()
        yield from_context(context)


def server_config(directory: Path) -> dict[str, Any]:
    """The configuration of a Tiled server over `directory`; the same one serves many clients."""
    tables = directory / "tables.sqlite"
    return {
        "authentication": {"allow_anonymous_access": True},
        "trees": [
            {
                "path": "/",
                "tree": "catalog",
                "args": {
                    "uri": f"sqlite:///{(directory / 'catalog.sqlite').resolve()}",
                    "writable_storage": [
                        (directory / "data").resolve().as_uri(),
                        f"sqlite:///{tables.resolve()}",
                    ],
                    # a child process of 3.5 s, so only once
                    "init_if_not_exists": not (directory / "ready").exists(),
                    "specs": [SPEC],
                },
            }
        ],
        "media_types": {
            "BlueskyRun": {
                "application/json-seq": "bluesky_tiled_plugins.exporters:json_seq_exporter"
            }
        },
    }


class CatalogFeeder:
    """Carries documents from the ledger to a catalog, in a thread, resumably.

    The position, the last document carried over, is kept in `folder`, so that a restart goes on
    there.  Errors of the catalog are kept in `trouble` and tried again; nobody waits for them.
    """

    def __init__(self, ledger: Source, broker: Any, folder: Path) -> None:
        self._ledger, self._client = ledger, broker._catalog
        self._position_file = folder / "catalog.position"
        self.position = self._read_position()
        self.trouble: BaseException | None = None
        self._writers: dict[str, Any] = {}
        self._run_of: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="catalog feeder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _read_position(self) -> int:
        try:
            return int(self._position_file.read_text())
        except (FileNotFoundError, ValueError):  # none yet, or cut by a crash
            return 0

    def drain(self, timeout_s: float) -> bool:
        """Wait until the catalog has all that the ledger has now; False when time is up."""
        deadline = time.monotonic() + timeout_s
        last = self._ledger.last_document()
        while self.position < last and time.monotonic() < deadline and self._thread.is_alive():
            time.sleep(0.02)
        return self.position >= last

    def _feed(self) -> None:
        while not self._ending.is_set():
            try:
                documents = self._ledger.documents(self.position, BATCH)
                for seq, _, name, document in documents:
                    self._carry(name, document)
                    self.position = seq
                    if name == "stop":
                        # a restart must see a run from its start: only whole runs are left behind
                        self._position_file.write_text(str(seq))
                self.trouble = None
            except FAULTS as error:
                self.trouble = error
                self._ending.wait(BACK_OFF_S)
                continue
            if not documents:
                self._ending.wait(POLL_S)

    def _carry(self, name: str, document: dict[str, Any]) -> None:
        from bluesky_tiled_plugins import TiledWriter

        if name == "start":
            uid = document["uid"]
            if uid in self._client:  # half carried over before a crash: begin it anew
                self._client.delete_contents(uid, external_only=False, recursive=True)
            self._writers[uid] = TiledWriter(self._client, batch_size=BATCH)
        elif name == "descriptor":
            uid = self._run_of[document["uid"]] = document["run_start"]
        elif name == "stop":
            uid = document["run_start"]
        else:
            uid = self._run_of[document["descriptor"]]
        self._writers[uid](name, document)
        if name == "stop":
            del self._writers[uid]


def close_torn_runs(ledger: Source) -> int:
    """Give every run that a dead process left open a stop document, "interrupted"; how many.

    Call it only when no other process is measuring with this ledger.
    """
    torn = ledger.torn_runs()
    for job_id, run_uid in torn:
        stop = {
            "uid": str(uuid.uuid4()),
            "run_start": run_uid,
            "time": time.time(),
            "exit_status": "abort",
            "reason": "interrupted",
            "num_events": {},
        }
        ledger.add_documents(job_id, [("stop", stop)])
    return len(torn)
