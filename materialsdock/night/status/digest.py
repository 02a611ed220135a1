"""The digest of a night, for the people who slept: a pure reading of the ledger."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Noted, first_time_after, lines_of_kinds
from materialsdock.night.control import audit
from materialsdock.night.queue import queue
from materialsdock.night.queue.history import Spent, alarms, spent
from materialsdock.rendering.numbers import many

LISTED = 30  # samples and alarms named one by one
ALONE = ("reason", "words", "state", "why")  # they are clear by themselves
ENDED = ("done", "done_with_warnings", "held", "failed")


@dataclass(frozen=True)
class Digest:
    """One stretch of the night's log.

    ended : samples that came to an end in it (or were held), in that order
    counted_s, measuring_s, wall_s : instrument time, time with a sample in the beam, all of it
    """

    since: float
    ended: tuple[queue.Queued, ...]
    waiting: int
    counted_s: float
    measuring_s: float
    wall_s: float
    alarms: tuple[Noted, ...]
    chain: audit.AuditChain
    reports: str

    @property
    def duty(self) -> float:
        """Share of the wall clock in which a sample was measured."""
        return self.measuring_s / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def title(self) -> str:
        """One line."""
        found = Counter[str](s.state for s in self.ended)
        words = [f"{found[state]} {state.replace('_', ' ')}" for state in ENDED if found[state]]
        return f"{', '.join(words) or 'no sample ended'}; {many(len(self.alarms), 'alarm')}"

    def text(self) -> str:
        """All of it, for a message."""
        hours = f"{self.wall_s / 3600:.1f} h, {self.duty:.0%} of them measuring"
        told = [
            self.title,
            f"since {label(self.since)}: {hours}; instrument time {self.counted_s / 3600:.2f} h",
            *listed([_sample_line(s) for s in self.ended]),
            f"{many(self.waiting, 'sample')} waiting",
            *listed([alarm_line(a) for a in self.alarms]),
            f"reports: {self.reports}",
            chain_line(self.chain),
        ]
        return "\n".join(told)


def label(at: float) -> str:
    """Wall clock for people."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def listed(all_lines: Sequence[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    more = len(all_lines) - LISTED
    return [*all_lines[:LISTED], *([f"and {more} more"] if more > 0 else [])]


def _sample_line(s: queue.Queued) -> str:
    name = s.body.get("name") or s.sample_id
    why = f": {s.reason}" if s.reason else ""
    return f"- {name} ({s.sample_id}) {s.state.replace('_', ' ')}{why}"


def alarm_line(line: Noted) -> str:
    """One alarm in words."""
    about = f" {line.sample_id}" if line.sample_id else ""
    return f"! {label(line.at)} {line.severity} {line.kind}{about}: {words_of(line)}"


def words_of(line: Noted) -> str:
    """Put the body of a line into words."""
    body = line.body
    if line.kind == "sample":
        why = f": {body['reason']}" if body.get("reason") else ""
        return f"{body['from']} -> {body['to']}{why}"
    if line.kind == "daemon":
        again = ", ".join(body.get("interrupted", ()))
        word = "begins" if body["started"] else "ends"
        return f"{word}, interrupted: {again}" if again else word
    if line.kind == "condition":
        return f"{body['kind']}: {body['words']}"
    if line.kind == "safe_state" and "safe_state" in body:
        return f"{body['why']}; {body['safe_state']} ({body['seconds']:.2f} s)"
    return said_of({key: value for key, value in body.items() if key != "said"})


def said_of(body: Mapping[str, Any]) -> str:
    """Keys and values in words; a lone reason, state or words need no key."""
    told = [
        f"{value}" if key in ALONE else f"{key} {_told(value)}"
        for key, value in body.items()
        if value not in (None, [], {}, "")
    ]
    return ", ".join(told)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def chain_line(chain: audit.AuditChain) -> str:
    """The audit's head, to be compared with later; or where it is broken."""
    if chain.broken_at is not None:
        return f"AUDIT BROKEN at row {chain.broken_at}"
    return f"audit: {chain.rows} rows, head {chain.head}"


def digest(ledger: Ledger, data: DataDirectory, after_seq: int = 0) -> Digest:
    """Sum up what happened after line `after_seq` of the night's log."""
    now = time.time()
    samples = {s.sample_id: s for s in queue.samples(ledger)}
    names = dict.fromkeys(
        n.sample_id for n in lines_of_kinds(ledger, ["sample"], after_seq) if n.body["to"] in ENDED
    )
    took: list[Spent] = spent(ledger, now, after_seq)
    first = first_time_after(ledger, after_seq)
    since = now if first is None else first
    return Digest(
        since,
        tuple(samples[name] for name in names if name and samples[name].state in ENDED),
        sum(s.state in ("queued", "submitted") for s in samples.values()),
        sum(t.counted_s for t in took),
        sum(t.measuring_s for t in took),
        max(0.0, now - since),
        tuple(alarms(ledger, after_seq)),
        audit.verify(ledger),
        str(data.reports.resolve()),
    )
