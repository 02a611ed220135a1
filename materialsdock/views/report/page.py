"""One job as one self-contained HTML page: no script, no request, light, dark and printable."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from materialsdock import technique
from materialsdock.formats.reading import sentences
from materialsdock.fusion.hybrid import in_report
from materialsdock.model import Outcome
from materialsdock.rendering import numbers
from materialsdock.rendering.plain_json import readable_json
from materialsdock.rendering.plain_page import write_page
from materialsdock.rendering.software import software
from materialsdock.rendering.svg import PALETTE
from materialsdock.views.explain import round_word
from materialsdock.views.report.figures import drawings
from materialsdock.views.report.summary import headline, summary_json

LAST_DECISIONS = 20


def write_report(outcome: Outcome, path: Path) -> Path:
    """Write the report of one job to `path`, whole or not at all, and return `path`.

    The same outcome gives the same bytes, as long as the software is the same.
    Raises InputError when the file cannot be written.
    """
    return write_page(render_report(outcome), path)


def render_report(outcome: Outcome) -> str:
    """The report of one job as HTML text: the page of all jobs with the blocks of its technique."""
    template: Path = technique.named(outcome.job.sample.technique).report().TEMPLATE
    environment = _environment(template.parent)
    return environment.get_template(f"technique/{template.name}").render(_context(outcome))


@cache
def _environment(folder: Path) -> jinja2.Environment:
    """The templates of all jobs and those of a technique in `folder`, compiled once."""
    folders = {"job": Path(__file__).parent, "technique": folder}
    loaders = {name: jinja2.FileSystemLoader(folder) for name, folder in folders.items()}
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": numbers.count,
        "fixed": numbers.fixed,
        "duration": numbers.duration,
    }
    environment.globals["with_esd"] = numbers.with_esd
    return environment


def _context(outcome: Outcome) -> dict[str, Any]:
    summary = summary_json(outcome)
    own = technique.named(outcome.job.sample.technique)
    return {
        "job": outcome.job,
        "title": own.title,
        "summary": summary,
        "headline": headline(outcome),
        "violations": summary.get("violations", []),
        "warnings": summary.get("warnings", []),
        "fused": Markup(in_report.block(outcome)),
        "read_as": sentences(outcome.job.settings.get("reading", {})),
        "drawings": [(d.title, d.caption, Markup(d.svg)) for d in drawings(outcome)],
        "decisions": outcome.decisions[-LAST_DECISIONS:],
        "decisions_total": len(outcome.decisions),
        "round_word": round_word(outcome.decisions),
        "unit": own.symbol,
        "palette": PALETTE,
        "versions": software(),
        "settings": readable_json(outcome.job.settings),
        **own.report().context(outcome),
    }
