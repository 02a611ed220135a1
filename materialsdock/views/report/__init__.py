"""The report that a person reads in the morning: one HTML page per job, its numbers as JSON."""

from __future__ import annotations

from materialsdock.rendering.numbers import with_esd
from materialsdock.views.report.page import write_report
from materialsdock.views.report.summary import headline, summary_json
from materialsdock.views.report.words import overview

__all__ = ["headline", "overview", "summary_json", "with_esd", "write_report"]
