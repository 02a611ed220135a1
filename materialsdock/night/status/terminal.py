"""The status of a night for people: a table, a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from materialsdock.errors import LedgerFault
from materialsdock.night.status.digest import alarm_line
from materialsdock.night.status.snapshot import Current, Row, Status
from materialsdock.night.status.state import Pulse
from materialsdock.rendering.numbers import many

STYLES = {
    "running": "green",
    "ready": "green",
    "fault": "bold red",
    "offline": "bold red",
    "aborting": "bold red",
    "holding": "yellow",
    "paused": "yellow",
    "stopping": "yellow",
    "critical": "bold red",
    "warn": "yellow",
    "held": "yellow",
    "failed": "red",
}
LISTED, LATEST = 30, 5
HEADS = ("", "id", "name", "recipe", "at", "owner", "state", "why")
MANY = 300  # rows, from which a table is not drawn
NEXT_TO = ("measuring", "analysing", "measured", "held", "failed", "queued", "submitted")
WIDTH = 140
WAITING = "held samples go on, failed ones are analysed again by `materialsdock queue retry ID`"
COUNTED = (
    "measuring",
    "analysing",
    "measured",
    "queued",
    "submitted",
    "held",
    "failed",
    "done",
    "done_with_warnings",
    "cancelled",
)


def shown(words: object, style: str = "") -> Text:
    """Words as they are: no markup, and nothing in them that a terminal would obey."""
    return Text(_printable(str(words)), style)


def _printable(words: str) -> str:
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() else "?" for c in words)


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
    stop = "" if now.lambda_t is None else f"λ {now.lambda_t:.3g}"
    if stop and now.threshold is not None:
        stop += f" (stops at {now.threshold:.3g})"
    step = "no step yet" if now.step is None else f"step {now.step + 1}"
    counted = f"{seconds(now.seconds_measured)} of instrument time"
    age = now.last_event_age_s
    last = "no event yet" if age is None else f"last event {seconds(age)} ago"
    who = f"{now.name} ({now.sample_id})" if now.name != now.sample_id else now.sample_id
    words = [who, now.recipe, step, many(now.points, "point"), stop, counted, last]
    return ", ".join(filter(None, words))


def finish_line(now: Status) -> str:
    """Say when all will be done; an estimate is never shown without its spread."""
    finish = now.finish
    if finish is None:
        waits = now.counts.get("submitted", 0)
        approve = f"{many(waits, 'sample')} to approve: `materialsdock queue approve ID`, or --all"
        return approve if waits else "nothing waits"
    left = many(finish.samples, "sample")
    if finish.p50_s is None or finish.p90_s is None:
        return f"{left} left; no estimate until one with the same recipe has finished"
    ends = (finish.p50_s, finish.p90_s)
    when = [time.strftime("%a %H:%M", time.localtime(now.at + s)) for s in ends]
    said = f"{left} left: {seconds(ends[0])} to {seconds(ends[1])} (P50 {when[0]}, P90 {when[1]})"
    stands = now.hold is not None or now.daemon not in ("running", "ready")
    return f"{said}, if it went on now" if stands else said


def counts_line(now: Status) -> str:
    """Count the samples in each state, those first that are nearest to their end."""
    known = sorted(now.counts.items(), key=lambda item: COUNTED.index(item[0]))
    return ", ".join(f"{n} {plainly(state)}" for state, n in known)


def plainly(state: str) -> str:
    """A state's name as people write it."""
    return state.replace("_", " ")


def pulse_line(pulses: tuple[Pulse, ...]) -> str:
    """The processes of the night."""
    words = []
    for p in pulses:
        state = "not running" if not p.alive else p.phase
        age = f" (heartbeat {seconds(p.age_s)} ago)" if p.alive else ""
        words.append(f"{p.role} {state}{age}" + (" STALE" if p.alive and p.stale else ""))
    return ", ".join(words)


def told(now: Status) -> Iterator[tuple[str, str]]:
    """Yield the view line by line: its head and its words."""
    yield "state", now.daemon + (f": {now.reason}" if now.reason else "")
    if now.hold is not None and now.hold != now.reason:
        yield "queue held", now.hold
    if now.current is not None:
        yield "in the beam", sample_line(now.current)
        if now.current.missing:
            yield "not stopping yet", now.current.missing
    yield "finish", finish_line(now)
    yield "samples", counts_line(now) or "none"
    held = now.lease
    yield "control", f"{held['holder']} for {seconds(held['left_s'])}" if held else "nobody"
    yield "processes", pulse_line(now.pulses)
    yield "disk", f"{now.disk_free_bytes / 1e9:.1f} GB free"


