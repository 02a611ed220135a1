"""The making of version_0_1_0.sqlite.xz: by version 0.1.0, before each technique had a folder
of its own.  It ran in a checkout of that version, whose modules it imports, and runs in no later
one:

    python made_by_0_1_0.py FOLDER

Two finished jobs (a refined pattern with energies, a spectrum with fractions of standards), kept
as that version kept them, and two unfinished ones, one of which was steered.  expected.json.xz
says what that version said of them.
"""

import hashlib
import json
import lzma
import sqlite3
import sys
import tempfile
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import tests.kept_jobs as kept_jobs
from materialsdock.diffraction import with_analysis
from materialsdock.exports.bundle import export_all
from materialsdock.exports.kept import outcome_of
from materialsdock.report import overview, summary_json
from materialsdock.runner import keep_outcome
from materialsdock.steering import Steering
from tests.structures import LAB6, simulated
from xas_samples import oxides

from materialsdock import analysis, options, prepare
from materialsdock.campaign import Campaign
from materialsdock.formats import Measured
from materialsdock.ledger import Ledger
from materialsdock.model import Sample

PROFILE, silent = kept_jobs.PROFILE, kept_jobs.silent
I0 = 40_000.0
ENERGY = np.arange(6960.0, 7690.0, 2.5)
STANDARDS = oxides(step=4.0)[:2]
LENNARD_JONES = {
    "energy": "ase.calculators.lj.LennardJones",
    "energy_arguments": {"sigma": 2.3, "epsilon": 0.4, "rc": 6.0},
    "energy_trials": 1,
}


def mu(energy):
    """A third of one oxide, the rest another."""
    low, middle = (np.interp(energy, each.energy_ev, each.mu) for each in STANDARDS)
    return 0.3 * low + 0.7 * middle


def spectrum_job(stop, seed):
    """A spectrum to measure, with standards to compare it with."""
    scan = Measured(technique="xas", x=ENERGY, y=mu(ENERGY))
    sample = Sample("Fe₂O₃, 試料 1", "xas", 3, metadata={"owner": "A. Person", "comment": "x"})
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{each.name}.xy" for each in STANDARDS]
        for path, each in zip(files, STANDARDS, strict=True):
            np.savetxt(path, np.column_stack([each.energy_ev, each.mu]), fmt="%.6f")
        xas = PROFILE.xas.model_copy(update={"standards": tuple(files)})
        profile = PROFILE.model_copy(update={"xas": xas})
        stopping = options.stop_options(stop)
        return prepare.job_for(scan, sample, profile, stop=stopping, seed=seed)


def pattern_job(stop, seed):
    """A pattern to measure, refined with one trial in this process."""
    truth = simulated(((LAB6, 1.0),))
    keep = (truth.two_theta > 20) & (truth.two_theta < 50)
    x, rate = truth.two_theta[keep][::2], truth.intensity[keep][::2]
    scan = Measured(technique="xrd", x=x, y=rate, count_time_s=2.0)
    sample = Sample("LaB6", "xrd", 1, (LAB6,))
    job = prepare.job_for(scan, sample, PROFILE, stop=options.stop_options(stop), seed=seed)
    changes = {"trials": 2, "workers": 1, "seeds": [0], **LENNARD_JONES}
    return with_analysis(job, changes), x, rate


def read_spectrum(rng):
    """Readings of the ion chambers."""

    def read(energy, seconds):
        it = I0 * seconds * np.exp(-mu(np.array([energy]))[0])
        return {
            "mono_energy": energy,
            "i0": float(rng.poisson(I0 * seconds)),
            "it": float(rng.poisson(it)),
            "count_time_s": seconds,
        }

    return read


def read_pattern(rng, x, rate):
    """Readings of the point detector."""

    def read(at, seconds):
        counts = rng.poisson(np.interp(at, x, rate) * seconds)
        return {"two_theta": at, "counts": float(counts), "count_time_s": seconds}

    return read


