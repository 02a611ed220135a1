"""Ledgers as nights leave them, made without measuring: for tests/benchmarks/ledger.py.

Documents, observations and decisions have the keys of the simulated beamline's, and numbers that
nothing can foretell: every digit of a float, uuids and times of the clock as they come.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from materialsdock.ledger import night_log, sample_rows
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.sample_rows import SampleRow
from materialsdock.model import Decision, Job, Observation, Proposal, Sample, Structure, Verdict

SPECTRUM, PATTERN = 150, 20_000  # observations of one job
SEGMENT = 25  # exposures of one step of a pattern
BEGAN = 1.79e9
STATES = ("queued", "measuring", "analysing", "done")
CIF = "data_phase\n" + "_atom_site_fract_x 0.25\n" * 60


class Clock:
    """Wall clock of the instrument, late by what nobody knows."""

    def __init__(self, rng: np.random.Generator, now: float = BEGAN) -> None:
        self._rng, self.now = rng, now

    def tick(self, seconds: float) -> float:
        self.now += seconds * float(self._rng.uniform(0.8, 1.2))
        return self.now


def an_id(rng: np.random.Generator) -> str:
    return str(uuid.UUID(bytes=rng.bytes(16), version=4))


def a_job(number: int, technique: str) -> Job:
    """A job whose settings are as long as those of a real one."""
    grid = (7000.0 + 0.25 * np.arange(400)).tolist()
    axis = {"name": "energy", "unit": "eV", "grid": grid, "resolution": 1.5}
    sample = Sample(f"sample {number}", technique, 0, (Structure("phase", CIF),))
    return Job(f"{technique}-{number:06d}", sample, {"axis": axis, "stop": {}}, number)


def a_spectrum(ledger: Ledger, number: int, rng: np.random.Generator) -> Job:
    """A closed run of absorption, one exposure and one decision at a time."""
    job, clock = a_job(number, "xas"), Clock(rng, BEGAN + 300.0 * number)
    with ledger.transaction():
        ledger.add_job(job)
        run, stream, decided = _begun(ledger, job, rng, clock)
        for step in range(SPECTRUM):
            energy = float(rng.integers(6900, 7400)) + 0.25
            event, at = _event(stream, step, rng, clock.tick(1.0))
            i0, it = (float(rng.poisson(n)) for n in (100_000, 30_000))
            names = (
                "mono_energy",
                "mono_energy_setpoint",
                "mono_bragg",
                "mono_bragg_user_setpoint",
            )
            angle = 16.0 + float(rng.random()) / 1e3
            values = (energy, energy, angle, angle)
            event["data"] = {
                "count_time_s": 1.0,
                "i0": i0,
                "it": it,
                **dict(zip(names, values, strict=True)),
            }
            event["timestamps"] = {name: at - float(rng.random()) / 30 for name in event["data"]}
            sigma = float(np.sqrt(1 / i0 + 1 / it))
            o = Observation(
                f"{run}/{step + 1}", step, energy, float(np.log(i0 / it)), sigma, 1.0, run
            )
            ledger.add_documents(job.job_id, [("event", event)], [o])
            _decide(ledger, job, step, [o], decided, rng, clock)
        _ended(ledger, job, run, rng, clock)
    return job


def a_pattern(ledger: Ledger, number: int, rng: np.random.Generator) -> Job:
    """A closed run of diffraction, a segment of exposures at a time, in several passes."""
    job, clock = a_job(number, "xrd"), Clock(rng, BEGAN + 3000.0 * number)
    grid = 5.0 + 0.02 * np.arange(5000)
    with ledger.transaction():
        ledger.add_job(job)
        run, stream, decided = _begun(ledger, job, rng, clock)
        for step in range(PATTERN // SEGMENT):
            at = (step * SEGMENT + np.arange(SEGMENT)) % grid.size
            counts = rng.poisson(40.0 + 200.0 * (at % 100 < 5)).astype(float)
            seqs = (step * SEGMENT + 1 + np.arange(SEGMENT)).tolist()
            seconds = [0.02 * 2.0 ** (step * SEGMENT // grid.size)] * SEGMENT
            columns = {"two_theta": grid[at].tolist(), "counts": counts.tolist()}
            columns |= {"count_time_s": seconds, "monitor": [100_000.0 * s for s in seconds]}
            stamps = [clock.tick(1e-3) for _ in seqs]
            page = {"time": stamps, "uid": [an_id(rng) for _ in seqs], "seq_num": seqs}
            page |= {"descriptor": stream, "filled": {}, "data": columns}
            page["timestamps"] = {name: [stamps[0]] * SEGMENT for name in columns}
            rate, sigma = counts / seconds, np.sqrt(counts + 1.0) / seconds
            values = (seqs, columns["two_theta"], rate.tolist(), sigma.tolist(), seconds)
            found = [
                Observation(f"{run}/{n}", step, x, y, sd, s, run)
                for n, x, y, sd, s in zip(*values, strict=True)
            ]
            ledger.add_documents(job.job_id, [("event_page", page)], found)
            _decide(ledger, job, step, found, decided, rng, clock)
        _ended(ledger, job, run, rng, clock)
    return job


def queue_of(ledger: Ledger, jobs: list[Job]) -> None:
    """Every job as a sample, nearly all of them done, with what the log says of it."""
    with ledger.transaction():
        night_log.add_line(ledger, BEGAN, "daemon", "info", None, {"started": True})
        for number, job in enumerate(jobs):
            name, technique = job.sample.name, job.sample.technique
            body = {
                "sample_id": name,
                "name": name,
                "technique": technique,
                "position": number % 40,
            }
            body |= {"recipe": technique, "owner": "a.person", "comment": "as it came"}
            row = SampleRow(name, number, 0, "done", 1, 0, job.job_id, "", body)
            if number % 60 == 59:  # some wait, so that there is an end to foretell
                sample_rows.add_sample(ledger, row._replace(state="queued", job_id=None))
                continue
            sample_rows.add_sample(ledger, row)
            for n, (before, after) in enumerate(pairwise(STATES)):
                said = {"event": "next", "from": before, "to": after, "reason": ""}
                at = BEGAN + 300.0 * number + 60.0 * n
                night_log.add_line(ledger, at, "sample", "info", name, said)


# the columns that name a row get `k.` before them, numbers go on, the rest stays as it is
AGAIN = {
    "jobs": "? || job_id, created, body",
    "listed": "NULL, ? || job_id, body",
    "documents": "NULL, ? || job_id, ? || run_uid, name, body",
    "observations": "NULL, ? || uid, ? || job_id, body",
    "decisions": "? || job_id, step, body",
    "pages": "NULL, ? || job_id, documents, first_document, last_document, observations, "
    "decisions, first_step, last_step, seconds_measured, body",
    "samples": "? || sample_id, rank, priority, state, attempt, failures, ? || job_id, "
    "reason, body",
    "events": "NULL, at, kind, severity, ? || sample_id, body",
}


def multiplied(ledger: Ledger, times: int) -> None:
    """The same jobs `times` as often, each time under other names."""
    last = {table: ledger.rows(f"SELECT MAX(rowid) FROM {table}")[0][0] for table in AGAIN}
    for k in range(1, times):
        with ledger.transaction() as db:
            for table, columns in AGAIN.items():
                values = (*[f"{k}."] * columns.count("?"), last[table])
                db.execute(
                    f"INSERT INTO {table} SELECT {columns} FROM {table} WHERE rowid <= ?", values
                )


def _begun(
    ledger: Ledger, job: Job, rng: np.random.Generator, clock: Clock
) -> tuple[str, str, str]:
    """Start and descriptors of a run: the ids of the run and of its two streams."""
    run, *streams = (an_id(rng) for _ in range(3))
    start = {"uid": run, "time": clock.tick(1.0), "plan_name": "learn", "job_id": job.job_id}
    ledger.add_documents(job.job_id, [("start", start)])
    for stream, name in zip(streams, ("primary", "decision"), strict=True):
        keys = {f"key_{n}": {"source": f"PV:{n}", "dtype": "number", "shape": []} for n in range(9)}
        document = {"uid": stream, "name": name, "run_start": run, "data_keys": keys}
        ledger.add_documents(job.job_id, [("descriptor", {**document, "time": clock.tick(0.1)})])
    return (run, *streams)


def _event(
    stream: str, step: int, rng: np.random.Generator, at: float
) -> tuple[dict[str, Any], float]:
    event = {"uid": an_id(rng), "time": at, "data": {}, "timestamps": {}, "seq_num": step + 1}
    return {**event, "filled": {}, "descriptor": stream}, at


def _decide(
    ledger: Ledger,
    job: Job,
    step: int,
    found: list[Observation],
    stream: str,
    rng: np.random.Generator,
    clock: Clock,
) -> None:
    """A decision, and the event that carries it to the catalog."""
    lambda_t, s, z2, mean, sd, score, deciding = rng.random(7).tolist()
    proposal = Proposal(
        found[0].x, found[-1].x, found[0].count_time_s, len(found), score, step // 30
    )
    verdict = Verdict(False, f"λ {lambda_t:.3f} > 0.050", lambda_t, 0.05)
    model = np.random.default_rng(step // 10).random(3).tolist()  # refined now and then
    hyper = dict(zip(("lengthscale", "variance", "mean"), model, strict=True))
    spent = 1.3 * step + float(rng.random()) / 1e3
    numbers = (lambda_t, s, z2, mean, sd)
    uids = tuple(o.uid for o in found)
    decision = Decision(step, proposal, uids, verdict, *numbers, hyper, spent, deciding, proposal)
    event, at = _event(stream, step, rng, clock.tick(0.02))
    words = asdict(decision)
    kept = ("step", "lambda_t", "s", "z2", "mean", "sd", "seconds_measured", "seconds_deciding")
    data = {name: words[name] for name in kept}
    data |= {"threshold": 0.05, "next_x": proposal.start, "next_count_time_s": 1.0, "stop": 0}
    data |= {"reason": verdict.reason, "hyperparameters": json.dumps(hyper)}
    event |= {"data": data, "timestamps": dict.fromkeys(data, at)}
    ledger.add_decision(job.job_id, decision)
    ledger.add_documents(job.job_id, [("event", event)])


def _ended(ledger: Ledger, job: Job, run: str, rng: np.random.Generator, clock: Clock) -> None:
    stop = {"uid": an_id(rng), "time": clock.tick(0.1), "run_start": run, "exit_status": "success"}
    ledger.add_documents(job.job_id, [("stop", stop)])
