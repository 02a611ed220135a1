"""`%load_ext materialsdock`: the running night as `md` in IPython and notebooks.

Everything goes over the ledger, as the command line does; no process is driven from here.
"""

from __future__ import annotations

import html
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.ledger.outcomes import outcome_of
from materialsdock.model import Outcome
from materialsdock.night import people
from materialsdock.night.control import intents
from materialsdock.night.queue import queue
from materialsdock.night.status import terminal
from materialsdock.night.status.digest import alarm_line
from materialsdock.night.status.snapshot import Row, Status

NAME = "md"
DATA = Path("materialsdock-data")
WIDTH = 120


def _drawn(what: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=WIDTH, highlight=False).print(what)
    return out.getvalue().rstrip()


def _cells(words: Sequence[object], tag: str = "td") -> str:
    told = ("" if word is None else html.escape(str(word)) for word in words)
    return "<tr>" + "".join(f"<{tag} style='text-align:left'>{w}</{tag}>" for w in told) + "</tr>"


def _rows_html(rows: Sequence[Row]) -> str:
    heads = ("", "id", "name", "recipe", "at", "owner", "state", "why")
    lines = [
        _cells([r.place, r.sample_id, r.name, r.recipe, r.position, r.owner, r.state, r.reason])
        for r in rows
    ]
    return f"<table>{_cells(heads, 'th')}{''.join(lines)}</table>"


@dataclass(frozen=True)
class Answer:
    """An answer: words for people, and `body` for programs."""

    words: str
    body: Mapping[str, Any]

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.words)}</p>"


@dataclass(frozen=True)
class StatusCard:
    """A card that shows what the night does at one moment; `now` for programs."""

    now: Status

    def __repr__(self) -> str:
        return _drawn(terminal.view(self.now))

    def _repr_html_(self) -> str:
        stale = f"<p><b>STALE: {html.escape(', '.join(self.now.stale))}</b></p>"
        facts = "".join(_cells(line) for line in terminal.told(self.now))
        lines = [alarm_line(a) for a in self.now.alarms[-terminal.LATEST :]]
        alarms = f"<pre>{html.escape(chr(10).join(lines))}</pre>" if lines else ""
        rows = _rows_html(terminal.ordered(self.now.rows)[: terminal.LISTED])
        return f"{stale if self.now.stale else ''}<table>{facts}</table>{alarms}{rows}"


@dataclass(frozen=True)
class QueueCard:
    """The queue of a data folder: shows itself, and changes as `materialsdock queue` does."""

    data: Path

    @property
    def rows(self) -> tuple[Row, ...]:
        """All samples in the order they are measured."""
        return people.snapshot(self.data).rows

    def __repr__(self) -> str:
        return _drawn(terminal.table(self.rows, everything=True))

    def _repr_html_(self) -> str:
        return _rows_html(self.rows)

    def move(self, sample_id: str, place: int) -> Answer:
        """Put a waiting sample at a place, 1 is next."""
        return self._changed("move", (sample_id,), place=place)

    def hold(self, *sample_ids: str, reason: str = "") -> Answer:
        """Set waiting samples aside."""
        return self._changed("hold", sample_ids, reason=reason)

    def retry(self, *sample_ids: str, reason: str = "") -> Answer:
        """Measure held samples; analyse failed or finished ones again."""
        return self._changed("retry", sample_ids, reason=reason)

    def rm(self, *sample_ids: str, reason: str = "") -> Answer:
        """Cancel samples that wait or are held."""
        return self._changed("rm", sample_ids, reason=reason)

    def approve(self, *sample_ids: str) -> Answer:
        """Let submitted samples be measured."""
        return self._changed("approve", sample_ids)

    def _changed(self, verb: str, ids: Sequence[str], **more: Any) -> Answer:
        body = people.change(self.data, verb, ids, **more)
        return Answer(people.changed(body), body)


@dataclass(frozen=True)
class Results:
    """The results of one sample, and the page that shows them."""

    sample_id: str
    outcome: Outcome
    report: Path

    def __repr__(self) -> str:
        from materialsdock.views.report import overview

        return f"{overview(self.outcome)}\nreport: {self.report}"

    def _repr_html_(self) -> str:
        from materialsdock.views.report import overview

        link = f"<a href='{html.escape(self.report.as_uri(), quote=True)}'>report</a>"
        return f"<pre>{html.escape(overview(self.outcome))}</pre>{link}"


