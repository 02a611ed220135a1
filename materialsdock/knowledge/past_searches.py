"""The searches of earlier jobs, which say where the next one begins."""

from __future__ import annotations

from typing import Any

from materialsdock import technique
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import SEARCH
from materialsdock.ledger.queries import listed_jobs


def searches(ledger: Ledger, of_technique: str) -> tuple[Any, ...]:
    """Return what the jobs of one technique kept of their searches, as its analysis takes it."""
    jobs = ((job.technique, job.job_id) for job in listed_jobs(ledger) if job.finished)
    ids = [job_id for name, job_id in jobs if name == of_technique]
    outcomes = ((job_id, ledger.outcome(job_id)) for job_id in ids)
    kept = [{**o[SEARCH], "origin": job_id} for job_id, o in outcomes if o and SEARCH in o]
    found: tuple[Any, ...] = technique.named(of_technique).analysis().recalled(kept)
    return found
