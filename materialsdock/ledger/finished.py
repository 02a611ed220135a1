"""The source of the exports of one job, read from the ledger once, with where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from materialsdock.ledger.ledger import Ledger, text
from materialsdock.ledger.outcomes import outcome_of
from materialsdock.ledger.queries import documents_of_job, job_created, rows_as_kept
from materialsdock.model import Axis, FloatArray, Observation, Outcome
from materialsdock.protocols import Reading
from materialsdock.rendering.software import software

WRITERS = ("h5py", "gemmi")


@dataclass(frozen=True)
class Provenance:
    """The provenance of a result.

    begun : ISO 8601 in UTC, a label only; observations, decisions : how many the job has
    ledger_sha256 : over their rows as the ledger keeps them, observations in the order they were
    made, then decisions by step, each followed by a line feed; of nothing where a file was refined
    outcome_sha256 : over the row of the outcome, which is all that such a job has
    settings_sha256 : over the settings of the job as it was analysed: JSON, keys sorted
    software : versions of what wrote this
    """

    job_id: str
    seed: int
    begun: str
    observations: int
    decisions: int
    ledger_sha256: str
    outcome_sha256: str
    settings_sha256: str
    software: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class FinishedJob:
    """A finished job: its outcome, each observation with its raw reading, and the provenance.

    readings : uid of an observation -> data of its event (counts, or i0 and it)
    """

    outcome: Outcome
    observations: tuple[Observation, ...]
    readings: Mapping[str, Reading]
    provenance: Provenance

    def raw(self, name: str) -> FloatArray | None:
        """(n,) what was read as `name` for each observation; None where the ledger has it not."""
        data = [self.readings.get(o.uid, {}).get(name) for o in self.observations]
        if not data or any(value is None for value in data):
            return None
        return np.array(data, dtype=float)

    def column(self, name: str) -> FloatArray:
        """(n,) one field of the observations: x, y, sigma, count_time_s or step."""
        return np.array([getattr(o, name) for o in self.observations], dtype=float)

    def summed(self, values: FloatArray) -> FloatArray:
        """(k,) the sums of (n,) values of the observations by position, as they were merged."""
        at = Axis.of(self.outcome.job.settings["axis"]).index(self.column("x"))
        return np.bincount(np.unique(at, return_inverse=True)[1], values).astype(float)


@dataclass(frozen=True)
class Format:
    """One kind of file: `made` gives its bytes; `missing` why an outcome has none ("": it has)."""

    suffix: str
    made: Callable[[FinishedJob], bytes]
    missing: Callable[[FinishedJob], str] = lambda source: ""


def source_of(ledger: Ledger, job_id: str) -> FinishedJob:
    """Read a finished job; what `outcome_of` raises where there is nothing to export."""
    outcome = outcome_of(ledger, job_id)
    observations = ledger.observations(job_id)
    started = next((d["time"] for _, d in documents_of_job(ledger, job_id, "start")), None)
    provenance = Provenance(
        job_id,
        outcome.job.seed,
        _iso(job_created(ledger, job_id) if started is None else float(started)),
        len(observations),
        len(outcome.decisions),
        _sha256(rows_as_kept(ledger, job_id, "observations", "decisions")),
        _sha256(rows_as_kept(ledger, job_id, "outcomes")),
        hashlib.sha256(_canonical(outcome.job.settings)).hexdigest(),
        software(*WRITERS),
    )
    return FinishedJob(outcome, observations, dict(ledger.readings(job_id)), provenance)


def _canonical(settings: Mapping[str, Any]) -> bytes:
    return json.dumps(json.loads(text(settings)), sort_keys=True).encode()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _sha256(rows: Iterable[str]) -> str:
    """Hash rows, each followed by a line feed, by SHA-256."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row}\n".encode())
    return digest.hexdigest()
