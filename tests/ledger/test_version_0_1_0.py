"""A ledger of version 0.1.0 is read for ever: its jobs go on, its outcomes come back whole."""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import re
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from materialsdock.campaign.campaign import Campaign
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger import packing
from materialsdock.ledger.documents import close_torn_runs
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome, outcome_of
from materialsdock.ledger.queries import listed_jobs
from materialsdock.views.exports.bundle import FORMATS, export_all
from materialsdock.views.report import overview, summary_json

HERE = Path(__file__).parent
EXPECTED = json.loads(lzma.decompress((HERE / "expected.json.xz").read_bytes()))
OLD = lzma.decompress((HERE / "version_0_1_0.sqlite.xz").read_bytes())
FINISHED, UNFINISHED = EXPECTED["finished"], EXPECTED["unfinished"]
FOUND = ("fit", "edge", "trials", "solutions", "assessment", "absorption")  # once beside each other
COLUMNS = (".xdi", ".xye", ".xy")

# keys that have come since then
NEW = (
    *("advice", "doubts", "uncertainties", "atoms", "remarks", "r_p"),
    *("structures", "wavelengths_from", "reading", "signal"),
)

# fixed words that have changed since; what a ledger has recorded is shown as it was
REWORDED = (
    ("(GoF [0-9.]+)\n", r"\1, Rp 9.82 %\n"),
    ("  [0-9]+ warnings?, see the report\n", ""),
    (
        r"a = ([0-9.()]+) Å, b = \1 Å, c = \1 Å, 100 wt%",
        r"a = \1[1] Å, 100 wt%\n  (value(statistical)[systematic], one standard deviation each, in "
        "units of the last digit; a single number is both in quadrature)",
    ),
    ("the full scan ([0-9])", r"a full scan takes \1"),
    (
        "left-out blocks of 2θ: Rwp ([0-9.]+) %, ([0-9.]+) times inside",
        r"Rwp on held-out 2θ blocks: \1 %, \2 times that of the refined blocks",
    ),
    ("λ ([0-9.]+) > ([0-9.]+)", r"the error ratio λ is \1, it must be \2 or less"),
    (
        "largest sd ([0-9.]+) > ([0-9.]+)",
        r"the largest sd of the curve is \1, it must be \2 or less: 2 times the noise of one point",
    ),
    ("largest gap ([0-9.]+) > ([0-9.]+)", r"the largest gap is \1 eV, it must be \2 eV or less"),
    (
        "mean z² ([0-9.]+) outside ([0-9.]+) to ([0-9.]+):",
        r"the mean surprise z² of the last 15 points is \1, it must be between \2 and \3:",
    ),
    (
        "a surprise of z² ([0-9.]+) just now",
        r"the surprise z² of one of the last 5 points is \1, it must be below 9",
    ),
    (
        "points lie ([0-9.]+) sd off the curve, at ([0-9.]+)",
        r"points lie \1 sd off the curve at \2 eV, it must be 4 or less",
    ),
)


def reworded(text, rewordings=REWORDED):
    """What today's program says for words of version 0.1.0."""
    for old, new in rewordings:
        text = re.sub(old, new, text)
    return text


@pytest.fixture(params=["as it was", "packed"])
def ledger(request, tmp_path):
    """The old ledger, as it is opened, and with every run closed and packed."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(OLD)
    with Ledger(path) as found:
        if request.param == "packed":
            close_torn_runs(found)
            for job in found.jobs():
                assert packing.pack_job(found, job.job_id) == 1
        yield found


@pytest.fixture
def old(tmp_path):
    """The old ledger as it is opened."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(OLD)
    with Ledger(path) as found:
        yield found


def where_it_was(path):
    """The path of a value of today's outcome in an outcome of version 0.1.0."""
    for now, then in ((".found.", "."), (".fused.hybrid", ".hybrid")):
        if path.startswith(now):
            return then + path.removeprefix(now)
    return path


def as_it_was_said(outcome):
    """The summary without what is said today only.

    An esd was that of the fit alone; what libraries noted of themselves stood among the warnings.
    """
    summary = json.loads(json.dumps(summary_json(outcome)))
    told = {key: value for key, value in summary.items() if key not in NEW}
    if "phases" in told:
        told["warnings"] = list(outcome.found.fit.warnings)
    for phase in told.get("phases", ()):
        assert phase.pop("r_bragg") is None
        for key in [key for key in phase if key.endswith("_esd_statistical")]:
            phase[key.removesuffix("_statistical")] = phase.pop(key)
            del phase[key.replace("statistical", "systematic")]
    return told


