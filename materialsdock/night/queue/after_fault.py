"""Rules for what to do about a fault: pure, over its class and what happened before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from materialsdock.ledger.night_log import Severity
from materialsdock.night.queue.states import Event

FaultClass = Literal["infrastructure", "sample", "operator"]
# a device fault is about what lies in the beam unless the device could not be reached at all
BY_CODE: dict[str, FaultClass] = {
    "unreachable": "infrastructure",
    "ledger_fault": "infrastructure",
    "interrupted": "operator",
    "bad_input": "sample",
    "device_fault": "sample",
    "model_fault": "sample",
    "refused": "infrastructure",
}


@dataclass(frozen=True)
class FaultAction:
    """event : the sample's transition; delay_s : before it may be measured again
    hold_all : why nothing more is measured until a person has looked, or None
    """

    event: Event
    delay_s: float = 0.0
    hold_all: str | None = None


def fault_class(code: str) -> FaultClass:
    """The class of an error by its code; what is unknown is an infrastructure fault."""
    return BY_CODE.get(code, "infrastructure")


def after_fault(
    kind: FaultClass,
    sample_id: str,
    failures: int,
    failed_in_a_row: Sequence[str],
    *,
    retry_delays_s: Sequence[float],
    in_a_row: int = 3,
) -> FaultAction:
    """Decide what follows a fault of `kind` while `sample_id` was measured.

    failures : infrastructure faults of this sample before; failed_in_a_row : the different samples
    set aside since the last one that succeeded.  An operator's abort is never retried, an
    infrastructure fault as often as there are `retry_delays_s`; a sample that keeps killing its
    worker is set aside, and `in_a_row` different ones point to a common cause.
    """
    if kind == "operator":
        return FaultAction("aborted")
    if kind == "infrastructure" and failures < len(retry_delays_s):
        return FaultAction("interrupted", retry_delays_s[failures])
    different = {*failed_in_a_row, sample_id}
    why = None
    if len(different) >= in_a_row:
        why = f"{len(different)} different samples failed in a row, last {sample_id}"
    return FaultAction("fault", hold_all=why)


def severity_of(message: Mapping[str, Any]) -> Severity:
    """Rate how urgently people must hear of what a worker says by itself."""
    if message["said"] == "unready" or message.get("kind") == "critical":
        return "critical"
    return "warn" if message.get("kind") == "alarm" else "info"