def plain(now: Status) -> str:
    """One line, for where there is no terminal."""
    words = [f"{head}: {said}" for head, said in told(now) if head in ("state", "in the beam")]
    stale = f"STALE: {', '.join(now.stale)}" if now.stale else ""
    alarms = many(len(now.alarms), "alarm")
    return "; ".join(filter(None, [stale, *words, counts_line(now), alarms]))


def ordered(rows: tuple[Row, ...]) -> list[Row]:
    """Rows worth a place in the view: in the beam first, then what needs a person, then waiting."""
    active = [row for row in rows if row.state in NEXT_TO]
    return sorted(active, key=lambda row: NEXT_TO.index(row.state))


def table(rows: tuple[Row, ...], *, everything: bool = False, most: int = LISTED) -> Table:
    """The queue by names."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for head in HEADS:
        found.add_column(head, overflow="ellipsis", no_wrap=head != "why")
    listed = list(rows) if everything else ordered(rows)
    for row in listed if everything else listed[:most]:
        words = [row.place or "", row.sample_id, row.name, row.recipe, row.position, row.owner]
        cells = [shown("" if word is None else word) for word in words]
        found.add_row(
            *cells, shown(plainly(row.state), STYLES.get(row.state, "")), shown(row.reason)
        )
    if len(listed) > most and not everything:
        found.add_row("", shown(f"and {len(listed) - most} more"))
    return found


def lines(rows: tuple[Row, ...]) -> Iterator[str]:
    """The whole queue as plain columns: a table of thousands takes seconds to draw."""
    cells = [
        [
            "" if word is None else _printable(str(word))
            for word in (r.place, r.sample_id, r.name, r.recipe, r.position, r.owner)
        ]
        + [plainly(r.state), _printable(r.reason)]
        for r in rows
    ]
    cells = [list(HEADS), *cells]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(HEADS))]
    for row in cells:
        padded = (set_cell_size(cell, w) for cell, w in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def view(now: Status, stale: str = "", *, most: int = LISTED) -> Group:
    """All of it; `stale` says why it may no longer be true, `most` samples are listed.

    The alarms come before the samples: a terminal cuts off what is below its end.
    """
    parts: list[Any] = []
    if why := "; ".join(filter(None, [stale, *now.stale])):
        parts.append(shown(f"STALE: {why}", "bold white on red"))
    facts = Table.grid(padding=(0, 2))
    for head, said in told(now):
        style = STYLES.get(now.daemon, "") if head == "state" else ""
        facts.add_row(Text(head, "bold"), shown(said, style))
    parts.append(facts)
    if now.alarms:
        parts.append(Text(alarms_head(now), "bold"))
    parts += [shown(alarm_line(a), STYLES[a.severity]) for a in now.alarms[-LATEST:]]
    if ordered(now.rows):
        parts += [Text(), table(now.rows, most=most)]
        if now.counts.get("held") or now.counts.get("failed"):
            parts.append(Text(WAITING))
    elif now.rows:
        parts.append(Text("all samples: `materialsdock queue list`"))
    return Group(*parts)


def alarms_head(now: Status) -> str:
    """Head the alarms: they are of the past, what holds now is said in the state."""
    more = f", the last {LATEST} of {len(now.alarms)}" if len(now.alarms) > LATEST else ""
    return f"alarms since the night began{more} (`materialsdock log` has all)"


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
    with Live(view(now, most=room(now, out)), console=out, auto_refresh=False) as live:
        while go_on():
            stale = ""
            try:
                now, fresh = read(), time.monotonic()
            except LedgerFault as fault:
                stale = f"for {time.monotonic() - fresh:.0f} s, {fault}"
            live.update(view(now, stale, most=room(now, out)), refresh=True)
            time.sleep(every_s)


def room(now: Status, out: Console) -> int:
    """Return how many samples fit below the rest of the view, on a terminal of this height."""
    width = out.width - 14  # of the words beside their heads
    above = sum(1 + len(words) // max(1, width) for _, words in told(now))
    above += len(now.alarms[-LATEST:]) + 7  # heads, blank, stale, "and more", held
    return max(1, min(LISTED, out.height - above))


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
