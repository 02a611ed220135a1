"""Run a function on a Dask cluster, as processes.py does here; the only importer of dask.

A Dask worker runs calls in threads, which nobody can kill, so each Dask worker keeps a local pool
(executor.Executor) and its calls run there: time and memory limits, crashes and their messages
are those of the local executor.
"""

from __future__ import annotations

import multiprocessing
import platform
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from importlib import metadata
from typing import Any, cast

from distributed import Client, Future, KilledWorker, Worker, WorkerPlugin, get_worker
from distributed.client import FutureCancelledError
from distributed.versions import VersionMismatchWarning

import materialsdock
from materialsdock.errors import InputError, ModelFault, Unreachable
from materialsdock.optimisation.processes import GIB, Executor, in_order

CONNECT_S = 10.0
LOOK_S = 1.0
MUST_AGREE = ("numpy", "scipy", "rietx", "rietx-kernels", "distributed")


class DaskExecutor:
    """Calls on the cluster at `address` ("tcp://host:8786"); use it as a context manager.

    workers : calls at once, whatever the size of the cluster (equal numbers give equal searches)
    time_limit_s, memory_limit_bytes, warm_up : of one call and process, as for Executor
    patience_s : how long a cluster may be without any worker before it is given up

    Raises Unreachable when no scheduler answers, and InputError when a worker has other versions
    of what decides the results.
    """

    def __init__(
        self,
        address: str,
        *,
        workers: int = 2,
        time_limit_s: float = 60.0,
        memory_limit_bytes: int = 3 * GIB,
        warm_up: Callable[[], None] | None = None,
        patience_s: float = 60.0,
    ) -> None:
        self.address = address
        self.workers = workers
        self.time_limit_s = time_limit_s
        self.patience_s = patience_s
        self._name = f"materialsdock-{uuid.uuid4().hex}"
        self._pool = KillablePool(memory_limit_bytes, warm_up)
        self._client: Client | None = None

    def __enter__(self) -> DaskExecutor:
        client = self._connected()
        try:
            _check_versions(client, self.address)
            client.register_plugin(self._pool, name=self._name)
        except BaseException:
            client.close()
            raise
        self._client = client
        return self

    def __exit__(self, *_: object) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if client.status == "running":
            client.unregister_worker_plugin(self._name)
        client.close()

    def run(
        self,
        function: Callable[..., Any],
        arguments: Iterable[tuple[Any, ...]],
        *,
        ahead: int = 0,
        time_limit_s: float | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Call `function(*arguments[i])` for each i; yield (i, result or exception), in order.

        As Executor.run.  The calls of a Dask worker that dies run again on another one as often
        as the scheduler's `allowed-failures` says (3 by default), then come as ModelFault.
        Raises Unreachable when the scheduler is lost or has no worker for `patience_s`.
        """
        if self._client is None:
            raise RuntimeError("DaskExecutor.run outside its `with` block")
        client = self._client
        limit = self.time_limit_s if time_limit_s is None else time_limit_s
        return in_order(
            arguments,
            self.workers + ahead,
            submit=lambda item: client.submit(
                _call, self._name, function, item, limit, pure=False, retries=0
            ),
            outcome=lambda future: self._outcome(client, future),
            cancel=Future.cancel,
        )

    def _connected(self) -> Client:
        try:
            with warnings.catch_warnings():  # the versions that matter are checked by name
                warnings.simplefilter("ignore", VersionMismatchWarning)
                return Client(self.address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise Unreachable(
                f"no Dask scheduler answers: {error}",
                where=self.address,
                remedy="start one with `dask scheduler`, and workers with `dask worker ADDRESS`",
            ) from error

    def _outcome(self, client: Client, future: Future[Any]) -> Any:
        self._wait(client, future)
        try:
            return future.result()
        except KilledWorker as error:
            died = error.allowed_failures + 1
            return ModelFault(f"Dask worker died ({died} of them, running this call)")
        except (CancelledError, FutureCancelledError) as error:
            raise self._lost("the Dask scheduler went away") from error

    def _wait(self, client: Client, future: Future[Any]) -> None:
        """Wait until the future is done; Unreachable when nobody is left who could do it."""
        alone_s = 0.0
        while not future.done():
            try:
                future.exception(timeout=LOOK_S)
            except TimeoutError:
                present = client.status == "running" and client.scheduler_info()["workers"]
                alone_s = 0.0 if present else alone_s + LOOK_S
            except (CancelledError, FutureCancelledError):
                return
            if alone_s > self.patience_s:
                raise self._lost(f"the Dask scheduler had no worker for {self.patience_s:g} s")

    def _lost(self, what: str) -> Unreachable:
        return Unreachable(what, where=self.address, remedy="start scheduler and workers, resume")


class KillablePool(WorkerPlugin):
    """A killable process for each thread of each Dask worker, as long as the executor is open."""

    def __init__(self, memory_limit_bytes: int, warm_up: Callable[[], None] | None) -> None:
        self.memory_limit_bytes = memory_limit_bytes
        self.warm_up = warm_up
        self._executor: Executor | None = None

    def setup(self, worker: Worker) -> None:
        """Called by Dask in every worker, those that come later too."""
        # A nanny starts its worker as a daemon, which may not have children; these die with it.
        multiprocessing.current_process().daemon = False
        self._executor = Executor(
            workers=worker.state.nthreads,
            memory_limit_bytes=self.memory_limit_bytes,
            warm_up=self.warm_up,
        ).__enter__()

    def teardown(self, worker: Worker) -> None:
        """Called by Dask when the worker closes or the plugin is unregistered."""
        if self._executor is not None:
            self._executor.__exit__()
            self._executor = None

    def call(self, function: Callable[..., Any], item: tuple[Any, ...], limit_s: float) -> Any:
        """One call in a process of this Dask worker: its result or its exception."""
        if self._executor is None:
            raise RuntimeError("KillablePool.call before Dask has set it up")
        ((_, outcome),) = self._executor.run(function, [item], time_limit_s=limit_s)
        return outcome


def _call(pool: str, function: Callable[..., Any], item: tuple[Any, ...], limit_s: float) -> Any:
    """Find the pool of this Dask worker and call there."""
    return cast(KillablePool, get_worker().plugins[pool]).call(function, item, limit_s)


def versions() -> dict[str, str]:
    """Return the versions that must be the same everywhere for results to be the same."""
    python = ".".join(platform.python_version_tuple()[:2])
    found = {"python": python, "materialsdock": materialsdock.__version__}
    return found | {name: metadata.version(name) for name in MUST_AGREE}


def _check_versions(client: Client, address: str) -> None:
    mine = versions()
    try:
        theirs: Mapping[str, dict[str, str]] = client.run(versions)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"a Dask worker cannot import materialsdock: {error}",
            where=address,
            remedy="install the same materialsdock in the environment of every worker",
        ) from error
    faults = [
        f"{worker} has {name} {found.get(name)} (here {wanted})"
        for worker, found in sorted(theirs.items())
        for name, wanted in mine.items()
        if found.get(name) != wanted
    ]
    if faults:
        raise InputError("; ".join(faults), where=address, remedy="install the same versions")
