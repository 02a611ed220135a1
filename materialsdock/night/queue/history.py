"""Times in the night's log: when a night began, and how long each sample took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import (
    Noted,
    Severity,
    lines_of_kinds,
    lines_of_severities,
    turns,
)
from materialsdock.ledger.sample_rows import counted_samples

ALARMS: tuple[Severity, ...] = ("warn", "critical")
# what ends a part; whatever else leaves it (a fault, an abort) says nothing of how long it takes
COMPLETED = (
    ("measuring", "measured"),
    ("analysing", "done"),
    ("analysing", "done_with_warnings"),
    ("analysing", "failed"),
)


@dataclass(frozen=True)
class Spent:
    """The time spent on one sample; seconds of wall clock without its jumps.

    measuring_s, analysing_s : over all attempts, up to now where it has not ended
    counted_s : instrument time of its decisions
    measured, analysed : whether that part was completed
    since : label [s since 1970] of the entry into its present state
    """

    sample_id: str
    recipe: str
    state: str
    measuring_s: float = 0.0
    analysing_s: float = 0.0
    counted_s: float = 0.0
    measured: bool = False
    analysed: bool = False
    since: float = 0.0


@dataclass
class _Account:
    """Sums up one sample while its events are read in order."""

    state: str = "queued"
    since: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    def enter(self, state: str, at: float) -> None:
        spent = max(0.0, at - self.since) if self.since else 0.0
        self.seconds[self.state] = self.seconds.get(self.state, 0.0) + spent
        if (self.state, state) in COMPLETED:
            self.left.add(self.state)
        self.state, self.since = state, at


def key_of(body: Mapping[str, Any]) -> str:
    """The kind of measurement of an entry, by which times are comparable."""
    return str(body.get("recipe") or body.get("technique") or "unknown")


def alarms(ledger: Ledger, after_seq: int = 0) -> list[Noted]:
    """The lines of severity warn and critical after `after_seq`."""
    return lines_of_severities(ledger, ALARMS, after_seq)


def night_began(ledger: Ledger) -> Noted | None:
    """The first start of a daemon since one last ended in order; None before any has started.

    A daemon that was killed and started again goes on with the same night.
    """
    first = None
    for line in reversed(lines_of_kinds(ledger, ["daemon"])):
        if not line.body["started"] and first is not None:
            break
        if line.body["started"]:
            first = line
    return first


def spent(ledger: Ledger, now: float, after_seq: int = 0) -> list[Spent]:
    """Return the time of every sample in the log after `after_seq`, until `now` [s since 1970]."""
    accounts: dict[str, _Account] = {}
    jumped = 0.0  # what the wall clock has jumped so far, which is no time spent
    for turn in turns(ledger, after_seq):
        jumped += turn.jump_s
        if turn.to:
            accounts.setdefault(turn.sample_id, _Account()).enter(turn.to, turn.at - jumped)
    known = {s.sample_id: (key_of(s.body), s.counted_s) for s in counted_samples(ledger, after_seq)}
    return [_spent(name, account, now - jumped, *known[name]) for name, account in accounts.items()]


def _spent(sample_id: str, account: _Account, now: float, recipe: str, counted_s: float) -> Spent:
    state, since = account.state, account.since
    account.enter(state, now)
    account.left.discard(state)
    return Spent(
        sample_id,
        recipe,
        state,
        account.seconds.get("measuring", 0.0),
        account.seconds.get("analysing", 0.0),
        counted_s,
        "measuring" in account.left,
        "analysing" in account.left,
        since,
    )
