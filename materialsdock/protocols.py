"""Ports: what one package may ask of another, one verb each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from materialsdock.model import (
    Decision,
    Evidence,
    FloatArray,
    Job,
    Observation,
    Proposal,
    Trial,
    Verdict,
)

Reading = Mapping[str, Any]  # the data of one recorded event, by key
Stage = Callable[[str], None]  # hears of a stage of the analysis, in words


class Counted(NamedTuple):
    """The content of one event: position [unit of the axis], value, its sd, the count time [s]."""

    x: float
    y: float
    sigma: float
    count_time_s: float


class Observer(Protocol):
    """Makes observations of recorded events, which are given in the order of recording.

    remarks : what people should know of the counts so far, one sentence for each kind; a sentence
    stays as it was first
    """

    @property
    def remarks(self) -> Mapping[str, str]: ...

    def __call__(self, data: Reading) -> Counted:
        """The observation of an event; raises DeviceFault for what no detector can have shown."""

    def remember(self, data: Reading) -> None:
        """Take in an event of stream `primary`: those after it may be seen in its light."""


def _ignore(_: Any) -> None:
    return None


@dataclass(frozen=True)
class RunWatch:
    """The listeners to progress: stages in words, decisions, trials."""

    stage: Callable[[str], None] = _ignore
    decision: Callable[[Decision], None] = _ignore
    trial: Callable[[Trial], None] = _ignore


@dataclass(frozen=True)
class Instrument:
    """Connected devices by role; `instrument.two_theta` is `instrument.devices["two_theta"]`."""

    name: str
    devices: Mapping[str, Any]

    def __getattr__(self, role: str) -> Any:
        if role.startswith("__"):
            raise AttributeError(role)
        try:
            return self.devices[role]
        except KeyError:
            have = ", ".join(sorted(self.devices))
            raise AttributeError(f"{self.name} has no device {role!r}; it has {have}") from None


@runtime_checkable
class Learner(Protocol):
    """Chooses where to count next.

    Laws (materialsdock/testing/learner_laws.py): `ask` is pure and deterministic for given data
    and seed; `tell` is idempotent per uid, and the posterior does not depend on the order of
    telling; every proposal lies inside the axis.
    """

    def ask(self) -> Proposal | None:
        """The next proposal, or None when nothing is left worth counting."""

    def tell(self, observations: Iterable[Observation]) -> None:
        """Take in what was recorded; a uid already received is ignored."""

    def look_ahead(self) -> None:
        """Work out what comes after the present proposal, as far as its result does not matter.

        Changes nothing that can be seen; called while the proposal is being measured.
        """

    def exclude(self, low: float, high: float) -> None:
        """Never propose from `low` to `high` any more [unit of the axis], nor wait for it."""

    def force(self, x: float) -> None:
        """Propose `x` next, or the segment that holds it, after what was forced before."""

    def posterior(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the latent curve at `x` (n,), each (n,), units of y."""

    def evidence(self) -> Evidence:
        """The innovations of all observations, replayed under the present hyperparameters."""

    def hyperparameters(self) -> Mapping[str, float]:
        """The model's present hyperparameters by name (lengthscale, variance, ...)."""


class StoppingRule(Protocol):
    """Says when enough is known: pure, replayable, composable."""

    def judge(self, evidence: Evidence) -> Verdict:
        """The verdict on all evidence so far."""


class Measure(Protocol):
    """The seam between engine and plans: a plan that carries out one proposal."""

    def __call__(self, proposal: Proposal, instrument: Instrument) -> Generator[Any, Any, None]:
        """Move, expose and save into stream `primary`, atomically."""


class CampaignLedger(Protocol):
    """The only truth: each call is durable when it returns."""

    def add_job(self, job: Job) -> None: ...

    def add_documents(
        self,
        job_id: str,
        documents: Sequence[tuple[str, dict[str, Any]]],
        observations: Sequence[Observation] = (),
    ) -> None:
        """Event-model documents and the observations read from them, in one transaction."""

    def add_decision(self, job_id: str, decision: Decision) -> None: ...

    def add_steering(self, job_id: str, step: int, body: Mapping[str, Any]) -> None: ...

    def job(self, job_id: str) -> Job: ...

    def observations(self, job_id: str) -> tuple[Observation, ...]: ...

    def decisions(self, job_id: str) -> tuple[Decision, ...]: ...

    def steering(self, job_id: str) -> tuple[tuple[int, dict[str, Any]], ...]: ...

    def readings(self, job_id: str) -> Iterable[tuple[str, Reading]]:
        """(uid of the observation, data) of each event of stream `primary`, as recorded."""


class LearningCampaign(Protocol):
    """A job, as the plan that carries it out and the analysis after it need it."""

    job: Job

    @property
    def learner(self) -> Learner:
        """The learner that chose the positions, and knows what was measured there."""

    @property
    def observer(self) -> Observer:
        """Return what has made its observations, and knows what to say of them."""

    @property
    def decisions(self) -> Sequence[Decision]:
        """All decisions so far, by step."""

    @property
    def evidence(self) -> Evidence:
        """All that the stopping rule looked at."""

    def ask(self) -> Proposal | None:
        """The next proposal (pure: may be called twice for the same step)."""

    def look_ahead(self) -> None:
        """Think, while the present proposal is measured, about what comes after it."""

    def receive(self, name: str, document: dict[str, Any]) -> None:
        """Subscriber of the RunEngine: commits each document, reads observations from events."""

    def judge(self, proposal: Proposal) -> Decision:
        """Give the learner what was recorded for `proposal`, judge, commit the decision."""

    @property
    def verdict(self) -> Verdict:
        """The last verdict."""
