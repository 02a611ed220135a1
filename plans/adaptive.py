"""The adaptive loop: ask, measure, judge, record; again or stop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import Msg

from materialsdock.protocols import Instrument, LearningCampaign, Measure
from plans.stubs import DecisionReading, meanwhile, record_decision, safe_state, think


def learn(
    campaign: LearningCampaign,
    instrument: Instrument,
    measure: Measure,
    *,
    ready: Callable[[], Generator[Msg, Any, None]] = bps.null,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, None]:
    """Measure one sample, choosing each next proposal from all that was recorded so far.

    One run with streams `primary` (readings) and `decision`; the reason of the stop is in the
    stop document.  `ready` is a plan that runs before the first motion and before every exposure,
    and waits until they may happen.  The shutter is open while the loop runs and closed,
    verified, on every exit.
    """

    def loop() -> Generator[Msg, Any, None]:
        yield from bps.open_run(md={**run_md(campaign), **(md or {})})
        yield from ready()
        yield from bps.mv(instrument.sample_changer, campaign.job.sample.position)
        yield from bps.mv(instrument.shutter, "open")
        reading = DecisionReading()
        yield from ready()
        # asked after each wait: a person may have steered meanwhile
        while (proposal := (yield from think(campaign.ask))) is not None:
            meanwhile(campaign.look_ahead)
            yield from measure(proposal, instrument)
            decision = yield from think(partial(campaign.judge, proposal))
            yield from record_decision(decision, reading)
            if decision.next is not None:
                yield from ready()
        yield from safe_state(instrument)
        yield from bps.close_run(exit_status="success", reason=campaign.verdict.reason)

    return (yield from bpp.finalize_wrapper(loop(), partial(safe_state, instrument)))


def run_md(campaign: LearningCampaign) -> dict[str, Any]:
    """Return what the start document says of the job."""
    sample, d_spacing = campaign.job.sample, campaign.job.settings.get("d_spacing_angstrom")
    known = {} if d_spacing is None else {"d_spacing_angstrom": d_spacing}
    return {
        **known,
        "plan_name": "learn",
        "job_id": campaign.job.job_id,
        "sample": sample.name,
        "technique": sample.technique,
        "position": sample.position,
        "seed": campaign.job.seed,
    }
