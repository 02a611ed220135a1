"""Analyses what was measured, beside the measurement of the next sample; killable at any moment."""

from __future__ import annotations

import gc
import logging

from materialsdock import technique
from materialsdock.campaign import analysis
from materialsdock.campaign.campaign import Campaign
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.model import Outcome, Trial
from materialsdock.night.processes.child_of_daemon import child
from materialsdock.night.queue import queue
from materialsdock.night.queue.faults import fault_of
from materialsdock.night.sentinels.flags import flags_of
from materialsdock.night.system.heartbeats import Heart
from materialsdock.night.system.process import Line, gives_way
from materialsdock.rendering.files import ExportFault
from materialsdock.rendering.plain_page import write_page
from materialsdock.views.exports.bundle import export_all
from materialsdock.views.report import write_report

log = logging.getLogger(__name__)


def analysed(
    job_id: str, ledger: Ledger, data: DataDirectory, heart: Heart, limit_s: float
) -> Outcome:
    """Analyse one measured job; outcome in the ledger, report and exports in the data folder."""
    campaign = Campaign.resume(job_id, ledger)

    def stage(_: str) -> None:
        heart.progress(limit_s)

    def trial(_: Trial) -> None:
        heart.progress(limit_s)

    past = searches(ledger, campaign.job.sample.technique)
    outcome = analysis.analyse(campaign, stage, trial, past)
    keep_outcome(ledger, outcome)
    report = data.reports / f"{job_id}.html"
    try:
        exported = export_all(ledger, job_id, data.path / "exports")
    except ExportFault as fault:  # made again whenever there is room: all of it is in the ledger
        queue.note(ledger, "export", {"job_id": job_id, "fault": str(fault)}, severity="warn")
        write_report(outcome, report)
    else:  # drawing the page takes as long as a short analysis
        page = next(path for path in exported if path.suffix == ".html")
        write_page(page.read_text(encoding="utf-8"), report)
    return outcome


def warnings_of(outcome: Outcome) -> list[str]:
    """List what a person should look at in the morning, in words."""
    found: list[str] = technique.named(outcome.job.sample.technique).report().warnings(outcome)
    return found


def serve(line: Line, heart: Heart, ledger: Ledger, data: DataDirectory, limit_s: float) -> None:
    """Analyse what the daemon sends, one after the other, until told to end."""
    while True:
        heart.phase("idle")
        order = line.inbox.get()
        if order["do"] == "end":
            return
        heart.phase("busy")
        sample, job_id = order["sample"], order["job"]
        try:
            outcome = analysed(job_id, ledger, data, heart, limit_s)
        except Exception as error:
            log.exception("analysis of %s", job_id)
            line.say("fault", sample=sample, fault=fault_of(error))
        else:
            warnings = [*flags_of(ledger, sample), *warnings_of(outcome)]
            line.say("analysed", sample=sample, job=job_id, warnings=warnings)
        gc.collect()  # what a fit leaves behind comes in heaps that would add up between rounds


def main() -> None:
    """`python -m materialsdock.night.processes.analyst`: started by the daemon only."""
    gives_way()  # an analysis is done again sooner than an exposure
    with (
        child("analyst") as role,
        Ledger(role.data.ledger) as ledger,
        Heart(role.beat / "analyst.beat") as heart,
    ):
        role.line.listen()
        role.line.say("ready")
        serve(role.line, heart, ledger, role.data, role.profile.night.analysis_limit_s)


if __name__ == "__main__":
    main()
