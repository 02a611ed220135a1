"""The requests of a person to a running measurement: values recorded before they count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from materialsdock.errors import InputError, Refused
from materialsdock.learning.people import within
from materialsdock.learning.stopping.rules import rule_from_settings
from materialsdock.model import Axis, Job, Proposal
from materialsdock.protocols import StoppingRule

Kind = Literal["veto", "force", "change", "halt", "approve"]
KINDS: tuple[Kind, ...] = get_args(Kind)
VERBS: Mapping[str, Kind] = {"stop": "halt", **{kind: kind for kind in KINDS}}
FIELDS = ("who", "reason", "x", "interval", "changes")
BEGAN = "began"
FIXED = ("mode", "reference", "warmup", "per_observation")  # what every verdict so far rests on


@dataclass(frozen=True)
class Steering:
    """One request of a person.

    x : the position to force, or the only one to veto [unit of the axis]
    interval : (low, high), both included, to veto [unit of the axis]
    changes : keys of the job's stop settings (threshold, maximum_points, ...) and their new values
    """

    kind: Kind
    who: str
    reason: str = ""
    x: float | None = None
    interval: tuple[float, float] | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def asked(cls, verb: str, order: Mapping[str, Any]) -> Steering:
        """Make one of a verb and its JSON: who, reason, x or interval (or low and high), changes.

        Raises InputError for what is no verb of steering or has values of the wrong kind.
        """
        if verb not in VERBS:
            raise InputError(f"no request {verb!r}", remedy=f"available: {', '.join(VERBS)}")
        known = {key: order[key] for key in FIELDS if order.get(key) is not None}
        if order.get("low") is not None and order.get("high") is not None:
            known["interval"] = (order["low"], order["high"])
        return from_plain({"kind": VERBS[verb], **known})

    def sentence(self, unit: str = "") -> str:
        """Say in a few words who asked for what, and why."""
        what = {"halt": "stop", "approve": "approved"}.get(self.kind, self.kind)
        why = f": {self.reason}" if self.reason else ""
        return " ".join(word for word in (what, self._object(unit), "by", self.who) if word) + why

    def _object(self, unit: str) -> str:
        if self.kind == "change":
            return ", ".join(f"{key} = {value}" for key, value in self.changes.items())
        if self.kind in ("veto", "force"):
            low, high = bounds(self)
            return f"{span(low, high)} {unit}".strip()
        return ""


_steering = TypeAdapter(Steering)


def from_plain(value: Mapping[str, Any]) -> Steering:
    """A steering from plain JSON; InputError naming every fault."""
    try:
        return _steering.validate_python(dict(value))
    except ValueError as error:  # pydantic's own, which lists all of them
        said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]  # type: ignore[attr-defined]
        raise InputError("; ".join(said), where="steering") from None


def plain(steering: Steering) -> dict[str, Any]:
    """Turn a steering into plain JSON."""
    return asdict(steering)


def bounds(steering: Steering) -> tuple[float, float]:
    """The interval that a veto or force names; a single position is one of no width."""
    if steering.interval is not None:
        return steering.interval
    assert steering.x is not None  # checked before it was recorded
    return steering.x, steering.x


def span(low: float, high: float) -> str:
    """An interval in words."""
    return f"{low:.7g}" if low == high else f"{low:.7g} to {high:.7g}"


def check(steering: Steering, job: Job, axis: Axis, before: Sequence[Steering]) -> None:
    """Raise InputError naming every fault of a request before it is recorded.

    before : what was asked of this job so far; Refused for a forced position that was vetoed
    """
    faults = [] if steering.who.strip() else ["the request does not say who makes it"]
    if steering.kind in ("veto", "force"):
        faults += _place_faults(steering, axis)
    if faults:
        raise InputError("; ".join(faults), where=f"steering {steering.kind}")
    if steering.kind == "force":
        _check_vetoes(steering, axis, before)
    if steering.kind == "change":
        _check_changes(steering, job, before)


def _place_faults(steering: Steering, axis: Axis) -> list[str]:
    if (steering.x is None) == (steering.interval is None):
        return ["give one position x or one interval"]
    if steering.kind == "force" and steering.x is None:
        return ["give the position x to count at"]
    low, high = bounds(steering)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        return [f"{low} to {high} is not an interval"]
    first, last = float(axis.grid[0]), float(axis.grid[-1])
    if high < first or low > last:
        return [f"{span(low, high)} lies outside the axis, {span(first, last)} {axis.unit}"]
    if not within(axis, low, high).any():
        return [f"{span(low, high)} holds no position of the axis"]
    return []


def _check_vetoes(steering: Steering, axis: Axis, before: Sequence[Steering]) -> None:
    low, high = bounds(steering)
    for veto in (s for s in before if s.kind == "veto"):
        if (within(axis, low, high) & within(axis, *bounds(veto))).any():
            raise Refused(
                f"{span(low, high)} {axis.unit} was vetoed: {veto.sentence(axis.unit)}",
                where="steering force",
                remedy="name another position, or measure this one in a job of its own",
            )


def _check_changes(steering: Steering, job: Job, before: Sequence[Steering]) -> None:
    if not steering.changes:
        raise InputError(
            "no setting to change is given",
            where="steering change",
            remedy="give KEY=VALUE, e.g. threshold=0.02",
        )
    if fixed := [key for key in FIXED if key in steering.changes]:
        raise InputError(
            f"{', '.join(fixed)} cannot change while a job is measured", where="steering change"
        )
    rule(job, [*before, steering])


def rule(job: Job, given: Sequence[Steering]) -> StoppingRule:
    """The job's stopping rule after all these requests; InputError for bad values."""
    settings = dict(job.settings["stop"])
    for steering in given:
        settings |= steering.changes
    return rule_from_settings(settings)


def halted(given: Sequence[Steering]) -> str | None:
    """Say who stopped the job, and why; None when nobody did."""
    for steering in given:
        if steering.kind == "halt":
            return f"stopped by {steering.who}" + (f": {steering.reason}" * bool(steering.reason))
    return None


def approved(given: Sequence[Steering]) -> bool:
    """Return True if the last word on a proposal is an approval: a veto or force makes another."""
    words = [s.kind for s in given if s.kind in ("veto", "force", "approve")]
    return words[-1:] == ["approve"]


def excluded(given: Sequence[Steering], unit: str) -> str:
    """List in words what was vetoed; empty where nothing was."""
    vetoes = dict.fromkeys(span(*bounds(s)) for s in given if s.kind == "veto")
    return f"excluded: {', '.join(vetoes)} {unit}" if vetoes else ""


def began(proposal: Proposal) -> dict[str, Any]:
    """The row that says which proposal the steering before it came to."""
    return {"kind": BEGAN, "proposal": asdict(proposal)}


@dataclass(frozen=True)
class Step:
    """The steering of one step: what had its effect before it began, and what came later.

    proposal : what was proposed in place of the decision before's `next`, or None
    """

    before: tuple[Steering, ...] = ()
    proposal: Proposal | None = None
    later: tuple[Steering, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Step:
        """Make one of the rows of one step in the order they were recorded."""
        last = max((i for i, row in enumerate(rows) if row["kind"] == BEGAN), default=-1)
        before, later = (
            tuple(from_plain(row) for row in part if row["kind"] != BEGAN)
            for part in (rows[: last + 1], rows[last + 1 :])
        )
        return cls(before, Proposal(**rows[last]["proposal"]) if last >= 0 else None, later)
