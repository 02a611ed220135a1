"""Judge the IOC's own log of puts: shutter, drivers, aborts, limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from support.faults.history import Line
from support.faults.judged import Night

OPEN_S = 5.0
IDLE_S = 15.0  # the time limit of a move or a count, and its margin
SLACK_S = 0.5  # of the log's clock: it is written by a process that waits for its turn too
LIMITS = {"tth": (-5.0, 165.0), "bragg": (3.0, 85.0), "sample": (0.0, 99.0)}
EXPOSURES = ("scaler1.CNT", "seg:Acquire")


def motions(night: Night) -> Iterator[tuple[float, str, float, str]]:
    """(monotonic clock [s], PV without prefix, value, circuit) of what moves or counts."""
    for line in night.lines:
        if line["kind"] == "put" and moves(line["pv"], line["value"]):
            yield line["mono"], line["pv"].partition(":")[2], line["value"], line["client"]


def axis(pv: str) -> str | None:
    """The motor that a put to `pv` sends somewhere, or None."""
    name = pv.partition(":")[2].removesuffix(".VAL")
    return name if name in LIMITS else None


def moves(pv: str, value: Any) -> bool:
    """Return True if a put moves a motor or begins a count."""
    return axis(pv) is not None or (pv.endswith(EXPOSURES) and bool(value))


def shutter(night: Night) -> list[str]:
    """I3: never open for more than 5 s without a live owner, nor for long with nothing to do.

    A live owner works, or has the guard feed the dead-man.
    """
    found, opened = [], False
    last = {"a live owner": 0.0, "work": 0.0}
    most = {"a live owner": OPEN_S, "work": IDLE_S}
    for line in night.lines:
        for what, limit_s in most.items() if opened else ():
            gap = _accused(last[what], line["mono"], night.history.excused)
            if gap > limit_s + SLACK_S:
                found.append(f"open for {gap:.1f} s without {what}, until {line}")
                last[what] = line["mono"]
        if line["kind"] in ("shutter", "ioc"):
            opened, last = bool(line.get("value")), dict.fromkeys(last, line["mono"])
        elif line["kind"] == "put":
            last |= dict.fromkeys(_proves(line), line["mono"])
    return found


def _proves(line: Line) -> tuple[str, ...]:
    if moves(line["pv"], line["value"]) or line["pv"].endswith(("shutter:Open", ".TP")):
        return ("a live owner", "work")
    return ("a live owner",) if line["pv"].endswith("deadman:HB") else ()


def _accused(since: float, until: float, excused: Sequence[tuple[float, float, str]]) -> float:
    """Seconds of an interval that no excuse covers."""
    covered = sum(max(0.0, min(until, b) - max(since, a)) for a, b, _ in excused)
    return until - since - covered


def one_driver(night: Night) -> list[str]:
    """I4: who once was followed by another never moves again, nor does a lower epoch."""
    found: list[str] = []
    epoch_of: dict[str, float] = {}
    former: set[str] = set()
    driver, highest = "", 0.0
    for line in night.lines:
        if line["kind"] == "ioc":  # it has forgotten everybody
            epoch_of, former, driver, highest = {}, set(), "", 0.0
        elif line["kind"] == "put" and line["pv"].endswith("owner:epoch"):
            epoch_of[line["client"]] = line["value"]
            highest = max(highest, line["value"])
        elif line["kind"] == "put" and moves(line["pv"], line["value"]):
            client = line["client"]
            if client != driver:
                former.add(driver)
                driver = client
            if client in former:
                found.append(f"{client} moves again after another has: {line}")
            if epoch_of.get(client, highest) < highest:
                found.append(f"epoch {epoch_of[client]} moves after {highest}: {line}")
    return found


def aborted(night: Night) -> list[str]:
    """I6: after an abort was acknowledged nothing moves until a sample is begun again."""
    verbs = dict(night.ledger.rows("SELECT seq, verb FROM intents WHERE state = 'done'"))
    moved = sorted(mono for mono, *_ in motions(night))
    found = []
    for seq, (_, at) in night.history.answered.items():
        if verbs.get(seq) != "abort":
            continue
        next_claim = _next_claim(night, at)
        after = [m for m in moved if at + SLACK_S < m < next_claim - SLACK_S]
        found += [f"motion {m - at:.2f} s after abort {seq} was acknowledged" for m in after[:1]]
    return found + _not_retried(night)


def _next_claim(night: Night, at: float) -> float:
    """Find when a sample was begun after the abort that was acknowledged `at`.

    On the monotonic clock of the log of puts [s]; who asked may hear of it when the next sample
    has been begun already.
    """
    if not night.lines:
        return math.inf
    offset = night.lines[-1]["mono"] - night.lines[-1]["wall"]
    told = [(n.at + offset, n.body["event"]) for n in night.log if n.kind == "sample"]
    ends = [when for when, event in told if event == "aborted" and when < at + SLACK_S]
    begun = max(ends, default=at)
    return min(
        (when for when, event in told if event == "claim" and when > begun), default=math.inf
    )


def _not_retried(night: Night) -> list[str]:
    held, found = set(), []
    for note in night.log:
        event = note.body.get("event") if note.kind == "sample" else None
        if event == "aborted":
            held.add(note.sample_id)
        elif event == "retry":
            held.discard(note.sample_id)
        elif event == "claim" and note.sample_id in held:
            found.append(f"{note.sample_id} was aborted and is measured again unasked")
    return found


def limits(night: Night) -> list[str]:
    """I7: no motor was ever sent beyond its limits."""
    found = []
    for line in night.lines:
        if line["kind"] != "put" or (name := axis(line["pv"])) is None:
            continue
        low, high = LIMITS[name]
        if not low <= line["value"] <= high:
            found.append(f"{line['pv']} was sent to {line['value']}")
    return found
