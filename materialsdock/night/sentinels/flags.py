"""The flags raised while a sample was measured, from the night's log."""

from __future__ import annotations

from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import conditions_of_sample
from materialsdock.ledger.sample_rows import samples_of_job


def flags_of(ledger: Ledger, sample_id: str) -> list[str]:
    """List what was flagged while a sample was measured, in words, each once."""
    found = conditions_of_sample(ledger, sample_id)
    return list(dict.fromkeys(each["words"] for each in found if each.get("kind") == "flag"))


def flags_of_job(ledger: Ledger, job_id: str) -> set[str]:
    """Return what the night's log has as flagged for a job's sample."""
    found = samples_of_job(ledger, job_id)
    return {words for sample in found for words in flags_of(ledger, sample.sample_id)}