class NightMagic:
    """The night of one data folder: `md.status()`, `md.queue`, `md.results("S012")`, ..."""

    def __init__(
        self, data: Path | str = DATA, profile: str = "sim", site: Path | None = None
    ) -> None:
        self.data, self.profile, self.site = Path(data), profile, site

    def __repr__(self) -> str:
        verbs = "status() queue submit(sheet) results(id) pause() resume() stop() abort(id)"
        more = "hold() release() veto() force() change() approve() at(folder)"
        return f"the night of {self.data.resolve()}: {verbs} {more}"

    def at(self, data: Path | str) -> NightMagic:
        """The night of another data folder."""
        return NightMagic(data, self.profile, self.site)

    def status(self) -> StatusCard:
        """Show what the night does now."""
        return StatusCard(people.snapshot(self.data))

    @property
    def queue(self) -> QueueCard:
        """The samples that wait, and what can be done with them."""
        return QueueCard(self.data)

    def submit(self, sheet: Path | str) -> Answer:
        """Queue the samples of a sheet, all or none."""
        body = people.submit(Path(sheet), self.profile, self.site, self.data)
        return Answer(people.submitted(body), body)

    def results(self, sample_id: str) -> Results:
        """Outcome and report of a finished sample; Refused while there is none."""
        with people.opened(self.data) as (data, ledger):
            job_id = queue.sample(ledger, sample_id).job_id
            if job_id is None:
                raise InputError("has not been measured", where=sample_id)
            page = (data.reports / f"{job_id}.html").resolve()
            return Results(sample_id, outcome_of(ledger, job_id), page)

    def pause(self, reason: str = "") -> Answer:
        """Pause at the next point."""
        return self._asked("pause", reason=reason)

    def resume(self) -> Answer:
        """Go on after a pause."""
        return self._asked("resume")

    def stop(self, reason: str = "") -> Answer:
        """End this sample after its point and analyse it."""
        return self._asked("stop", reason=reason)

    def abort(self, sample_id: str, reason: str = "") -> Answer:
        """End this sample now and hold it; named, so that it is never another one."""
        answer = people.ask(self.data, "abort", {"reason": reason}, only=sample_id)
        return Answer(people.said(answer), answer)

    def hold(self, reason: str = "") -> Answer:
        """Begin no further sample."""
        return self._asked("hold_queue", reason=reason)

    def release(self) -> Answer:
        """Begin samples again."""
        return self._asked("release_queue")

    def veto(self, low: float, high: float | None = None, reason: str = "") -> Answer:
        """Never measure a position [unit of the axis], or an interval, of this sample."""
        where = {"x": low} if high is None else {"low": low, "high": high}
        return self._asked("veto", **where, reason=reason)

    def force(self, x: float, reason: str = "") -> Answer:
        """Measure this position [unit of the axis] next."""
        return self._asked("force", x=x, reason=reason)

    def change(self, reason: str = "", **settings: Any) -> Answer:
        """Change when this sample stops, e.g. change(maximum_points=80)."""
        return self._asked("change", changes=settings, reason=reason)

    def approve(self) -> Answer:
        """Let the proposed point be measured."""
        return self._asked("approve")

    def _asked(self, verb: intents.Verb, **details: Any) -> Answer:
        answer = people.ask(self.data, verb, details)
        return Answer(people.said(answer), answer)


def load(shell: Any) -> None:
    """Put `md` into an IPython shell; of the session's data folder where there is a session."""
    session = shell.user_ns.get("session")
    data = getattr(getattr(session, "data", None), "path", DATA)
    name = getattr(getattr(session, "profile", None), "name", "sim")
    shell.push({NAME: NightMagic(data, name)})
    shell.set_custom_exc((MaterialsDockError,), _told)


def _told(
    shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None
) -> None:
    """Print a refusal as a sentence, as on the command line, and without a traceback."""
    print(f"{kind.__name__}: {error}", file=sys.stderr)


def unload(shell: Any) -> None:
    """Take it away again, unless something else has its name by now."""
    shell.set_custom_exc((), None)
    if isinstance(shell.user_ns.get(NAME), NightMagic):
        shell.drop_by_id({NAME: shell.user_ns[NAME]})
