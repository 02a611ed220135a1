"""Event-model documents as the ledger keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from materialsdock.protocols import Reading


def events(name: str, document: Mapping[str, Any]) -> Iterator[tuple[int, Reading]]:
    """(seq_num, data) of an event or of each row of an event page; nothing for other documents."""
    if name == "event":
        yield document["seq_num"], document["data"]
    elif name == "event_page":
        data = document["data"]
        for row, seq_num in enumerate(document["seq_num"]):
            yield seq_num, {key: values[row] for key, values in data.items()}
