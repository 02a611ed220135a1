"""Energies in the report of a job: as JSON, as lines of text, as a block of its page."""

from __future__ import annotations

from typing import Any

from markupsafe import escape

from materialsdock.fusion.hybrid.page import hybrid_block
from materialsdock.fusion.hybrid.pareto import HYBRID, hybrid_json, hybrid_of
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Outcome


def summary(outcome: Outcome) -> dict[str, Any]:
    """The Pareto set, why there is none, or None where none was wanted; {} without a pattern."""
    if not isinstance(outcome.measured, Pattern):
        return {}
    found = hybrid_of(outcome)
    if found is not None:
        return {HYBRID: hybrid_json(found)}
    missing = _missing(outcome)
    return {HYBRID: None if missing is None else {"missing": missing}}


def lines(outcome: Outcome) -> list[str]:
    """Return, as lines of text, what the Pareto set says first, or why there is none."""
    found = hybrid_of(outcome)
    if found is not None:
        return [f"  fit and energy: {found.sentences[0]}"]
    missing = _missing(outcome)
    return [] if missing is None else [f"  energies were not computed: {missing}"]


def block(outcome: Outcome) -> str:
    """The section of the page as HTML, a note where energies are missing, or nothing."""
    found = hybrid_of(outcome)
    if found is not None:
        return hybrid_block(found)
    if missing := _missing(outcome):
        return f'  <p class="note">Fit and energy were not compared: {escape(missing)}.</p>'
    return ""


def _missing(outcome: Outcome) -> str | None:
    missing: str | None = outcome.summary.get("hybrid_missing")
    return missing
