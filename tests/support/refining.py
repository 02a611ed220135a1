"""Refiners for searches in tests: in this process, and with trials drawn at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Here:
    """Refines in this process, one after the other, and counts how often."""

    workers = 1

    def __init__(self) -> None:
        self.done = 0

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(
        self, function, arguments, *, ahead=0, time_limit_s=None
    ) -> Iterator[tuple[int, object]]:
        for number, call in enumerate(arguments):
            self.done += 1
            yield number, function(*call)


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
