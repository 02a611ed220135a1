"""Identify the phases of a pattern one by one, each refined before the next is sought."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure
from materialsdock.optimisation.processes import Executor
from materialsdock.techniques.xrd.crystals.plain import strained
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.phases import hypotheses
from materialsdock.techniques.xrd.phases.cif_files import StoreEntry
from materialsdock.techniques.xrd.phases.hypotheses import USUAL_STRAIN, Hypothesis, Judgement
from materialsdock.techniques.xrd.phases.match import Match, lines_of_its_own, match
from materialsdock.techniques.xrd.phases.screen import (
    COMPUTED,
    MEASURED,
    Leeway,
    Observed,
    binned,
    observe,
)
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.limits import check_pattern
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine

Watcher = Callable[[int, Sequence[Match]], None]
MOST_PHASES = 6
TRIED = 3
MOST_TRIED = 6
LEVEL = 0.97
LOWEST_SCORE = 0.15
LOWEST_SCORE_MORE = 0.2
NEAR_BEST = 0.6
LEAST_OWN = 0.45
# a structure is taken as it is: what may adapt its atoms may adapt a wrong one
RECIPE: Mapping[str, Any] = {"coordinates": False}
UNLIKE_WIDTHS = 2.0
LEFT = 0.02  # of the highest peak, that stays unexplained


@dataclass(frozen=True, eq=False)
class Identification:
    """The answer.

    hypothesis : the best set of phases, None when nothing agrees
    rounds : for each phase sought the candidates, best first; the last round found none worth it
    rivals : other hypotheses that refine about as well
    seconds_matching, seconds_refining : wall clock
    """

    hypothesis: Hypothesis | None
    judgement: Judgement
    rounds: tuple[tuple[Match, ...], ...]
    rivals: tuple[Hypothesis, ...]
    tried: int
    compared: int
    seconds_matching: float
    seconds_refining: float


def identify(
    pattern: Pattern,
    diffractometer: Diffractometer,
    entries: Sequence[StoreEntry],
    *,
    top: int = 10,
    refine: bool = True,
    workers: int = 1,
    most_phases: int = MOST_PHASES,
    time_limit_s: float = 60.0,
    engine: RefinementEngine | None = None,
    on_round: Watcher | None = None,
) -> Identification:
    """Name the phases of `pattern` among `entries`, aliases included.

    refine : or only rank the candidates for the first phase, in a fraction of a second
    top : candidates kept per round; on_round : called with the number of phases known so far and
    the candidates for the next.  Raises InputError for a pattern that cannot be refined.
    """
    check_pattern(pattern, diffractometer.fwhm_deg)
    if not entries:
        raise InputError(
            "no structure to compare with",
            where="structure store",
            remedy="add CIFs with `materialsdock store add`, or allow more elements",
        )
    say = on_round or (lambda number, found: None)
    if not refine:
        return _ranked(pattern, diffractometer, entries, top, say)
    refiner: RefinementEngine = RietxEngine() if engine is None else engine
    warm_up = refiner.warm_up if isinstance(refiner, RietxEngine) else None
    with Executor(workers=workers, time_limit_s=time_limit_s, warm_up=warm_up) as executor:
        course = _IdentificationCourse(pattern, diffractometer, entries, executor, refiner)
        course.run(top, most_phases, say)
        rivals = course.rivals()
    judgement = hypotheses.judge(course.best, rivals, course.rounds, pattern)
    return Identification(
        course.best,
        judgement,
        tuple(course.rounds),
        rivals,
        course.tried,
        len(entries),
        course.seconds_matching,
        course.seconds_refining,
    )


def _ranked(
    pattern: Pattern,
    diffractometer: Diffractometer,
    entries: Sequence[StoreEntry],
    top: int,
    say: Watcher,
) -> Identification:
    """The candidates for one phase; what no refinement has seen is no confident match."""
    began = time.perf_counter()
    found = tuple(match(entries, observe(pattern, diffractometer))[:top])
    seconds = time.perf_counter() - began
    say(0, found)
    judgement = Judgement("no confident match", ("ranked only, nothing was refined",), 0.0)
    return Identification(None, judgement, (found,), (), 0, len(entries), seconds, 0.0)


class _IdentificationCourse:
    """The state of an identification: the best hypothesis so far, and what competed with it."""

    def __init__(
        self,
        pattern: Pattern,
        diffractometer: Diffractometer,
        entries: Sequence[StoreEntry],
        executor: Executor,
        engine: RefinementEngine,
    ) -> None:
        self.pattern, self.diffractometer, self.entries = pattern, diffractometer, entries
        self.executor, self.engine = executor, engine
        self.observed: Observed = observe(pattern, diffractometer)
        self.best: Hypothesis | None = None
        self.rounds: list[tuple[Match, ...]] = []
        self.rejected: list[Hypothesis] = []
        self.competing: list[list[Match]] = []
        self.tried = 0
        self.seconds_matching = self.seconds_refining = 0.0

    def run(self, top: int, most: int, on_round: Watcher) -> None:
        """Seek phases until none improves the fit enough."""
        while self.best is None or len(self.best.phases) < most:
            found = self._candidates(MEASURED)
            better, likely = self._better(found, USUAL_STRAIN)
            if better is None and self._something_left():
                found = self._candidates(COMPUTED)
                better, likely = self._better(found, COMPUTED.largest)
            self.rounds.append(tuple(found[:top]))
            on_round(len(self.rounds) - 1, found[:top])
            if better is None:
                return
            self.best = better
            self.competing.append(likely)

    def _better(
        self, found: Sequence[Match], most_strain: float
    ) -> tuple[Hypothesis | None, list[Match]]:
        """The best hypothesis with one of `found` that is believed, and those that were tried."""
        known = () if self.best is None else self.best.phases
        likely = _likely(found, LOWEST_SCORE_MORE if known else LOWEST_SCORE)
        tried = self.refined([(*known, m) for m in likely])
        better = next((h for h in tried if self._believed(h, most_strain)), None)
        self.rejected += [h for h in tried if h is not better]
        return better, likely

    def _something_left(self) -> bool:
        """Return True if a peak is left for which a cell may be stretched further than usual."""
        if self.best is None:
            return True
        return hypotheses.largest_rest(self.best.fit, self.pattern) > LEFT

    def _believed(self, new: Hypothesis, most_strain: float) -> bool:
        """Return True if its last phase improves the fit, and was not moved under another by it."""
        *known, last = _as_refined(new)
        own = lines_of_its_own(last, known, self.observed)
        widths = self.observed.independent
        return own >= LEAST_OWN and hypotheses.worth_it(
            new, self.best, self.pattern, widths, most_strain
        )

    def _candidates(self, leeway: Leeway) -> list[Match]:
        began = time.perf_counter()
        known = () if self.best is None else self.best.phases
        families = {m.entry.family for m in known}
        explained = None if self.best is None else self._explained(self.best.fit)
        found = match(self.entries, self.observed, explained, leeway)
        self.seconds_matching += time.perf_counter() - began
        return [
            m
            for m in found
            if m.entry.family not in families
            and lines_of_its_own(m, known, self.observed) >= LEAST_OWN
        ]

    def _explained(self, fit: Fit) -> FloatArray:
        y = binned(self.observed.two_theta, self.pattern.two_theta, fit.y_calc - fit.y_background)
        return self.observed.smoothed(y)

    def refined(self, sets: Sequence[tuple[Match, ...]]) -> list[Hypothesis]:
        """Refine sets of phases; those that could be refined, best first."""
        began = time.perf_counter()
        calls = (
            (self.pattern, matched_structures(phases), self.diffractometer, recipe_of(phases))
            for phases in sets
        )
        results: list[Hypothesis] = []
        for index, outcome in self.executor.run(self.engine.refine, calls):
            if isinstance(outcome, Fit):
                figure = hypotheses.figure(sets[index], outcome, self.pattern)
                results.append(Hypothesis(sets[index], outcome, figure))
            elif not isinstance(outcome, InputError | ModelFault):
                raise outcome
        self.tried += len(sets)
        self.seconds_refining += time.perf_counter() - began
        return sorted(results, key=lambda h: h.figure)

    def rivals(self) -> tuple[Hypothesis, ...]:
        """Hypotheses about as good as the best: each phase replaced by what competed with it."""
        if self.best is None:
            return ()
        swaps = []
        known = {m.entry.family for m in self.best.phases}
        for index, (phase, found) in enumerate(zip(self.best.phases, self.competing, strict=True)):
            for other in found:
                if other.entry.family not in known and other.score > NEAR_BEST * phase.score:
                    swaps.append(_replaced(self.best.phases, index, other))
        several = len(self.best.phases) > 1
        tried = self.refined(swaps) if several else self.rejected
        limit = hypotheses.RIVAL * self.best.figure
        same_size = [h for h in tried if len(h.phases) == len(self.best.phases)]
        return tuple(sorted((h for h in same_size if h.figure < limit), key=lambda h: h.figure))


def _as_refined(hypothesis: Hypothesis) -> list[Match]:
    """Return its matches with refined cells and weights; shifts of the sample concern all alike."""
    fit = hypothesis.fit
    return [
        replace(m, strain=hypotheses.strain(m, fit, i), scale=share.weight_fraction, zero_deg=0.0)
        for i, (m, share) in enumerate(zip(hypothesis.phases, fit.phases, strict=True))
    ]


def _likely(found: Sequence[Match], lowest: float) -> list[Match]:
    """The candidates worth a refinement: the first, and more of those that are level with it."""
    if not found:
        return []
    best = found[0].score
    least = max(lowest, NEAR_BEST * best)
    return [
        m
        for i, m in enumerate(found[:MOST_TRIED])
        if m.score >= (least if i < TRIED else max(least, LEVEL * best))
    ]


def _replaced(phases: tuple[Match, ...], index: int, other: Match) -> tuple[Match, ...]:
    return (*phases[:index], other, *phases[index + 1 :])


def recipe_of(phases: Sequence[Match]) -> dict[str, Any]:
    """Return the recipe of a set: widths for each phase only where the match found them unlike.

    Two more parameters per phase would count against the phases of which little is seen.
    """
    widths = [m.width for m in phases]
    unlike = max(widths) >= UNLIKE_WIDTHS * min(widths)
    return {**RECIPE, "phase_widths": "own" if unlike else "shared"}


def matched_structures(phases: Sequence[Match]) -> tuple[Structure, ...]:
    """Candidate phases for the engine, their cells as the match found them; names are unique."""
    names = [m.entry.name for m in phases]
    unique = [
        name if names.count(name) == 1 else f"{name}_{m.entry.entry_id}"
        for name, m in zip(names, phases, strict=True)
    ]
    return tuple(
        replace(m.entry.structure(name), cif=strained(m.entry.cif, m.strain))
        for name, m in zip(unique, phases, strict=True)
    )
