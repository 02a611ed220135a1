"""From recorded events to observations: the only way in which a learner gets data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from materialsdock.ledger.documents import events
from materialsdock.model import Observation
from materialsdock.protocols import Counted, Reading
from materialsdock.technique import named


def observations(
    technique: str, name: str, document: Mapping[str, Any], *, run_uid: str, step: int
) -> list[Observation]:
    """The observations of one document of stream `primary`, with uids "<run uid>/<seq_num>"."""
    observe: Callable[[Reading], Counted] = named(technique).observe()
    found = []
    for seq_num, data in events(name, document):
        x, y, sigma, seconds = observe(data)
        found.append(Observation(f"{run_uid}/{seq_num}", step, x, y, sigma, seconds, run_uid))
    return found