def flat(value, where=""):
    """(path, value) of all that an outcome holds; arrays by their bytes."""
    if isinstance(value, np.ndarray):
        yield where, [str(value.dtype), list(value.shape), hashlib.sha256(value).hexdigest()]
    elif is_dataclass(value):
        for field in fields(value):
            yield from flat(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from flat(item, f"{where}[{i}]")
    else:
        yield where, value


def said_of(now, then):
    """The part of what is said today that was said then."""
    if not isinstance(then, dict):
        return now
    return {key: said_of(now[key], value) for key, value in then.items()}


def equal(one, other):
    return one == other or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def test_all_jobs_are_there(ledger):
    assert {job.job_id for job in ledger.jobs()} == {*FINISHED, *UNFINISHED}
    assert [job.job_id for job in ledger.jobs() if ledger.outcome(job.job_id)] == [*FINISHED]


@pytest.mark.parametrize("job_id", FINISHED)
def test_every_value_of_an_outcome_comes_back(ledger, job_id):
    outcome, then = outcome_of(ledger, job_id), FINISHED[job_id]["values"]
    values = {where_it_was(path): value for path, value in flat(outcome)}
    now = {path: v for path, v in values.items() if not path.startswith(".decisions")}
    missing = {path: value for path, value in then.items() if path not in now}
    assert all(value is None for value in missing.values()), missing  # of the other technique
    assert {path.strip(".") for path in missing} <= {*FOUND, "hybrid"}
    new = {path: value for path, value in now.items() if path not in then}
    assert all(value in (None, "") for value in new.values()), new  # nobody kept it then
    assert [path for path in then if path in now and not equal(now[path], then[path])] == []
    assert len(outcome.decisions) == FINISHED[job_id]["decisions"]


@pytest.mark.parametrize("job_id", FINISHED)
def test_what_is_said_of_it_is_what_was_said(ledger, job_id):
    outcome, then = outcome_of(ledger, job_id), FINISHED[job_id]
    assert said_of(as_it_was_said(outcome), then["summary"]) == then["summary"]
    assert overview(outcome) == reworded(then["overview"], REWORDED[:5])


@pytest.mark.parametrize("job_id", FINISHED)
def test_it_has_its_page_and_all_its_files(ledger, job_id, tmp_path):
    then = FINISHED[job_id]["columns"]
    written = {path.suffix: path for path in export_all(ledger, job_id, tmp_path / "files")}
    assert "<svg" in written[".html"].read_text()
    assert list(written) == list(then)
    assert set(then) <= {form.suffix for form in FORMATS.values()}
    for kind in COLUMNS:
        if kind in then:
            lines = written[kind].read_bytes().splitlines()
            rows = b"\n".join(line for line in lines if not line.startswith(b"#"))
            assert hashlib.sha256(rows).hexdigest() == then[kind], kind


@pytest.mark.parametrize("job_id", FINISHED)
def test_kept_anew_it_is_the_same(ledger, job_id):
    outcome = outcome_of(ledger, job_id)
    keep_outcome(ledger, outcome)
    assert set(ledger.outcome(job_id)) <= {"technique", "kept", "search"}
    again = dict(flat(outcome_of(ledger, job_id)))
    assert all(equal(again[path], value) for path, value in flat(outcome))
    assert len(again) == len(dict(flat(outcome)))


@pytest.mark.parametrize(
    "job_id",
    [
        pytest.param(job_id, marks=pytest.mark.slow) if n else job_id
        for n, job_id in enumerate(FINISHED)
    ],
)
def test_packing_changes_no_byte_of_its_files(old, job_id, tmp_path):
    before = exported(old, job_id, tmp_path / "before")
    assert packing.pack_job(old, job_id) == 1
    assert exported(old, job_id, tmp_path / "after") == before


def exported(ledger, job_id, folder):
    return {path.name: path.read_bytes() for path in export_all(ledger, job_id, folder)}


def test_it_is_listed_as_it_is(old):
    listed = {job.job_id: job for job in listed_jobs(old)}
    assert [*listed] == [job.job_id for job in old.jobs()]
    for job in old.jobs():
        found = listed[job.job_id]
        assert (found.name, found.technique) == (job.sample.name, job.sample.technique)
        assert found.steps == len(old.decisions(job.job_id))
        assert found.finished == (job.job_id in FINISHED)


def test_its_searches_teach_later_ones(ledger):
    (past,) = searches(ledger, "xrd")
    assert past.origin in FINISHED
    assert len(past.trials) == FINISHED[past.origin]["summary"]["trials"]
    assert searches(ledger, "xas") == ()


@pytest.mark.parametrize("job_id", UNFINISHED)
def test_an_unfinished_job_goes_on_as_it_would_have(ledger, job_id):
    then = UNFINISHED[job_id]
    campaign = Campaign.resume(job_id, ledger)
    assert len(campaign.decisions) == then["kept"]
    assert len(campaign._waiting) == then["waiting"]
    following = json.loads(json.dumps(asdict(campaign.ask())))
    decision = asdict(campaign.decisions[-1]) | {"seconds_deciding": 0.0}
    assert following == pytest.approx(then["next"], rel=1e-9)
    for name, value in json.loads(json.dumps(decision)).items():
        if isinstance(value, float):
            assert value == pytest.approx(then["decision"][name], rel=1e-6), name
        elif name not in ("hyperparameters", "verdict", "next", "proposal"):
            assert value == then["decision"][name], name
    assert decision["verdict"]["reason"] == reworded(then["decision"]["verdict"]["reason"])
    assert decision["proposal"] == pytest.approx(then["decision"]["proposal"], rel=1e-9)
