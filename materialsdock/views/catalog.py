"""databroker over Tiled, fed from the ledger: a view that may be slow, absent, or rebuilt.

Tiled never stands between a reading and the next one: documents are in the ledger first, and a
thread carries them over.  `directory` gives a catalog inside this process; `uri` a Tiled server.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from materialsdock.errors import InputError, LedgerFault, Refused, Unreachable
from materialsdock.ledger.documents import DocumentSource
from materialsdock.ledger.folder import DataDirectory
from materialsdock.profile.config import Profile

log = logging.getLogger(__name__)
SPEC = {"name": "CatalogOfBlueskyRuns", "version": "3.0"}
BATCH = 500
POLL_S = 0.2
BACK_OFF_S = 5.0
CONNECT_S = 5.0
REFUSALS = frozenset({400, 409, 413, 415, 422})  # answers that will be the same next time
FAULTS = (httpx.HTTPError, OSError, RuntimeError, ValueError, KeyError, TypeError, LedgerFault)


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
        with _of_server(uri, api_key) as client:
            yield Broker(client.sort(("start.time", 1)))
        return
    if directory is None:
        raise InputError("neither directory nor uri", where="catalog", remedy="name one of them")
    with _locked(directory), _embedded(directory) as client:
        yield Broker(client.sort(("start.time", 1)))


def catalog_of(profile: Profile, data: DataDirectory) -> AbstractContextManager[Any]:
    """The profile's catalog: embedded in the data folder, or of a Tiled server."""
    key_file = profile.catalog.api_key_file
    key = key_file.read_text().strip() if key_file else None
    return open_catalog(data.catalog, profile.catalog.uri, key)


@contextmanager
def _of_server(uri: str, api_key: str | None) -> Iterator[Any]:
    from tiled.client import from_context
    from tiled.client.context import Context

    try:
        url = urlsplit(uri)
        port = url.port or (443 if url.scheme == "https" else 80)
        # Tiled's client goes on asking for half a minute before it says that nobody is there
        socket.create_connection((url.hostname or "", port), CONNECT_S).close()
        context, path = Context.from_any_uri(uri, api_key=api_key)
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise Unreachable(
            f"no Tiled server: {error}", where=uri, remedy="start it, or leave out catalog.uri"
        ) from error
    with closing(context):
        yield from_context(context, node_path_parts=path, remember_me=False)


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

    prepare(directory)
    logging.getLogger("tiled.server.app").setLevel(logging.WARNING)  # it greets with its version
    app = build_app_from_config(server_config(directory))
    # starlette's advice to its own users, raised at import: none of an operator's business
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
    # an error of the server comes back as status 500, as from any other server
    with closing(Context.from_app(app, raise_server_exceptions=False)) as context:
        yield from_context(context)


def prepare(directory: Path) -> None:
    """Create the database of a catalog in `directory`, whole or not at all, unless it is there.

    Tiled would start a process for it, which imports Tiled once more: 3 s of CPU.
    """
    if (directory / "ready").exists():
        return
    begun = (directory / "begun.sqlite").resolve()
    begun.unlink(missing_ok=True)
    with ThreadPoolExecutor(1) as pool:  # a notebook's own thread has an event loop already
        pool.submit(_create, f"sqlite+aiosqlite:///{begun}").result()
    begun.replace(directory / "catalog.sqlite")
    (directory / "ready").touch()


def _create(uri: str) -> None:
    """The tables of Tiled's catalog, and the revision of their schema, as `tiled catalog init`."""
    from sqlalchemy.ext.asyncio import create_async_engine
    from tiled.alembic_utils import stamp_head
    from tiled.catalog.alembic_constants import ALEMBIC_DIR, ALEMBIC_INI_TEMPLATE_PATH
    from tiled.catalog.core import initialize_database

    async def tables() -> None:
        engine = create_async_engine(uri)
        try:
            await initialize_database(engine)
        finally:
            await engine.dispose()

    asyncio.run(tables())
    # alembic's advice to Tiled: none of an operator's business
    warnings.filterwarnings("ignore", message="No path_separator found in configuration")
    stamp_head(ALEMBIC_INI_TEMPLATE_PATH, ALEMBIC_DIR, uri)