def begun(ledger, job, read, steps, asked=()):
    """`steps` decisions of a job, and the readings of the step that nobody decided on."""
    ledger.add_job(job)
    campaign = Campaign(job, ledger)
    run, first = job.job_id, 1
    campaign.receive("start", {"uid": f"r-{run}", "time": 1.79e9})
    descriptor = {"uid": f"d{run}", "name": "primary", "run_start": f"r-{run}"}
    campaign.receive("descriptor", descriptor)
    for step in range(steps + 1):
        for each in asked if step == 3 else ():
            campaign.steer(each)
        proposal = campaign.ask()
        rows = [read(x, proposal.count_time_s) for x in proposal.x.tolist()]
        campaign.receive(*kept_jobs.page(run, first, rows))
        first += len(rows)
        if step < steps:
            campaign.judge(proposal)


def going_on(ledger, job_id):
    """Return what that version measures next; asked, it first decides on what was read last."""
    campaign = Campaign.resume(job_id, ledger)
    kept, waiting = len(campaign.decisions), len(campaign._waiting)
    following = asdict(campaign.ask())
    decision = asdict(campaign.decisions[-1]) | {"seconds_deciding": 0.0}
    return {"kept": kept, "waiting": waiting, "decision": decision, "next": following}


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


def said(ledger, job_id):
    """All that this version says of a finished job."""
    outcome = outcome_of(ledger, job_id)
    everything = dict(flat(replace(outcome, decisions=())))
    with tempfile.TemporaryDirectory() as folder:
        written = export_all(ledger, job_id, Path(folder))
        files = {path.suffix: path.read_bytes() for path in written}
    return {
        "values": everything,
        "decisions": len(outcome.decisions),
        "summary": summary_json(outcome),
        "overview": overview(outcome),
        "columns": {kind: columns(body) for kind, body in files.items()},
    }


def columns(body):
    """The digest of a text file without its head, which names versions."""
    rows = [line for line in body.splitlines() if not line.startswith(b"#")]
    return hashlib.sha256(b"\n".join(rows)).hexdigest()


def main(folder):
    """Write version_0_1_0.sqlite.xz and expected.json.xz into `folder`."""
    path = folder / "version_0_1_0.sqlite"
    analysis.POSTERIOR_SAMPLES = 8  # a small file
    with Ledger(path) as ledger:
        job = spectrum_job(["maximum_points=45"], 1)
        campaign = kept_jobs.measured(ledger, job, read_spectrum(np.random.default_rng(0)))
        keep_outcome(ledger, analysis.analyse(campaign, silent, silent))
        spectrum = job.job_id
        job, x, rate = pattern_job(["maximum_seconds=500"], 2)
        campaign = kept_jobs.measured(ledger, job, read_pattern(np.random.default_rng(1), x, rate))
        keep_outcome(ledger, analysis.analyse(campaign, silent, silent))
        pattern = job.job_id
        unread = spectrum_job(["maximum_points=60"], 5)
        begun(ledger, unread, read_spectrum(np.random.default_rng(3)), 20)
        steered, x, rate = pattern_job(["maximum_seconds=900"], 6)
        asked = [Steering("force", "anna@beamline", x=30.4)]
        begun(ledger, steered, read_pattern(np.random.default_rng(4), x, rate), 12, asked)
        expected = {
            "finished": {i: said(ledger, i) for i in (spectrum, pattern)},
        }
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA journal_mode=DELETE")
    db.execute("VACUUM")
    db.close()
    (folder / "version_0_1_0.sqlite.xz").write_bytes(lzma.compress(path.read_bytes(), preset=9))
    with Ledger(path) as ledger:
        expected["unfinished"] = {i: going_on(ledger, i) for i in (unread.job_id, steered.job_id)}
    text = json.dumps(expected, ensure_ascii=False, indent=0)
    (folder / "expected.json.xz").write_bytes(lzma.compress(text.encode(), preset=9))
    path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
