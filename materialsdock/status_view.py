"""The status of a night for people: a table, a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from materialsdock.errors import LedgerFault
from materialsdock.night.digest import alarm_line
from materialsdock.night.eta import Finish
from materialsdock.night.status import Current, Pulse, Row, Status

STYLES = {"running": "green", "ready": "green", "fault": "bold red", "offline": "bold red",
          "aborting": "bold red", "holding": "yellow", "paused": "yellow", "stopping": "yellow",
          "critical": "bold red", "warn": "yellow", "held": "yellow", "failed": "red"}  # fmt: skip
LISTED, LATEST = 30, 5
NEXT_TO = ("measuring", "analysing", "measured", "held", "failed", "queued", "submitted")
WIDTH = 140


def shown(words: object, style: str = "") -> Text:
    """Words as they are: no markup, and nothing in them that a terminal would obey."""
    return Text("".join(c if c.isprintable() else "?" for c in str(words)), style)


def seconds(value: float | None) -> str:
    """A duration for people: 4.2 s, 12 min, 3 h 05 min."""
    if value is None:
        return "–"
    if value < 100:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def sample_line(now: Current) -> str:
    """The sample in the beam."""
    stop = "λ –" if now.lambda_t is None else f"λ {now.lambda_t:.4g}"
    if now.threshold is not None:
        stop += f" → {now.threshold:.4g}"
    step = "no step yet" if now.step is None else f"step {now.step + 1}"
    counted = f"{seconds(now.seconds_measured)} of instrument time"
    last = seconds(now.last_event_age_s)
    who = f"{now.name} ({now.sample_id})" if now.name != now.sample_id else now.sample_id
    words = [who, now.recipe, step, f"{now.points} points", stop, counted, f"last event {last} ago"]
    return ", ".join(filter(None, words))


def finish_line(finish: Finish | None, at: float) -> str:
    """When all will be done; an estimate is never shown without its spread."""
    if finish is None:
        return "nothing waits"
    if finish.p50_s is None or finish.p90_s is None:
        return f"{finish.samples} samples left; no estimate before one of their kind has finished"
    when = [time.strftime("%a %H:%M", time.localtime(at + s)) for s in (finish.p50_s, finish.p90_s)]
    left = f"{seconds(finish.p50_s)} to {seconds(finish.p90_s)}"
    return f"{finish.samples} samples left: {left} (P50 {when[0]}, P90 {when[1]})"


def pulse_line(pulses: tuple[Pulse, ...]) -> str:
    """The processes of the night."""
    words = []
    for p in pulses:
        state = "not running" if not p.alive else p.phase
        age = f" {seconds(p.age_s)} ago" if p.alive else ""
        words.append(f"{p.role} {state}{age}" + (" STALE" if p.alive and p.stale else ""))
    return ", ".join(words)


def told(now: Status) -> Iterator[tuple[str, str]]:
    """What the view says, line by line: its head and its words."""
    yield "state", now.daemon + (f": {now.reason}" if now.reason else "")
    if now.hold is not None and now.hold != now.reason:
        yield "queue held", now.hold
    if now.current is not None:
        yield "in the beam", sample_line(now.current)
    yield "finish", finish_line(now.finish, now.at)
    yield "samples", ", ".join(f"{n} {state}" for state, n in now.counts.items()) or "none"
    held = now.lease
    yield "control", f"{held['holder']} for {seconds(held['left_s'])}" if held else "nobody"
    yield "processes", pulse_line(now.pulses)
    yield "disk", f"{now.disk_free_bytes / 1e9:.1f} GB free"


def plain(now: Status) -> str:
    """One line, for where there is no terminal."""
    words = [f"{head}: {said}" for head, said in told(now) if head in ("state", "in the beam")]
    counts = ", ".join(f"{n} {state}" for state, n in now.counts.items())
    stale = f"STALE: {', '.join(now.stale)}" if now.stale else ""
    return "; ".join(filter(None, [stale, *words, counts, f"{len(now.alarms)} alarms"]))


def ordered(rows: tuple[Row, ...]) -> list[Row]:
    """Rows worth a place in the view: in the beam first, then what needs a person, then waiting."""
    active = [row for row in rows if row.state in NEXT_TO]
    return sorted(active, key=lambda row: NEXT_TO.index(row.state))


def table(rows: tuple[Row, ...], *, everything: bool = False) -> Table:
    """The queue by names."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("", "id", "name", "recipe", "at", "owner", "state", "why"):
        found.add_column(head, overflow="ellipsis", no_wrap=head != "why")
    listed = list(rows) if everything else ordered(rows)
    for row in listed if everything else listed[:LISTED]:
        words = [row.place or "", row.sample_id, row.name, row.recipe, row.position, row.owner]
        cells = [shown("" if word is None else word) for word in words]
        found.add_row(*cells, shown(row.state, STYLES.get(row.state, "")), shown(row.reason))
    if len(listed) > LISTED and not everything:
        found.add_row("", shown(f"and {len(listed) - LISTED} more"))
    return found


def view(now: Status, stale: str = "") -> Group:
    """All of it; `stale` says why it may no longer be true."""
    parts: list[Any] = []
    if why := "; ".join(filter(None, [stale, *now.stale])):
        parts.append(shown(f"STALE: {why}", "bold white on red"))
    facts = Table.grid(padding=(0, 2))
    for head, said in told(now):
        style = STYLES.get(now.daemon, "") if head == "state" else ""
        facts.add_row(Text(head, "bold"), shown(said, style))
    parts += [facts, Text(), table(now.rows)]
    parts += [shown(alarm_line(a), STYLES[a.severity]) for a in now.alarms[-LATEST:]]
    return Group(*parts)


def console() -> Console:
    """Standard output; wide where it is no terminal, so that nothing is cut."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def watch(
    read: Callable[[], Status],
    out: Console,
    *,
    every_s: float = 0.5,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Show the status until Ctrl-C; what can no longer be read is said to be stale."""
    with contextlib.suppress(KeyboardInterrupt):
        (_live if out.is_terminal else _lines)(read, out, every_s, go_on)


def _live(
    read: Callable[[], Status], out: Console, every_s: float, go_on: Callable[[], bool]
) -> None:
    now, fresh = read(), time.monotonic()
    with Live(view(now), console=out, auto_refresh=False) as live:
        while go_on():
            stale = ""
            try:
                now, fresh = read(), time.monotonic()
            except LedgerFault as fault:
                stale = f"for {time.monotonic() - fresh:.0f} s, {fault}"
            live.update(view(now, stale), refresh=True)
            time.sleep(every_s)


def _lines(
    read: Callable[[], Status], out: Console, every_s: float, go_on: Callable[[], bool]
) -> None:
    """A line whenever something other than an age has changed."""
    before: Any = None
    while go_on():
        known: Any
        try:
            now = read()
        except LedgerFault as fault:
            known, line = str(fault), f"STALE: {fault}"
        else:
            known = (now.daemon, now.reason, dict(now.counts), now.points, bool(now.stale))
            line = plain(now)
        if known != before:
            out.print(shown(line), soft_wrap=True)
            before = known
        time.sleep(every_s)


def json_lines(
    read: Callable[[], Status],
    out: Console,
    *,
    every_s: float = 0.5,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """One JSON object a line until Ctrl-C; an error in place of what cannot be read."""
    with contextlib.suppress(KeyboardInterrupt):
        while go_on():
            try:
                said = read().as_dict()
            except LedgerFault as fault:
                said = {"error": fault.as_dict(), "stale": [str(fault)]}
            out.file.write(json.dumps(said) + "\n")
            out.file.flush()
            time.sleep(every_s)