def server_config(directory: Path) -> dict[str, Any]:
    """The configuration of a Tiled server over a prepared `directory`; it serves many clients."""
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
                    "init_if_not_exists": False,  # prepare() has made it
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


@dataclass
class _Run:
    """A run on its way; `writer` is None when nothing is to be written (there, or refused)."""

    first: int
    writer: Any


class CatalogFeeder:
    """Carries documents from the ledger to a catalog, in a thread, resumably.

    A run is carried as a whole, or again from its start, so failures and restarts do no harm.
    `trouble` is the last failure while it lasts; `refused` says why the catalog will not have
    a run.  Raises Refused on entry when another process feeds from this folder.
    """

    def __init__(self, ledger: DocumentSource, broker: Any, folder: Path) -> None:
        self._ledger, self._client = ledger, broker.v2
        self._position_file = folder / "catalog.position"
        self._lock = _locked(folder / "feeding")
        self.position = self._kept = self._read_position()
        self.trouble: BaseException | None = None
        self.refused: dict[str, str] = {}
        self._runs: dict[str, _Run] = {}
        self._run_of: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="catalog feeder", daemon=True)

    def __enter__(self) -> Self:
        self._lock.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join(CONNECT_S)  # Tiled's own retries may hold the thread for a minute
        self._lock.__exit__(None, None, None)

    def _read_position(self) -> int:
        try:
            return int(self._position_file.read_text())
        except (FileNotFoundError, ValueError):
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
                    if self._ending.is_set():
                        return
                    self._carry(seq, name, document)
                    self.position = seq
                self._keep_position()
            except FAULTS as error:
                self._begin_again(error)
                continue
            self.trouble = None
            if not documents:
                self._ending.wait(POLL_S)

    def _begin_again(self, error: Exception) -> None:
        """Open runs are carried anew: their writers do not know what has arrived."""
        if not self._ending.is_set():
            log.warning("the catalog is not filled: %s", error)
            self.trouble = error
            self._runs.clear()
            self.position = self._kept
            self._ending.wait(BACK_OFF_S)

    def _keep_position(self) -> None:
        """A restart must see the runs that are open now from their start."""
        kept = min((run.first - 1 for run in self._runs.values()), default=self.position)
        if kept != self._kept:
            new = self._position_file.with_suffix(".new")
            new.write_text(str(kept))
            new.replace(self._position_file)
            self._kept = kept

    def _carry(self, seq: int, name: str, document: dict[str, Any]) -> None:
        uid = self._uid_of_run(name, document)
        if name == "start":
            self._runs[uid] = _Run(seq, self._writer(uid))
        run = self._runs.get(uid)
        if run is None:  # closed before: a run taken for torn that went on
            return
        if run.writer is not None:
            try:
                run.writer(name, document)
            except FAULTS as error:
                if _may_pass(error):
                    raise
                log.warning("the catalog refuses run %s: %s", uid, error)
                self.refused[uid], run.writer = f"{type(error).__name__}: {error}", None
        if name == "stop":
            del self._runs[uid]

    def _uid_of_run(self, name: str, document: dict[str, Any]) -> str:
        uid = document["uid"] if name == "start" else document.get("run_start")
        if name == "descriptor":
            self._run_of[document["uid"]] = str(uid)
        return str(uid or self._run_of.get(document.get("descriptor", ""), ""))

    def _writer(self, uid: str) -> Any:
        from bluesky_tiled_plugins import TiledWriter

        if uid in self._client:
            if self._client[uid].metadata.get("stop"):
                return None
            # half carried over before a failure: begin it anew
            self._client.delete_contents(uid, external_only=False, recursive=True)
        return TiledWriter(self._client, batch_size=BATCH)


def _may_pass(error: Exception) -> bool:
    """Return True if the same document may be taken later: the fault is not the document's own."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code not in REFUSALS
    return isinstance(error, httpx.HTTPError | OSError | RuntimeError | LedgerFault)
