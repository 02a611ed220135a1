"""An outcome in a few lines for a terminal."""

from __future__ import annotations

from materialsdock import technique
from materialsdock.formats.reading import sentences
from materialsdock.fusion.hybrid import in_report
from materialsdock.model import Outcome
from materialsdock.rendering.numbers import duration
from materialsdock.views.report.summary import headline


def overview(outcome: Outcome) -> str:
    """Say what was measured, in how much of the time, why it ended, and what it is."""
    lines = [headline(outcome), *_time(outcome)]
    if plan := outcome.summary.get("plan"):
        lines.append(f"  plan: {plan}")
    lines += [f"  {each}" for each in sentences(outcome.job.settings.get("reading", {}))]
    lines += technique.named(outcome.job.sample.technique).report().lines(outcome)
    return "\n".join([*lines, *in_report.lines(outcome)])


def _time(outcome: Outcome) -> list[str]:
    spent = outcome.summary.get("seconds_measured")
    full = outcome.summary.get("seconds_full_scan")
    if spent is None or full is None:
        return []
    return [f"  instrument time {duration(spent)}, a full scan takes {duration(full)}"]
