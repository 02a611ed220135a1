"""Two objectives at once: how well a structure fits the pattern, and what energy it has.

Diffraction sees light atoms badly and cannot tell some structures apart; an energy may, and may
mislead (common density functionals put anatase below rutile, against experiment).  So neither is
weighed against the other: the answer is the Pareto set, the structures that none surpasses in
both (Optuna's multi-objective TPE, Ozaki et al. 2022 J. Artif. Intell. Res. 73, 1209).

A trial takes one of the candidates and either refines its coordinates, or moves its atoms by
shifts that keep the symmetry and leaves them there; cell, profile and displacements are refined
always, and the energy is that of the refined crystal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gemmi
import optuna

from materialsdock.errors import InputError, MaterialsDockError, ModelFault
from materialsdock.fusion.hybrid.pareto import HybridResult, Point, pareto, sentences, spread
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.optimisation.executors import trial_executor
from materialsdock.optimisation.processes import TrialExecutor
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.rietveld.contacts import refined_crystal
from materialsdock.techniques.xrd.rietveld.crystals import crystal_of
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.limits import check_pattern, check_structures
from materialsdock.techniques.xrd.rietveld.recipe import default_recipe
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine
from materialsdock.techniques.xrd.rietveld.symmetric_shifts import freedoms, shifted
from materialsdock.theory.energy import Calculator, formula

STARTUP_TRIALS = 12
MOST_FINALISTS = 12
FINAL_PATIENCE = 5.0
SHIFT_LIMIT = 0.25  # Å


def hybrid_search(
    pattern: Pattern,
    candidates: Sequence[Structure],
    diffractometer: Diffractometer,
    calculator: Calculator,
    *,
    others: Sequence[Structure] = (),
    trials: int = 60,
    seeds: Sequence[int] = (0,),
    workers: int = 2,
    time_limit_s: float = 60.0,
    shift_limit: float = SHIFT_LIMIT,
    on_trial: Callable[[Point], None] | None = None,
    engine: RefinementEngine | None = None,
    executor: TrialExecutor | None = None,
) -> HybridResult:
    """The Pareto set of (Rwp, energy per atom) over candidates and their coordinates.

    candidates : alternatives for one phase, of one composition; others : phases present besides
    trials : per seed; shift_limit : how far coordinates go from those of the CIF, each way [Å]
    on_trial : called here, in order, after each trial
    executor : who runs the trials; None: processes of this machine, by `workers`, `time_limit_s`

    Raises InputError for data, structures or a calculator that cannot be used, ModelFault when
    no trial counts (with the first reason).
    """
    refiner: RefinementEngine = RietxEngine() if engine is None else engine
    check_pattern(pattern, diffractometer.fwhm_deg)
    check_structures([*candidates, *others])
    _check_compositions(candidates)
    course = _HybridCourse(tuple(candidates), shift_limit, _studies(seeds, candidates))
    objectives = _Objectives(refiner, calculator, pattern, tuple(others), diffractometer)
    warm_up = getattr(refiner, "warm_up", None)
    with executor or trial_executor(
        workers=workers, time_limit_s=time_limit_s, warm_up=warm_up
    ) as pool:
        _check_energies(pool, calculator, candidates)
        for _, outcome in pool.run(objectives.of, course.questions(trials), ahead=1):
            point = course.tell(outcome)
            if on_trial is not None:
                on_trial(point)
        front = _refined_to_the_end(course, pool, objectives, FINAL_PATIENCE * time_limit_s)
    said = calculator.name, dict(calculator.arguments), sentences(front, course.points)
    return HybridResult(tuple(course.points), front, *said)


def _refined_to_the_end(
    course: _HybridCourse, pool: TrialExecutor, objectives: _Objectives, time_limit_s: float
) -> tuple[Point, ...]:
    """The Pareto set of the trials, again with full effort; ModelFault when no trial counts."""
    quick = spread(pareto(course.points), MOST_FINALISTS)
    if not quick:
        raise ModelFault(f"no trial succeeded: {course.points[0].reason}", where="hybrid search")
    again = ((*course.question(p.settings), "final") for p in quick)
    finals = [
        course.point(quick[i].number, quick[i].seed, quick[i].settings, outcome)
        for i, outcome in pool.run(objectives.of, again, time_limit_s=time_limit_s)
    ]
    return pareto(finals) or quick


def _check_compositions(candidates: Sequence[Structure]) -> None:
    formulas = {s.name: formula(crystal_of(s)) for s in candidates}
    if len(set(formulas.values())) > 1:
        raise InputError(
            "; ".join(f"{name} is {text}" for name, text in formulas.items()),
            where="candidates",
            remedy="energies per atom compare only structures of one composition",
        )


def _check_energies(
    executor: TrialExecutor, calculator: Calculator, candidates: Sequence[Structure]
) -> None:
    """InputError for a calculator that cannot treat one of the candidates; it runs in a worker."""
    asked = ((calculator, structure) for structure in candidates)
    for i, outcome in executor.run(_energy, asked):
        if isinstance(outcome, InputError):
            raise outcome
        if isinstance(outcome, BaseException):
            raise InputError(
                f"{calculator.name} has no energy for {candidates[i].name}: "
                f"{type(outcome).__name__}: {outcome}",
                where="calculator",
                remedy="name a calculator that knows these elements, or allow more time",
            )


def _energy(calculator: Calculator, structure: Structure) -> float:
    return calculator.energy_per_atom(crystal_of(structure))


def _studies(seeds: Sequence[int], candidates: Sequence[Structure]) -> dict[int, optuna.Study]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    studies = {}
    for seed in seeds:
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        for number, structure in enumerate(candidates):
            names = [f"{number}.{f.name}" for f in freedoms(crystal_of(structure))]
            study.enqueue_trial({"structure": number, "refine": True})
            if names:
                at_cif = dict.fromkeys(names, 0.0)
                study.enqueue_trial({"structure": number, "refine": False, **at_cif})
        studies[seed] = study
    return studies


@dataclass(frozen=True, eq=False)
class _Objectives:
    """Both numbers of a structure, and what they are taken with."""

    engine: RefinementEngine
    calculator: Calculator
    pattern: Pattern
    others: tuple[Structure, ...]
    diffractometer: Diffractometer

    def of(self, structure: Structure, refine: bool, effort: str = "search") -> tuple[Fit, float]:
        """Refine in a worker; the fit, and the energy per atom [eV] of the refined crystal."""
        phases = (structure, *self.others)
        recipe = default_recipe(self.pattern, phases, self.diffractometer)
        recipe |= {"coordinates": refine, "effort": effort}
        fit = self.engine.refine(self.pattern, phases, self.diffractometer, recipe)
        return fit, self.calculator.energy_per_atom(_refined(structure, fit))


@dataclass
class _HybridCourse:
    """The state of a search: trials that still run, and trials that have results."""

    candidates: tuple[Structure, ...]
    shift_limit: float
    studies: dict[int, optuna.Study]
    points: list[Point] = field(default_factory=list)
    _asked: list[tuple[int, optuna.trial.Trial, dict[str, Any]]] = field(default_factory=list)

    def questions(self, trials: int) -> Iterator[tuple[Structure, bool]]:
        """Ask the studies in turn."""
        for _ in range(trials):
            for seed, study in self.studies.items():
                trial = study.ask()
                settings = self._suggest(trial)
                self._asked.append((seed, trial, settings))
                yield self.question(settings)

    def _suggest(self, trial: optuna.trial.Trial) -> dict[str, Any]:
        number = trial.suggest_categorical("structure", range(len(self.candidates)))
        ways = freedoms(crystal_of(self.candidates[number]))
        refine = trial.suggest_categorical("refine", (True, False)) if ways else True
        settings: dict[str, Any] = {"structure": number, "refine": refine}
        if not refine:
            limit = self.shift_limit
            for way in ways:
                settings[way.name] = trial.suggest_float(f"{number}.{way.name}", -limit, limit)
        return settings

    def question(self, settings: Mapping[str, Any]) -> tuple[Structure, bool]:
        """The structure of a trial, and whether its coordinates are refined."""
        structure = self.candidates[settings["structure"]]
        if settings["refine"]:
            return structure, True
        moves = {k: v for k, v in settings.items() if k not in ("structure", "refine")}
        return shifted(structure, moves), False

    def tell(self, outcome: Any) -> Point:
        """Take in the answer to the oldest question."""
        seed, asked, settings = self._asked.pop(0)
        point = self.point(asked.number, seed, settings, outcome)
        if isinstance(outcome, BaseException):
            self.studies[seed].tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            asked.set_constraint("violations", float(len(outcome[0].violations)))
            self.studies[seed].tell(asked, [outcome[0].rwp, outcome[1]])
        self.points.append(point)
        return point

    def point(self, number: int, seed: int, settings: Mapping[str, Any], outcome: Any) -> Point:
        """Make the point of a trial: both objectives, or the reason why it does not count."""
        structure, _ = self.question(settings)
        given = (number, seed, structure.name, dict(settings))
        if isinstance(outcome, MaterialsDockError):
            return Point(*given, reason=str(outcome))
        if isinstance(outcome, BaseException):
            return Point(*given, reason=f"{type(outcome).__name__}: {outcome}")
        fit, energy = outcome
        reason = "; ".join(fit.violations) if math.isfinite(fit.rwp) else "Rwp is not finite"
        cif = _refined(structure, fit).make_cif_block().as_string()
        return Point(*given, fit.rwp, energy, reason, fit, cif)


def _refined(structure: Structure, fit: Fit) -> gemmi.SmallStructure:
    values = {p.name: p.value for p in fit.parameters}
    return refined_crystal(structure, fit.phases[0], values)
