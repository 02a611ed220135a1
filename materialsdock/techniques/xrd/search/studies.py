"""The Optuna studies of a search, one per seed, in memory or on disk; the importer of optuna.

A trial is drawn by a sampler seeded with (seed, its number), so that what is drawn depends only on
the seed and on the results it had before, also after a search was killed and goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure, Trial
from materialsdock.optimisation.storage import fail_abandoned, sign
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace

STARTUP_TRIALS = 20
IMPROVES = 2e-3  # share of the best objective that counts as an improvement
ABANDONED_S = 3600.0
KEPT = "materialsdock"


def fingerprint(
    pattern: Pattern,
    structures: Sequence[Structure],
    diffractometer: Diffractometer,
    space: SearchSpace,
) -> str:
    """Identify what stored trials are of: a hash of the data, structures, instrument and space."""
    said = [
        [(s.name, s.cif, s.preferred_orientation) for s in structures],
        asdict(diffractometer),
        asdict(space),
    ]
    arrays = (pattern.two_theta, pattern.intensity, pattern.sigma)
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=float).tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class TrialStore:
    """The place where the trials of a search are kept.

    storage : an open storage (optimisation.storage.opened)
    belongs : what the trials are of (`fingerprint`); other data have studies of their own there
    resume : go on with what is stored; otherwise it is thrown away
    """

    storage: optuna.storages.BaseStorage
    belongs: str
    resume: bool = True

    def study(self, seed: int) -> optuna.Study:
        """The study of a seed, new or with the trials it has."""
        name = f"{self.belongs} seed {seed}"
        if not self.resume and name in optuna.get_all_study_names(self.storage):
            optuna.delete_study(study_name=name, storage=self.storage)
        found = optuna.create_study(storage=self.storage, study_name=name, load_if_exists=True)
        fail_abandoned(found, ABANDONED_S)
        return found


class Study:
    """The trials of one seed: asked for, given results, counted, and kept in `store`.

    first : sampler parameters to try first, in this order (the default recipe, past successes)
    """

    def __init__(
        self,
        seed: int,
        space: SearchSpace,
        store: TrialStore,
        *,
        first: Sequence[Mapping[str, Any]] = (),
        startup: int = STARTUP_TRIALS,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.seed, self.space, self.startup = seed, space, startup
        self._study = store.study(seed)
        if not self._study.trials:
            for parameters in first:
                self._study.enqueue_trial(dict(parameters), skip_if_exists=True)
        self.trials = [_restored(t, seed) for t in self._study.trials if KEPT in t.user_attrs]

    def ask(self) -> tuple[optuna.trial.Trial, dict[str, Any]]:
        """A new trial and its recipe."""
        trial = self._study.ask()
        # numbers are unique in a study that several searches share, so none draws what another did
        self._study.sampler = optuna.samplers.TPESampler(
            seed=int(np.random.SeedSequence((self.seed, trial.number)).generate_state(1)[0]),
            n_startup_trials=self.startup,
        )
        sign(trial)
        return trial, self.space.suggest(trial)

    def tell(self, asked: optuna.trial.Trial, trial: Trial) -> None:
        """Record how a trial ended."""
        asked.set_user_attr(KEPT, asdict(trial))
        if trial.objective is None:
            self._study.tell(asked, state=TrialState.FAIL)
        else:
            asked.set_constraint("violations", float(len(trial.violations)))
            self._study.tell(asked, trial.objective)
        self.trials.append(trial)

    def since_improvement(self) -> int:
        """Trials with results since the best objective fell by more than IMPROVES."""
        best, since = math.inf, 0
        for trial in self.trials:
            value = math.inf if trial.objective is None or trial.violations else trial.objective
            if value < best * (1 - IMPROVES) or (math.isinf(best) and math.isfinite(value)):
                best, since = value, 0
            else:
                since += 1
        return since


def _restored(stored: optuna.trial.FrozenTrial, seed: int) -> Trial:
    kept = dict(stored.user_attrs[KEPT])
    values = {name: (value, esd) for name, (value, esd) in kept["values"].items()}
    violations = tuple(kept["violations"])
    return Trial(**{**kept, "seed": seed, "values": values, "violations": violations})
