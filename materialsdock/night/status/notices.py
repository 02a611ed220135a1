"""Notifies people who are not there, over Apprise: alarms at once, a digest when the night is over.

A turn sends all that is new in the night's log as one message and only then moves its cursor, so
that what could not be sent is in the next one; nothing here ever holds up the daemon.
"""

from __future__ import annotations

import logging
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError, MaterialsDockError, Unreachable
from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.night_log import Noted, Severity, any_sample_changed_after, last_seq
from materialsdock.night.queue import queue
from materialsdock.night.status import long_holds
from materialsdock.night.status.digest import alarm_line, digest, listed, words_of
from materialsdock.profile.sections import NightSettings

log = logging.getLogger(__name__)
TURN_S = 2.0
SEND_S = 30.0
REPEAT_S = 600.0
CALM_S = 20.0  # so long the queue must be empty before the night is called over
BACK_OFF_S = (5.0, 15.0, 60.0, 300.0)
ALIVE_HOUR = 8
WAITING = ("queued", "measuring", "measured", "analysing")
ORDER: tuple[Severity, ...] = ("info", "warn", "critical")
Send = Callable[[str, str, Severity], int]


@dataclass(frozen=True)
class Message:
    """A message to people: one title, its text, and the worst severity in it."""

    title: str
    text: str
    severity: Severity


def urls(path: Path) -> list[str]:
    """The Apprise URLs in a file, one a line, # begins a remark.

    Raises InputError for a file that others may read, or one with no URL that Apprise knows; the
    URLs themselves are secrets and are in no error.
    """
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its records may show URLs
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(
            f"has mode {stat.S_IMODE(mode):o}: others may read its secrets",
            where=str(path),
            remedy=f"chmod 600 {path}",
        )
    numbered = enumerate((line.strip() for line in text.splitlines()), 1)
    found = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if bad := [str(number) for number, line in found if not Apprise.instantiate(line)]:
        raise InputError(f"no Apprise URL in line {', '.join(bad)}", where=str(path))
    if not found:
        raise InputError("no URL in it", where=str(path), remedy="one Apprise URL per line")
    return [line for _, line in found]


def apprise_from(path: Path) -> Send:
    """Sends to all URLs in the file, which is read anew each time, so that it can be mended.

    What it gives says how many of them did not take it; Unreachable when none did.
    """

    def send(title: str, text: str, severity: Severity) -> int:
        from apprise import Apprise, NotifyType

        kind = {"info": NotifyType.INFO, "warn": NotifyType.WARNING}
        services = Apprise()
        for url in urls(path):
            services.add(url)
        said = services.notify(
            text, title, notify_type=kind.get(severity, NotifyType.FAILURE), timeout=SEND_S
        )
        if not any(said):
            raise Unreachable("no notice could be delivered", where=str(path))
        return sum(not each for each in said)

    return send


def told(line: Noted) -> bool:
    """Return True if a line of the log is worth a message: alarms, and how samples ended."""
    if line.severity != "info" or line.kind == long_holds.OVER:
        return True
    return line.kind == "sample" and line.body["to"] in ("done", "done_with_warnings", "cancelled")


def quiet(hour: int, hours: tuple[int, int] | None) -> bool:
    """Return True if `hour` (0 to 23) is in the quiet hours [from, to), which may span midnight."""
    if hours is None:
        return False
    first, last = hours
    return first <= hour < last if first <= last else hour >= first or hour < last


def key(line: Noted) -> tuple[Any, ...]:
    """Return the key of a line; people hear of lines of one key once in a while only."""
    return line.kind, line.sample_id, line.body.get("to")


def message(lines: Sequence[Noted], instrument: str) -> Message:
    """One message of several lines, the worst first."""
    worst = max((line.severity for line in lines), key=ORDER.index)
    ordered = sorted(lines, key=lambda line: -ORDER.index(line.severity))
    words = [
        alarm_line(n) if n.severity != "info" else f"{n.sample_id}: {words_of(n)}" for n in ordered
    ]
    first = ordered[0]
    about = f" {first.sample_id}" if first.sample_id else ""
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return Message(
        f"{instrument}: {worst}: {first.kind}{about}{more}", "\n".join(listed(words)), worst
    )


