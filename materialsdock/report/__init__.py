"""What a person reads in the morning: one HTML page per job, and its numbers as JSON."""

from __future__ import annotations

from materialsdock.report.numbers import with_esd
from materialsdock.report.page import write_report
from materialsdock.report.summary import headline, summary_json
from materialsdock.report.words import overview

__all__ = ["headline", "overview", "summary_json", "with_esd", "write_report"]
