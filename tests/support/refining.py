"""Refiners for searches in tests: in this process, and with trials drawn at random.

A worker process imports for 1.5 s before its first call, and every search has its own.  Where the
answer is tested and not that calls can be killed, `in_this_process` spares that.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from materialsdock.optimisation.processes import in_order

# the modules that make processes for their calls
PROCESSES = (
    "materialsdock.optimisation.executors",
    "materialsdock.techniques.xrd.phases.identify",
    "materialsdock.techniques.xrd.phases.store",
)


class Here:
    """Refines in this process, in the order in which `workers` processes would; counts how often.

    Arguments are drawn when they would be, so a search makes the same trials.
    """

    def __init__(self, *, workers: int = 1, **_: object) -> None:
        self.workers = workers
        self.done = 0

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(
        self, function, arguments, *, ahead=0, time_limit_s=None
    ) -> Iterator[tuple[int, object]]:
        def called(call):
            self.done += 1
            future = Future()
            try:
                future.set_result(function(*call))
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                future.set_exception(error)
            return future

        return in_order(
            arguments,
            self.workers + ahead,
            submit=called,
            outcome=lambda future: future.exception() or future.result(),
            cancel=Future.cancel,
        )


@pytest.fixture(scope="module")
def in_this_process():
    """Calls of searches and of the structure store run here, and not in processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for module in PROCESSES:
            patch.setattr(f"{module}.Executor", Here)
        yield


class Dice:
    """A trial that draws at random, as a sampler does."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.drawn = {}

    def keep(self, name, value):
        return self.drawn.setdefault(name, value)

    def suggest_categorical(self, name, choices):
        return self.keep(name, choices[self.random.integers(len(choices))])

    def suggest_float(self, name, low, high):
        return self.keep(name, self.random.uniform(low, high))

    def suggest_int(self, name, low, high):
        return self.keep(name, int(self.random.integers(low, high + 1)))
