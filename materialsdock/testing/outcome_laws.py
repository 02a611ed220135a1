"""Laws that every technique keeps of a whole measurement: analysis, ledger, report, files.

The measurement is made without a beamline, by what the subject's `read` shows:

    with Ledger(folder / "ledger.sqlite") as ledger:
        done = finished(subject, ledger)
        for law in LAWS:
            law(done)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from materialsdock.campaign import analysis
from materialsdock.campaign.campaign import Campaign
from materialsdock.ledger.finished import source_of
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome, outcome_of, packed
from materialsdock.model import Job, Outcome
from materialsdock.rendering.drawing import Drawing
from materialsdock.testing.technique_laws import Subject
from materialsdock.views.exports.bundle import FORMATS
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report

HDF5 = b"\x89HDF"


@dataclass(frozen=True)
class Finished:
    """A job of the subject that was measured, analysed and kept in the ledger."""

    subject: Subject
    ledger: Ledger
    outcome: Outcome

    @property
    def job(self) -> Job:
        """The job as it was analysed."""
        return self.outcome.job

    def part(self, name: str) -> Any:
        """A module of the technique."""
        return getattr(self.subject.technique, name)()


def finished(subject: Subject, ledger: Ledger, stop: Mapping[str, Any] | None = None) -> Finished:
    """Measure, analyse and keep a job of the subject.

    stop : as a job says it; None: after 60 points at the latest
    """
    job = subject.job(seed=1, stop=dict(stop or {"maximum_points": 60}))
    analysis.check(job)
    campaign = _measured(subject, job, ledger)
    outcome = analysis.analyse(campaign, lambda _: None, lambda _: None)
    keep_outcome(ledger, outcome)
    return Finished(subject, ledger, outcome)


def _measured(subject: Subject, job: Job, ledger: Ledger) -> Campaign:
    """The campaign of `job`, run to its stop; every event goes the way of a real one."""
    rng = np.random.default_rng(job.seed)
    ledger.add_job(job)
    campaign = Campaign(job, ledger)
    campaign.receive("start", {"uid": "run", "time": 1.79e9})
    campaign.receive("descriptor", {"uid": "d", "name": "primary", "run_start": "run"})
    proposal, first = campaign.ask(), 1
    while proposal is not None:
        rows = [subject.read(x, proposal.count_time_s, rng) for x in proposal.x.tolist()]
        campaign.receive("event_page", _page(rows, first))
        first += len(rows)
        proposal = campaign.judge(proposal).next
    campaign.receive("stop", {"uid": "s", "run_start": "run"})
    return campaign


def _page(rows: list[Mapping[str, Any]], first: int) -> dict[str, Any]:
    numbers = list(range(first, first + len(rows)))
    return {
        "uid": [f"e{number}" for number in numbers],
        "descriptor": "d",
        "seq_num": numbers,
        "data": {key: [row[key] for row in rows] for key in rows[0]},
        "time": [0.0] * len(rows),
    }


def what_it_finds_is_a_frozen_dataclass(done: Finished) -> None:
    """Found and Measurement are what the analysis gives."""
    part = done.part("analysis")
    for kind, value in (
        (part.Found, done.outcome.found),
        (part.Measurement, done.outcome.measured),
    ):
        assert is_dataclass(kind)
        assert type(value) is kind
        try:
            setattr(value, fields(kind)[0].name, None)
        except AttributeError:
            continue
        raise AssertionError(f"{kind.__name__} is not frozen")


def an_outcome_comes_back_from_the_ledger(done: Finished) -> None:
    """Compare an outcome with the one that the ledger gives back, to the last digit."""
    again = outcome_of(done.ledger, done.job.job_id)
    assert packed(again) == packed(done.outcome)
    assert again.decisions == done.outcome.decisions
    assert type(again.found) is type(done.outcome.found)


def a_campaign_comes_back_from_the_ledger(done: Finished) -> None:
    """The replay of the job comes to the same decisions, and to the same end."""
    again = Campaign.resume(done.job.job_id, done.ledger)
    assert tuple(again.decisions) == done.outcome.decisions
    assert again.finished


def what_it_remembers_is_json(done: Finished) -> None:
    """Write and read what later jobs may learn from this one."""
    part = done.part("analysis")
    kept = json.loads(json.dumps(part.remembered(done.outcome), allow_nan=False))
    part.recalled([kept] if kept else [])


def its_numbers_are_json(done: Finished) -> None:
    """Write its own numbers and those of every job as JSON; nothing is NaN."""
    own = done.part("report").summary(done.outcome)
    json.dumps(dict(own), allow_nan=False)
    assert set(own) <= set(summary_json(done.outcome))


def its_lines_are_text(done: Finished) -> None:
    """One line each, as a terminal shows them, and warnings likewise."""
    report = done.part("report")
    for line in (*report.lines(done.outcome), *report.warnings(done.outcome)):
        assert isinstance(line, str)
        assert line.strip()
        assert "\n" not in line
    assert all(line in overview(done.outcome) for line in report.lines(done.outcome))


def its_figures_are_drawn(done: Finished) -> None:
    """Draw at least one figure of its own, each with title and caption; the shared ones stay."""
    shared = Drawing("of all", "a figure of all techniques", "<svg></svg>")
    drawn = done.part("report").drawings(done.outcome, [shared])
    assert shared in drawn
    assert len(drawn) > 1
    for each in drawn:
        assert each.title.strip()
        assert each.caption.strip()
        assert each.svg.startswith("<svg")


def its_page_is_the_same_each_time(done: Finished) -> None:
    """One page for one outcome, with the sample and the technique on it."""
    page = render_report(done.outcome)
    assert page == render_report(outcome_of(done.ledger, done.job.job_id))
    assert done.subject.technique.title in page


def its_files_are_the_same_each_time(done: Finished) -> None:
    """Every format that is not missing makes bytes, its own and NeXus among them."""
    source = source_of(done.ledger, done.job.job_id)
    own = set(done.part("export").FORMATS)
    assert own <= set(FORMATS)
    made = {name: form.made(source) for name, form in FORMATS.items() if not form.missing(source)}
    assert own & set(made)
    for name, content in made.items():
        assert isinstance(content, bytes)
        assert content, name
        assert content == FORMATS[name].made(source), f"{name} is not the same each time"
    assert "nexus" not in made or made["nexus"].startswith(HDF5)


LAWS: tuple[Callable[[Finished], None], ...] = (
    what_it_finds_is_a_frozen_dataclass,
    an_outcome_comes_back_from_the_ledger,
    a_campaign_comes_back_from_the_ledger,
    what_it_remembers_is_json,
    its_numbers_are_json,
    its_lines_are_text,
    its_figures_are_drawn,
    its_page_is_the_same_each_time,
    its_files_are_the_same_each_time,
)
