"""From recorded events to observations: the only way in which a learner gets data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from materialsdock.ledger.documents import events
from materialsdock.model import Observation
from materialsdock.protocols import Observer


def observations(
    observer: Observer, name: str, document: Mapping[str, Any], *, run_uid: str, step: int
) -> list[Observation]:
    """The observations of one document of stream `primary`, with uids "<run uid>/<seq_num>".

    The observer remembers each event before it is given the next.
    """
    found = []
    for seq_num, data in events(name, document):
        x, y, sigma, seconds = observer(data)
        observer.remember(data)
        found.append(Observation(f"{run_uid}/{seq_num}", step, x, y, sigma, seconds, run_uid))
    return found
