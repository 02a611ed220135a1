"""Run a function in worker processes that can be killed, so that one crash costs one call.

A worker that hangs, crashes or eats memory is replaced; the others go on.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from materialsdock.errors import ModelFault

GIB = 2**30
PR_SET_PDEATHSIG = 1
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RIETX_COMPILED_THREADS",  # its columns are so short that handing them to threads costs half
)
Task = TypeVar("Task")


class TrialExecutor(Protocol):
    """The runner of a search's trials, as the search needs it: processes here, or a cluster.

    Laws (tests/optimisation): results come in the order of the arguments; a call that hangs,
    crashes or eats memory costs only itself and comes as a value; equal `workers` and equal
    functions give equal results, wherever they run.
    """

    @property
    def workers(self) -> int:
        """Calls at once."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def run(
        self,
        function: Callable[..., Any],
        arguments: Iterable[tuple[Any, ...]],
        *,
        ahead: int = 0,
        time_limit_s: float | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Call `function(*arguments[i])` for each i; yield (i, result or exception), in order."""


class Executor:
    """A pool of killable worker processes; use it as a context manager.

    workers : processes at once; time_limit_s : wall clock of one call, then it is killed
    memory_limit_bytes : address space of a worker (RLIMIT_AS, Linux), beyond it MemoryError
    warm_up : called once in every new worker, outside the time limit (slow imports)
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        time_limit_s: float = 60.0,
        memory_limit_bytes: int = 3 * GIB,
        warm_up: Callable[[], None] | None = None,
    ) -> None:
        self.workers = workers
        self.time_limit_s = time_limit_s
        self.memory_limit_bytes = memory_limit_bytes
        self._pool = ProcessPool(
            max_workers=workers,
            initializer=_settle,
            initargs=(os.getpid(), memory_limit_bytes, warm_up),
            context=multiprocessing.get_context("spawn"),
        )
        self._threads: dict[str, str | None] = {}

    def __enter__(self) -> Executor:
        # A spawned worker may load BLAS before its initializer runs, so the environment that it
        # inherits has to say it; the libraries already loaded here read it no more.
        self._threads = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, "1"))
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()
        for name, value in self._threads.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

    def run(
        self,
        function: Callable[..., Any],
        arguments: Iterable[tuple[Any, ...]],
        *,
        ahead: int = 0,
        time_limit_s: float | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Call `function(*arguments[i])` for each i; yield (i, result or exception), in order.

        Arguments are taken lazily: i is drawn right after result i − (workers + ahead) was
        taken, whatever the timing, so a caller that decides the next argument from the results
        is reproducible.  Failures come as values: ModelFault for a call that was killed, died or
        ran out of memory, else the exception that it raised.
        """
        limit = self.time_limit_s if time_limit_s is None else time_limit_s
        return in_order(
            arguments,
            self.workers + ahead,
            submit=lambda item: self._schedule(function, item, limit),
            outcome=lambda future: self._outcome(future, limit),
            cancel=Future.cancel,
        )

    def _schedule(
        self, function: Callable[..., Any], item: tuple[Any, ...], limit: float
    ) -> Future[Any]:
        try:
            future: Future[Any] = self._pool.schedule(function, args=item, timeout=limit)
        except RuntimeError as error:  # a broken pool takes no more work
            raise ModelFault(f"no worker process is left: {error}") from error
        return future

    def _outcome(self, future: Future[Any], limit: float) -> Any:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, FutureTimeoutError):
            return ModelFault(f"took longer than {limit:g} s and was stopped")
        if isinstance(error, BrokenProcessPool):
            raise ModelFault("worker processes die before their first call") from error
        if isinstance(error, ProcessExpired):
            return ModelFault(f"worker process died ({_cause(error.exitcode)})")
        if isinstance(error, MemoryError):
            return ModelFault(f"needed more than {self.memory_limit_bytes / GIB:g} GiB of memory")
        return error


def in_order(
    arguments: Iterable[tuple[Any, ...]],
    depth: int,
    *,
    submit: Callable[[tuple[Any, ...]], Task],
    outcome: Callable[[Task], Any],
    cancel: Callable[[Task], object],
) -> Iterator[tuple[int, Any]]:
    """Yield (i, outcome of what was submitted for arguments[i]), with `depth` of them on the way.

    Argument i is drawn right after result i − depth was taken, whatever the timing.
    """
    waiting: deque[Task] = deque()
    source = iter(arguments)
    done = 0
    try:
        while True:
            while len(waiting) < depth:
                item = next(source, None)
                if item is None:
                    break
                waiting.append(submit(item))
            if not waiting:
                return
            yield done, outcome(waiting.popleft())
            done += 1
    finally:
        for task in waiting:
            cancel(task)


def _settle(parent: int, memory_limit_bytes: int, warm_up: Callable[[], None] | None) -> None:
    """First thing in a worker: die with the parent, stay within the memory limit, warm up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = (
            memory_limit_bytes if hard == resource.RLIM_INFINITY else min(hard, memory_limit_bytes)
        )
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    if warm_up is not None:
        warm_up()


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return signal.Signals(-exitcode).name
    return f"exit code {exitcode}"