class Notices:
    """The cursor in the night's log, and what was sent lately; `clock` and `steady` are for tests.

    A thread of its own calls `turn`; failures are tried again later and later, and noted once.
    """

    def __init__(
        self,
        ledger: Ledger,
        data: DataDirectory,
        night: NightSettings,
        send: Send,
        *,
        instrument: str = "materialsdock",
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger, self.data, self.night, self.send = ledger, data, night, send
        self.instrument, self._clock, self._steady = instrument, clock, steady
        self._sent: dict[tuple[Any, ...], float] = {}
        self._failures, self._empty_since, self._lame = 0, steady(), 0
        if fact(ledger, "noticed") is None:  # what was before there were notices is no news
            set_fact(ledger, "noticed", last_seq(self.ledger))
            set_fact(ledger, "digested", {"seq": last_seq(self.ledger)})

    def turn(self) -> float:
        """Send what is due; how long to rest before the next turn [s]."""
        try:
            self._tell_new()
            self._tell_digest()
            self._tell_alive()
        except MaterialsDockError as fault:
            return self._failed(fault)
        if self._failures:
            self._failures = 0
            queue.note(self.ledger, "notifier", {"state": "delivers again"})
        return TURN_S

    def _failed(self, fault: MaterialsDockError) -> float:
        self._failures += 1
        if self._failures == 1:
            log.warning("notices: %s", fault)
            body = {"state": "notices are not delivered", "fault": str(fault)}
            queue.note(self.ledger, "notifier", body, severity="warn")
        return BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]

    @property
    def _hour(self) -> int:
        return time.localtime(self._clock()).tm_hour

    @property
    def _today(self) -> str:
        return time.strftime("%Y-%m-%d", time.localtime(self._clock()))

    def _tell_new(self) -> None:
        cursor = int(fact(self.ledger, "noticed") or 0)
        lines = queue.log(self.ledger, cursor)
        if not lines:
            return
        now, is_quiet = self._steady(), quiet(self._hour, self.night.quiet_hours)
        fresh: dict[tuple[Any, ...], Noted] = {}
        for line in filter(told, lines):
            if line.severity == "info" and is_quiet:
                continue  # the digest has it
            if now - self._sent.get(key(line), -REPEAT_S) >= REPEAT_S:
                fresh.setdefault(key(line), line)
        if fresh:
            self._deliver(message(list(fresh.values()), self.instrument))
            self._sent |= dict.fromkeys(fresh, now)
        set_fact(self.ledger, "noticed", lines[-1].seq)

    def _deliver(self, what: Message) -> None:
        lame, self._lame = self._lame, self.send(what.title, what.text, what.severity)
        if self._lame and not lame:
            body = {"state": f"{self._lame} of the services in the notify file take no notices"}
            queue.note(self.ledger, "notifier", body, severity="warn")

    def _digest_due(self, last: Mapping[str, Any]) -> bool:
        if self.night.digest_hour is not None:
            return last.get("day") != self._today and self._hour >= self.night.digest_hour
        counts = queue.counts(self.ledger)
        if any(counts.get(state) for state in WAITING):
            self._empty_since = self._steady()
        if self._steady() - self._empty_since < CALM_S:
            return False
        return any_sample_changed_after(self.ledger, int(last["seq"]))

    def _tell_digest(self) -> None:
        """Send the digest once the queue has been empty for a while, or each day at its hour."""
        last = fact(self.ledger, "digested") or {"seq": 0}
        if not self._digest_due(last):
            return
        newest, found = last_seq(self.ledger), digest(self.ledger, self.data, int(last["seq"]))
        if found.ended or self.night.digest_hour is not None:
            self._deliver(Message(f"{self.instrument}: {found.title}", found.text(), "info"))
        set_fact(self.ledger, "digested", {"seq": newest, "day": self._today})

    def _tell_alive(self) -> None:
        """Send a sign of life once a day: whoever gets none knows that something is wrong."""
        hour = self.night.digest_hour if self.night.digest_hour is not None else ALIVE_HOUR
        if fact(self.ledger, "alive") == self._today or self._hour < hour:
            return
        if quiet(self._hour, self.night.quiet_hours):
            return
        counts = ", ".join(f"{n} {state}" for state, n in queue.counts(self.ledger).items())
        self._deliver(Message(f"{self.instrument}: alive", counts or "no samples", "info"))
        set_fact(self.ledger, "alive", self._today)


def run(notices: Notices, ended: threading.Event) -> None:
    """Turn until `ended`; a ledger that cannot be written is waited for like everything else."""
    rest = 0.0
    while not ended.wait(rest):
        try:
            rest = notices.turn()
        except MaterialsDockError as fault:
            log.warning("notices: %s", fault)
            rest = BACK_OFF_S[-1]
