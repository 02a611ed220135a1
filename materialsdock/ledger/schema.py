"""The tables of the ledger, as the migrations that made them; schema k is after the k-th."""

from __future__ import annotations

import json

from materialsdock.ledger.database import Connection, run_script

TABLES = """
CREATE TABLE jobs (job_id TEXT PRIMARY KEY, created REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL REFERENCES jobs,
    run_uid TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX documents_by_job ON documents (job_id, seq);
CREATE INDEX ends_of_runs ON documents (name, run_uid) WHERE name IN ('start', 'stop');
CREATE TABLE observations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE NOT NULL,
    job_id TEXT NOT NULL REFERENCES jobs, body TEXT NOT NULL);
CREATE INDEX observations_by_job ON observations (job_id, seq);
CREATE TABLE decisions (
    job_id TEXT NOT NULL REFERENCES jobs, step INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (job_id, step));
CREATE TABLE outcomes (
    job_id TEXT PRIMARY KEY REFERENCES jobs, created REAL NOT NULL, body TEXT NOT NULL);
"""
NIGHT = """
CREATE TABLE samples (
    sample_id TEXT PRIMARY KEY, rank REAL NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL,
    attempt INTEGER NOT NULL, failures INTEGER NOT NULL, job_id TEXT REFERENCES jobs,
    reason TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX samples_by_state ON samples (state, priority, rank);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
    severity TEXT NOT NULL, sample_id TEXT, body TEXT NOT NULL);
CREATE INDEX events_by_sample ON events (sample_id, seq);
CREATE TABLE intents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, verb TEXT NOT NULL,
    state TEXT NOT NULL, answer TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX intents_waiting ON intents (state, seq);
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE facts (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE steering (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL REFERENCES jobs,
    step INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX steering_by_job ON steering (job_id, seq)
"""
# `listed`: what a listing says of each job, in the order they were added, without reading the job
# `pages`: rows of documents, observations and decisions of one job whose runs are closed, packed
# `packed_runs`: where an observation is looked for when it is said again
PAGES = """
CREATE TABLE listed (
    number INTEGER PRIMARY KEY, job_id TEXT UNIQUE NOT NULL REFERENCES jobs, body TEXT NOT NULL);
CREATE TABLE pages (
    page INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL REFERENCES jobs,
    documents INTEGER NOT NULL, first_document INTEGER, last_document INTEGER,
    observations INTEGER NOT NULL,
    decisions INTEGER NOT NULL, first_step INTEGER, last_step INTEGER, seconds_measured REAL,
    body BLOB NOT NULL);
CREATE INDEX pages_by_job ON pages (job_id, page);
CREATE INDEX pages_by_document ON pages (last_document);
CREATE TABLE packed_runs (
    run TEXT NOT NULL, page INTEGER NOT NULL REFERENCES pages,
    PRIMARY KEY (run, page)) WITHOUT ROWID
"""


def paged(db: Connection) -> None:
    """Make room for pages, and list the jobs there are; no row of a run is touched."""
    run_script(db, PAGES)
    for job_id, body in db.execute("SELECT job_id, body FROM jobs ORDER BY rowid").fetchall():
        db.execute("INSERT INTO listed (job_id, body) VALUES (?, ?)", (job_id, heading(body)))


def heading(job: str) -> str:
    """The text of `listed` for the text of a job."""
    sample = json.loads(job)["sample"]
    return json.dumps({"name": sample["name"], "technique": sample["technique"]})


MIGRATIONS = (TABLES, NIGHT, paged)
