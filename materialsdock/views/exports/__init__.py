"""The results of a job as files, each a pure function of the ledger and of this code."""

from __future__ import annotations

from materialsdock.ledger.outcomes import outcome_of, packed

__all__ = ["outcome_of", "packed"]
