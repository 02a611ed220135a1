"""The session of an operator in IPython: RE, instrument, plans, catalog, and a table of them."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Generator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from materialsdock.campaign import analysis, build, option_words, prepare
from materialsdock.campaign.campaign import Campaign
from materialsdock.campaign.plan import beam_suspender, plan_for
from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.knowledge.past_searches import searches
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Job, Measured, Outcome, Sample
from materialsdock.profile import asking, config, plans, siteroot
from materialsdock.profile.instrument import build_instrument, release
from materialsdock.profile.simulation import running
from materialsdock.protocols import Instrument
from materialsdock.technique import named, resolved
from materialsdock.views.catalog import CatalogFeeder, catalog_of
from materialsdock.views.report import overview, write_report

DRAIN_S = 10.0
GUARD = "_materialsdock_session"


@dataclass
class Session:
    """One instrument in the hands of an operator."""

    profile: config.Profile
    data: DataDirectory
    engine: Any
    instrument: Instrument
    ledger: Ledger
    catalog: Any
    samples: Mapping[str, tuple[Measured, Sample]]
    shift: str
    closing: ExitStack
    campaign: Campaign | None = None
    outcome: Outcome | None = None
    _learning: bool = False
    _watching: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Disconnect, and end what the session started."""
        self.closing.close()

    def receive(self, name: str, document: dict[str, Any]) -> None:
        """Every document goes to the ledger first: through the campaign while one is learning."""
        if self._learning and self.campaign is not None:
            self.campaign.receive(name, document)
            self._learning = name != "stop"
        else:
            self.ledger.add_documents(self.shift, [(name, document)])

    def learn(
        self,
        sample: str,
        *,
        stop: Sequence[str] = (),
        count_time_s: float | None = None,
        seed: int = 0,
        live_plot: bool = False,
    ) -> Generator[Any, Any, Any]:
        """The adaptive plan for one of `samples`: `RE(learn("fluorapatite"))`.

        stop : words as on the command line, e.g. ["threshold=0.1", "maximum_points=200"]
        """
        measured, known = self._known(sample)
        job = prepare.job_for(
            measured,
            known,
            self.profile,
            stop=option_words.stop_options(stop),
            seed=seed,
            count_time_s=count_time_s,
        )
        build.check(job)
        return self._learn(job, live_plot)

    def _learn(self, job: Job, live_plot: bool) -> Generator[Any, Any, Any]:
        self.ledger.add_job(job)
        self.campaign = Campaign(job, self.ledger)
        self._watch(self.campaign, live_plot)
        self._learning = True
        return (yield from plan_for(self.campaign, self.instrument, self.profile))

    def analyse(self) -> None:
        """Refine, or find the edge of, what `learn` measured last; keeps it as `outcome`."""
        if self.campaign is None or not self.campaign.decisions:
            raise InputError("nothing has been measured yet", remedy="RE(learn(SAMPLE)) first")
        past = searches(self.ledger, self.campaign.job.sample.technique)
        outcome = analysis.analyse(self.campaign, print, lambda trial: None, past)
        self.outcome = outcome
        page = write_report(outcome, self.data.reports / f"{self.campaign.job.job_id}.html")
        print(f"{overview(outcome)}\nreport: {page}")

    def _known(self, sample: str) -> tuple[Measured, Sample]:
        if sample not in self.samples:
            have = ", ".join(map(repr, self.samples))
            raise InputError(f"no sample {sample!r}", where="learn", remedy=f"available: {have}")
        return self.samples[sample]

    def _watch(self, campaign: Campaign, live_plot: bool) -> None:
        """Tables and plots of this measurement only; they may fail without losing anything."""
        from bluesky.callbacks import LiveTable

        for token in self._watching:
            self.engine.unsubscribe(token)
        fields = ["step", "next_x", "mean", "sd", "lambda_t", "threshold"]
        watching: list[Any] = [LiveTable(fields, stream_name="decision")]
        if live_plot:
            from bluesky.callbacks.mpl_plotting import LivePlot

            keys = named(campaign.job.sample.technique).way(campaign.job).keys
            plot = LivePlot(keys.signal, keys.position, marker=".", linestyle="none")
            watching.append(by_event(plot))
        self._watching = [self.engine.subscribe(watch) for watch in watching]


def by_event(callback: Callable[[str, Any], Any]) -> Callable[[str, Any], None]:
    """A callback for what gives pages of events to one that knows only single events."""
    from event_model import unpack_event_page

    def receive(name: str, document: Any) -> None:
        if name == "event_page":
            for event in unpack_event_page(document):
                callback("event", event)
        else:
            callback(name, document)

    return receive


