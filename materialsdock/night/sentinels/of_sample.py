"""The sentry of the sample in the beam, and what the next exposure waits for."""

from __future__ import annotations

from collections.abc import Callable

from materialsdock import technique
from materialsdock.campaign.campaign import Campaign
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.sentinels.flags import flags_of_job
from materialsdock.night.sentinels.sentry import Sentry
from materialsdock.profile.config import Profile
from materialsdock.protocols import Instrument


def sentry_of(
    profile: Profile,
    campaign: Campaign,
    instrument: Instrument,
    ledger: Ledger,
    report: Callable[[str, str], object],
    progress: Callable[[float], object],
) -> Sentry | None:
    """The sentinels of a sample as far as it was measured; None for a profile without conditions.

    Nothing can be held there, and nothing flagged would reach anybody.
    """
    if profile.conditions is None:
        return None
    known = technique.named(campaign.job.sample.technique)
    sentry = Sentry(
        campaign,
        profile.section(known.name).motion,
        profile.conditions,
        report,
        progress=progress,
        can_prove=known.way(campaign.job).counter in instrument.devices,
    )
    flagged = flags_of_job(ledger, campaign.job.job_id)
    for words in sentry.recall(ledger):
        if words not in flagged:  # a daemon that is killed loses the message it has just received
            report("flag", words)
    return sentry


def waits_for(campaign: Campaign, sentry: Sentry | None) -> str:
    """Say whom or what the next exposure waits for; "" for nobody."""
    if campaign.needs_approval and not campaign.approved:
        return "waits for approval"
    return sentry.held() if sentry is not None else ""
