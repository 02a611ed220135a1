"""A process that searches in a storage of trials, forked from one that has imported for it."""

from __future__ import annotations

import multiprocessing
import time

import optuna

from materialsdock.optimisation import storage

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__])


def search(url, trials, then, said):
    """Ask for trials of the study "shared"; `then` is to tell their values, or to hang."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with storage.opened(url) as kept:
        study = optuna.create_study(storage=kept, study_name="shared", load_if_exists=True)
        for _ in range(trials):
            trial = study.ask()
            study.sampler = optuna.samplers.RandomSampler(seed=trial.number)
            storage.sign(trial)
            value = trial.suggest_float("x", 0, 1)
            if then == "tell":
                study.tell(trial, value)
    said.send("asked")
    if then == "hang":
        time.sleep(60)


class Searcher:
    """`search` in a process of its own, which is killed when the context ends."""

    def __init__(self, url, trials, then):
        self._hears, says = FORKED.Pipe(duplex=False)
        self._process = FORKED.Process(target=search, args=(url, trials, then, says))

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self._hears.close()

    def heard(self):
        """Its next word."""
        return self._hears.recv()

    def kill(self):
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join()
