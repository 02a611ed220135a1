"""The storage of Optuna's trials, by URL, and the end of those that nobody will finish.

journal:///folder/search.log    a file on this machine or a network disk; the default on disk
sqlite:///folder/search.db      a database file (four slashes for an absolute path)
postgresql://user@host/name     a server for many searches (extra `storage`)
grpc://host:13000               a proxy in front of a database (extra `storage`), started by
                                `python -m materialsdock.optimisation.storage URL --port 13000`
"""

from __future__ import annotations

import argparse
import fcntl
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, urlsplit

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from materialsdock.errors import InputError, Unreachable

CONNECT_S = 10.0
PORT = 13000
BUSY_S = 60.0
MAKING_S = (0.1, 0.3, 1.0, 3.0)  # pauses between attempts
SEARCHER, AGAIN = "searcher", "again"
FORMS = "journal:///FILE, sqlite:///FILE, postgresql://USER@HOST/NAME or grpc://HOST:PORT"
EXTRA = "pip install 'materialsdock[storage]'"


@contextmanager
def opened(url: str | None) -> Iterator[BaseStorage]:
    """The storage at `url`, closed at the end; None keeps trials in memory.

    Missing folders of files are made.  Raises InputError for an URL of no known form and for a
    missing driver, Unreachable for a server that does not answer or a file that does not open.
    """
    parts = urlsplit(url or "")
    if url is None:
        yield optuna.storages.InMemoryStorage()
    elif parts.scheme == "journal" and parts.path and not parts.netloc:
        yield _journal(Path(parts.path))
    elif parts.scheme == "grpc" and parts.netloc:
        with closing(_proxy(url, parts)) as proxy:
            yield proxy
    elif parts.scheme in ("sqlite", "postgresql", "postgresql+psycopg"):
        database = _database(url)
        try:
            yield get_storage(database)
        finally:
            database.remove_session()
            database.engine.dispose()
    else:
        raise InputError(f"no storage of trials {url!r}", where="storage", remedy=f"use {FORMS}")


class KernelLock(JournalFileOpenLock):
    """A lock that the kernel frees when its holder dies, so that nobody waits for the dead."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._held: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait until nobody else has the lock."""
        held = open(self._path, "ab")  # noqa: SIM115 - closed by release
        fcntl.flock(held, fcntl.LOCK_EX)
        self._held = held
        return True

    def release(self) -> None:
        """Let the next one in."""
        if self._held is not None:
            self._held.close()
            self._held = None


def _journal(path: Path) -> JournalStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = KernelLock(path.with_name(path.name + ".held"))
        backend = JournalFileBackend(str(path), lock_obj=lock)
        lock.acquire()
        try:
            _mend(path)
        finally:
            lock.release()
        return JournalStorage(backend)
    except (OSError, ValueError) as error:  # ValueError: lines that are no journal
        raise Unreachable(
            f"cannot be read and written: {error}", where=str(path), remedy="name another file"
        ) from error


def _mend(path: Path) -> None:
    """Cut off a last line that was not written to its end (power loss): it holds no result."""
    with path.open("r+b") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)


def _made(url: str, waiting: dict[str, float]) -> RDBStorage:
    """The storage; of several processes that find it empty all but one stumble, and try again."""
    for pause_s in MAKING_S:
        try:
            return RDBStorage(url, engine_kwargs={"connect_args": waiting})
        except sqlalchemy.exc.DBAPIError as error:
            made_meanwhile = isinstance(error, sqlalchemy.exc.IntegrityError)
            if not made_meanwhile and "already exists" not in str(error):
                raise
            time.sleep(pause_s)
    return RDBStorage(url, engine_kwargs={"connect_args": waiting})


def _database(url: str) -> RDBStorage:
    try:
        address = sqlalchemy.make_url(url)
        shown = address.render_as_string(hide_password=True)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        if address.drivername == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
            waiting = {"timeout": BUSY_S}
        else:
            waiting = {"connect_timeout": CONNECT_S}
        plain = address.render_as_string(hide_password=False)
        return _made(plain, waiting)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:  # ValueError: of the port
        raise InputError(str(error), where="storage", remedy=f"use {FORMS}") from error
    except ImportError as error:
        raise InputError(str(error), where=shown, remedy=EXTRA) from error
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        raise Unreachable(
            f"the database does not open: {str(error).splitlines()[0]}",
            where=shown,
            remedy="is the server up, and does the database exist?",
        ) from error


def _proxy(url: str, parts: SplitResult) -> GrpcStorageProxy:
    try:
        host, port = parts.hostname or "localhost", parts.port or PORT
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            proxy = GrpcStorageProxy(host=host, port=port)
        proxy.wait_server_ready(timeout=CONNECT_S)
    except ValueError as error:  # a port that is no number
        raise InputError(str(error), where=url, remedy=f"use {FORMS}") from error
    except ImportError as error:
        raise InputError(str(error).splitlines()[0], where=url, remedy=EXTRA) from error
    except ConnectionError as error:
        raise Unreachable(
            f"no answer in {CONNECT_S:g} s",
            where=url,
            remedy="start it: python -m materialsdock.optimisation.storage URL --port 13000",
        ) from error
    return proxy


def serve(url: str, *, host: str = "127.0.0.1", port: int = PORT) -> None:
    """Serve the database at `url` to grpc://host:port until the process is ended.

    The proxy has no password: bind it to a network only where everyone may write.  Raises
    InputError for a journal, which Optuna's proxy cannot serve.
    """
    with opened(url) as storage, warnings.catch_warnings():
        if isinstance(storage, JournalStorage):
            raise InputError("a journal cannot be served", where=url, remedy="use a database")
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.run_grpc_proxy_server(storage, host=host, port=port)


def sign(trial: optuna.trial.Trial) -> None:
    """Write on a trial that this process runs it, from now on."""
    trial.set_user_attr(SEARCHER, [identity(), time.time()])


def fail_abandoned(study: optuna.Study, older_than_s: float) -> int:
    """Fail the running trials that nobody will finish, queue each once again; how many.

    Those are the trials of a process of this machine that is gone, and of any machine when they
    were asked for more than `older_than_s` ago.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    abandoned = [trial for trial in running if _abandoned(trial, older_than_s)]
    for trial in abandoned:
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        if trial.params and AGAIN not in trial.user_attrs:
            study.enqueue_trial(trial.params, user_attrs={AGAIN: True})
    return len(abandoned)


def _abandoned(trial: FrozenTrial, older_than_s: float) -> bool:
    if SEARCHER not in trial.user_attrs:  # it died between asking and signing, or is not ours
        began = trial.datetime_start
        return began is None or datetime.now() - began > timedelta(seconds=older_than_s)
    who, since = trial.user_attrs[SEARCHER]
    host, _, pid = who.rpartition(":")
    gone = host == socket.gethostname() and not Path(f"/proc/{pid}").exists()
    return gone or time.time() - since > older_than_s


def identity() -> str:
    """This process among all machines: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


def main() -> None:
    """Serve a database to many searches over gRPC."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url", help="sqlite:///FILE or postgresql://USER@HOST/NAME")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    given = parser.parse_args()
    serve(given.url, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