def start(
    namespace: MutableMapping[str, Any],
    profile_name: str = "sim",
    *,
    data: Path | str | None = None,
    site: Path | None = None,
) -> Session:
    """Fill `namespace` with a session; calling it again returns the session that is there.

    A simulated profile gets a simulated beamline of its own, which ends with the session, unless
    EPICS_CA_SERVER_PORT already names one.
    """
    if GUARD in namespace:
        found: Session = namespace[GUARD]
        return found
    root = siteroot.activate(site)
    profile = config.load(profile_name, root)
    session = _open(profile, root, DataDirectory(Path(data or "materialsdock-data")))
    atexit.register(session.close)
    namespace.update(_names(session))
    namespace[GUARD] = session
    print(table(session))
    return session


def _open(profile: config.Profile, root: Path, data: DataDirectory) -> Session:
    from bluesky import RunEngine

    from materialsdock.campaign import demo

    stack = ExitStack()
    samples: Mapping[str, tuple[Measured, Sample]] = {}
    if profile.simulated_by:
        samples = {known.name: (measured, known) for measured, known in demo.samples(profile)}
        if "EPICS_CA_SERVER_PORT" not in os.environ:
            simulation = profile.simulated_by
            stack.enter_context(
                running(
                    simulation.module,
                    root,
                    stack.enter_context(demo.scenes(profile)),
                    prefix=simulation.prefix,
                    speed=simulation.speed,
                    seed=0,
                )
            )
    instrument = build_instrument(profile)
    stack.callback(release, instrument)
    plans.check(profile)
    ledger = stack.enter_context(Ledger(data.ledger))
    catalog = stack.enter_context(catalog_of(profile, data))
    feeder = stack.enter_context(CatalogFeeder(ledger, catalog, data.path))
    engine = RunEngine({})
    if profile.beam:
        engine.install_suspender(beam_suspender(profile, instrument))
    technique = next(iter(profile.techniques), "")  # a session measures any of them
    shift = Job(asking.new_job_id("session"), Sample("operator session", technique))
    ledger.add_job(shift)
    session = Session(
        profile, data, engine, instrument, ledger, catalog, samples, shift.job_id, stack
    )
    engine.subscribe(session.receive)
    # after the ledger has it: so that catalog[-1] is the run that has just ended
    engine.subscribe(lambda name, document: feeder.drain(DRAIN_S), "stop")
    return session


def _names(session: Session) -> dict[str, Any]:
    import bluesky.plan_stubs as bps
    import bluesky.plans as bp

    baselines = {name: resolved(plan) for name, plan in session.profile.plans.baselines.items()}
    return {
        "RE": session.engine,
        "instrument": session.instrument,
        "catalog": session.catalog,
        "session": session,
        "learn": session.learn,
        "analyse": session.analyse,
        "samples": session.samples,
        "bp": bp,
        "bps": bps,
        "read_measured": read_measured,
        **baselines,
        **session.instrument.devices,
    }


def table(session: Session) -> str:
    """A short table of what there is."""
    baselines = session.profile.plans.baselines
    rows = [
        ("profile", f"{session.profile.name}: {session.profile.description}"),
        ("instrument", ", ".join(session.instrument.devices)),
        ("samples", ", ".join(map(repr, session.samples)) or "none yet"),
        ("measure", "RE(learn(SAMPLE)); live_plot=True draws; Ctrl-C twice pauses, RE.resume()"),
        ("baselines", ", ".join(f"RE({name}(instrument, ...))" for name in baselines)),
        ("analyse", "analyse() refines or finds the edge, and writes the report"),
        ("the night", "%load_ext materialsdock gives md: md.status(), md.queue, md.pause(), ..."),
        ("read back", 'catalog[-1].table("primary"), .table("decision")'),
        ("data", str(session.data.path.resolve())),
    ]
    return "\n".join(f"  {word:<11} {text}" for word, text in rows)


def shell(profile_name: str, data: Path, site: Path | None) -> None:
    """Open IPython with a session in it."""
    from IPython import start_ipython
    from traitlets.config import Config

    namespace: dict[str, Any] = {}
    start(namespace, profile_name, data=data, site=site)
    settings = Config()
    settings.TerminalInteractiveShell.term_title = False
    sys.argv = sys.argv[:1]
    start_ipython(argv=[], user_ns=namespace, config=settings)
