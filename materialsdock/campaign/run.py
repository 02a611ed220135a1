"""One process that owns RunEngine, devices and one campaign, and analyses what it measured."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from materialsdock.campaign import analysis
from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.interrupted import Interrupted, interrupted
from materialsdock.campaign.plan import plan_for, run_engine
from materialsdock.errors import LedgerFault, MaterialsDockError
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger.documents import close_torn_runs
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.ledger.packing import pack_job
from materialsdock.model import Job, Outcome
from materialsdock.profile import plans
from materialsdock.profile.config import Profile
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.protocols import Instrument, RunWatch
from materialsdock.views.catalog import CatalogFeeder, catalog_of

log = logging.getLogger(__name__)
CATALOG_DRAIN_S = 60.0


class AnalysisOnStop:
    """A subscriber that starts the analysis when a stop document says that a run succeeded.

    It runs in a daemon thread (the search in processes of its own), so that Ctrl-C ends it too.
    """

    def __init__(self, start: Callable[[], Outcome]) -> None:
        self._start = start
        self.outcome: Future[Outcome] | None = None

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        if name == "stop" and document["exit_status"] == "success":
            self.outcome = Future()
            threading.Thread(target=self._run, args=(self.outcome,), daemon=True).start()

    def _run(self, outcome: Future[Outcome]) -> None:
        try:
            outcome.set_result(self._start())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            outcome.set_exception(error)


def measure(
    job: Job | str,
    profile: Profile,
    data: DataDirectory,
    watch: RunWatch | None = None,
    analysis_changes: Mapping[str, Any] | None = None,
) -> Outcome:
    """Measure and analyse one job; a job id resumes it from the ledger.

    analysis_changes : settings of the analysis that differ from those the job began with

    Raises Interrupted after Ctrl-C or SIGTERM, and whatever a device or the analysis raises; the
    shutter is closed and all that was recorded is in the ledger then too.
    """
    watch = watch or RunWatch()
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(Ledger(data.ledger))
        campaign = _campaign(job, ledger)
        campaign.job = analysis.with_analysis(campaign.job, analysis_changes or {})
        past = searches(ledger, campaign.job.sample.technique)
        campaign.listeners.append(watch.decision)
        feeding = stack.enter_context(_catalog_fed_from(ledger, data, profile))
        if not campaign.finished:
            outcome = _measure(campaign, profile, watch, past)
        else:
            outcome = analysis.analyse(campaign, watch.stage, watch.trial, past)
        keep_outcome(ledger, outcome)
        watch.stage("filling the catalog")
        feeding()
        _pack(ledger, campaign.job.job_id)
        return outcome


def _pack(ledger: Ledger, job_id: str) -> None:
    """Make the job small; all of it is in the ledger already, so a fault here ends nothing."""
    try:
        pack_job(ledger, job_id)
    except LedgerFault as fault:
        log.warning("the job is not packed: %s", fault)


def _campaign(job: Job | str, ledger: Ledger) -> Campaign:
    if isinstance(job, str):
        close_torn_runs(ledger, job)
        return Campaign.resume(job, ledger)
    ledger.add_job(job)
    return Campaign(job, ledger)


def _measure(campaign: Campaign, profile: Profile, watch: RunWatch, past: Sequence[Any]) -> Outcome:
    analyst = AnalysisOnStop(partial(analysis.analyse, campaign, watch.stage, watch.trial, past))
    acquire(campaign, profile, watch, analyst)
    if analyst.outcome is None:
        raise Interrupted("the run ended before it was finished", where=campaign.job.job_id)
    try:
        return analyst.outcome.result()
    except KeyboardInterrupt:
        raise interrupted(campaign.job.job_id) from None


def acquire(
    campaign: Campaign,
    profile: Profile,
    watch: RunWatch,
    *subscribers: Callable[[str, dict[str, Any]], Any],
) -> None:
    """Measure until the campaign's rule stops it; the ledger hears of each document first.

    Raises Interrupted after SIGINT or SIGTERM, with the shutter closed.
    """
    watch.stage("connecting devices")
    instrument = build_instrument(profile)
    try:
        plans.check(profile)
        engine = run_engine(profile, instrument)
        for subscriber in (campaign.receive, *subscribers):
            engine.subscribe(subscriber)
        watch.stage("measuring")
        _run(engine, campaign, instrument, profile)
    finally:
        release(instrument)


def _run(engine: Any, campaign: Campaign, instrument: Instrument, profile: Profile) -> None:
    with contextlib.redirect_stdout(sys.stderr), _signals_abort(engine) as asked:
        try:
            engine(plan_for(campaign, instrument, profile))
        finally:
            if asked.is_set():
                raise interrupted(campaign.job.job_id)


@contextlib.contextmanager
def _signals_abort(engine: Any) -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an abort: the plan's finalizer closes the shutter."""
    asked = threading.Event()

    def abort(*_: Any) -> None:
        if not asked.is_set():
            asked.set()
            # a signal handler must not wait for the loop that it interrupts
            threading.Thread(target=engine.abort, args=("operator",), daemon=True).start()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, abort) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _catalog_fed_from(
    ledger: Ledger, data: DataDirectory, profile: Profile
) -> Iterator[Callable[[], None]]:
    """Feed the catalog from the ledger beside the measurement; yields what waits for the rest.

    The catalog is a view that can be rebuilt: when it cannot be had, that is said and no more.
    """
    with ThreadPoolExecutor(1, "catalog") as pool, contextlib.ExitStack() as stack:

        def open_feeder() -> CatalogFeeder:
            client = stack.enter_context(catalog_of(profile, data))
            return stack.enter_context(CatalogFeeder(ledger, client, data.path))

        opening = pool.submit(open_feeder)

        def finish() -> None:
            try:
                complete = opening.result().drain(CATALOG_DRAIN_S)
            except MaterialsDockError as error:
                log.warning(
                    "all results are in the ledger, but the catalog was not filled: %s", error
                )
                return
            if not complete:
                log.warning(
                    "the catalog does not show all of the ledger yet; the next start completes it"
                )

        try:
            yield finish
        finally:
            opening.exception()  # what is still opening must not outlive what closes it
