"""Notices: who is told what and when; a notifier that fails; the digest of a night."""

from __future__ import annotations

import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.errors import InputError, Unreachable
from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.folder import DataDirectory
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import audit
from materialsdock.night.queue import queue
from materialsdock.night.status import notices, watchers
from materialsdock.night.status.digest import digest
from materialsdock.profile import config, siteroot
from materialsdock.profile.sections import NightSettings

NOON = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))
CANARY = "canary-5b1e"
# what Apprise's plugin for encrypted mail imports when the plugins are listed
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class Mailbox:
    """A local HTTP server that takes what Apprise posts, or refuses it."""

    def __init__(self):
        box = self
        self.got, self.status, self.hang_s = [], 200, 0.0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(box.hang_s)
                if box.status == 200:
                    box.got.append(json.loads(body))
                self.send_response(box.status)
                self.end_headers()

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"json://127.0.0.1:{self.server.server_port}/{CANARY}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def night(tmp_path):
    data = DataDirectory(tmp_path)
    with Ledger(data.ledger) as ledger:
        yield data, ledger


@pytest.fixture
def notify_file(tmp_path, mailbox):
    return written(tmp_path / "notify", mailbox.url)


def written(path, *urls, mode=0o600):
    path.write_text("\n".join(["# who is told", *urls]) + "\n")
    path.chmod(mode)
    return path


class Told:
    """Notices with a list in place of Apprise and clocks that a test turns."""

    def __init__(self, data, ledger, send=None, **options):
        self.wall, self.steady, self.sent, self.broken = NOON, 1000.0, [], False
        set_fact(ledger, "alive", time.strftime("%Y-%m-%d", time.localtime(NOON)))
        self.notices = notices.Notices(
            ledger,
            data,
            NightSettings(**options),
            send or self.take,
            clock=lambda: self.wall,
            steady=lambda: self.steady,
        )

    def take(self, title, text, severity):
        if self.broken:
            raise Unreachable("no notice could be delivered")
        self.sent.append((title, text, severity))
        return 0

    def turn(self, seconds=2.0):
        self.steady += seconds
        self.wall += seconds
        rest = self.notices.turn()
        told, self.sent = self.sent, []
        return rest, told


def measured(ledger, name, end="finish", reason=""):
    """Walk a sample of the queue through a whole measurement."""
    for event in ("claim", "measured", "analyse"):
        queue.advance(ledger, name, event)
    queue.advance(ledger, name, end, reason, severity="warn" if end == "fail" else "info")


def test_an_alarm_reaches_a_real_server(night, notify_file, mailbox):
    told = Told(*night, send=notices.apprise_from(notify_file))
    queue.note(
        night[1], "safe_state", {"why": "worker frozen"}, severity="critical", sample_id="S7"
    )
    assert told.turn()[0] == notices.TURN_S
    (post,) = mailbox.got
    assert post["type"] == "failure"
    assert post["title"] == "materialsdock: critical: safe_state S7"
    assert "worker frozen" in post["message"]


def test_what_the_guard_did_is_one_sentence(night):
    told = Told(*night)
    body = {"why": "worker 7 died while idle", "safe_state": "shutter closed and verified"}
    queue.note(night[1], "safe_state", {**body, "seconds": 0.0246107}, severity="warn")
    (message,) = told.turn()[1]
    said = "worker 7 died while idle; shutter closed and verified (0.02 s)"
    assert str(message).count(said) == 1


def test_what_happened_before_there_were_notices_is_no_news(night):
    queue.note(night[1], "orphan", {}, severity="warn")
    assert Told(*night).turn()[1] == []


def test_one_message_tells_all_that_is_new_the_worst_first(night):
    told = Told(*night)
    queue.note(night[1], "orphan", {"killed": 4}, severity="warn")
    queue.note(night[1], "disk_low", {"free_gb": 1.0}, severity="critical")
    queue.note(night[1], "condition", {"words": "no beam"})
    ((title, text, severity),) = told.turn()[1]
    assert (title, severity) == ("materialsdock: critical: disk_low and 1 more", "critical")
    assert text.index("disk_low") < text.index("orphan")
    assert "no beam" not in text
    assert told.turn()[1] == []


def test_the_same_about_the_same_sample_is_told_once_in_ten_minutes(night):
    told = Told(*night)
    for expected in (1, 0, 0):
        queue.note(night[1], "safe_state", {}, severity="warn", sample_id="S1")
        assert len(told.turn(200.0)[1]) == expected
    queue.note(night[1], "safe_state", {}, severity="warn", sample_id="S2")
    assert len(told.turn()[1]) == 1
    queue.note(night[1], "safe_state", {}, severity="warn", sample_id="S1")
    assert len(told.turn(200.0)[1]) == 1


def test_info_keeps_quiet_at_night_alarms_do_not(night):
    ledger = night[1]
    told = Told(*night, quiet_hours=(22, 7))
    told.wall += 11 * 3600  # 23:00
    queue.submit(ledger, [("S1", 0, {}), ("S2", 0, {})])
    measured(ledger, "S1")
    assert told.turn()[1] == []
    measured(ledger, "S2", "fail", "no fit")
    ((title, text, _),) = told.turn()[1]
    assert "sample S2" in title
    assert "no fit" in text


@given(st.integers(0, 23), st.integers(0, 23), st.integers(0, 23))
def test_quiet_hours_may_span_midnight(hour, first, last):
    hours = {(first + k) % 24 for k in range((last - first) % 24)}
    assert notices.quiet(hour, (first, last)) == (hour in hours)
    assert not notices.quiet(hour, None)


def test_a_failing_notifier_is_one_local_alarm_and_loses_nothing(night):
    ledger = night[1]
    told = Told(*night)
    told.broken = True
    queue.note(ledger, "disk_low", {}, severity="critical")
    rests = [told.turn()[0] for _ in range(6)]
    assert rests == [5.0, 15.0, 60.0, 300.0, 300.0, 300.0]
    assert [n.kind for n in queue.log(ledger)].count("notifier") == 1
    told.broken = False
    rest, ((_, text, _),) = told.turn()
    assert rest == notices.TURN_S
    assert "disk_low" in text
    assert "notices are not delivered" in text
    assert queue.log(ledger)[-1].body == {"state": "delivers again"}
    assert told.turn()[1] == []


def test_a_new_process_goes_on_where_the_last_one_was(night):
    told = Told(*night)
    told.broken = True
    queue.note(night[1], "disk_low", {}, severity="critical")
    told.turn()
    after = Told(*night)
    assert "disk_low" in after.turn()[1][0][1]
    assert Told(*night).turn()[1] == []


def test_a_server_that_refuses_is_a_failure_and_one_of_two_is_said(night, tmp_path, mailbox):
    other = Mailbox()
    try:
        told = Told(*night, send=notices.apprise_from(written(tmp_path / "n", mailbox.url)))
        mailbox.status = 500
        queue.note(night[1], "disk_low", {}, severity="critical")
        assert told.turn()[0] == 5.0
        written(tmp_path / "n", mailbox.url, other.url)  # mended while it runs
        assert told.turn()[0] == notices.TURN_S
        assert len(other.got) == 1
        words = [n.body["state"] for n in queue.log(night[1]) if n.kind == "notifier"]
        assert "1 of the services in the notify file take no notices" in words
    finally:
        other.close()


@pytest.mark.parametrize(
    ("urls", "mode", "said"),
    [
        ([], 0o600, "no URL"),
        (["json://127.0.0.1/x"], 0o644, "mode 644"),
        (["json://127.0.0.1/x", f"nonsense://{CANARY}"], 0o600, "line 3"),
    ],
)
def test_a_bad_notify_file_is_refused_without_its_secrets(tmp_path, urls, mode, said):
    with pytest.raises(InputError, match=said) as refused:
        notices.urls(written(tmp_path / "notify", *urls, mode=mode))
    assert CANARY not in str(refused.value)
    with pytest.raises(InputError, match="cannot be read"):
        notices.urls(tmp_path / "none")


def test_urls_are_never_logged(night, notify_file, mailbox, caplog):
    caplog.set_level(logging.DEBUG)
    mailbox.status = 500
    told = Told(*night, send=notices.apprise_from(notify_file))
    queue.note(night[1], "disk_low", {}, severity="critical")
    with caplog.at_level(logging.INFO, logger="urllib3"):  # as the night's processes log
        told.turn()
    assert CANARY not in caplog.text
    assert CANARY not in json.dumps([dict(n.body) for n in queue.log(night[1])])


def test_the_digest_comes_once_when_the_queue_has_been_empty_a_while(night):
    data, ledger = night
    told = Told(*night)
    audit.record(ledger, audit.me(), "submit", {})
    queue.submit(ledger, [(f"S{n}", 0, {"name": f"rust {n}"}) for n in range(4)])
    measured(ledger, "S0")
    measured(ledger, "S1", "finish_with_warnings", "review: wide peaks")
    measured(ledger, "S2", "fail", "no fit")
    queue.advance(ledger, "S3", "claim")
    assert all("S3" not in text for _, text, _ in told.turn(100.0)[1])
    queue.advance(ledger, "S3", "fault", "the mono stalled", severity="warn")
    told.turn()
    ((title, text, severity),) = told.turn(notices.CALM_S)[1]
    assert title == "materialsdock: 1 done, 1 done with warnings, 1 held, 1 failed; 2 alarms"
    assert severity == "info"
    head = audit.verify(ledger).head
    for word in (
        "rust 1 (S1)",
        "review: wide peaks",
        "the mono stalled",
        "no fit",
        head,
        str(data.reports),
        "measuring",
    ):
        assert word in text
    assert told.turn(1000.0)[1] == []


def test_the_digest_comes_at_its_hour_even_when_nothing_ended(night):
    told = Told(*night, digest_hour=13)
    assert told.turn()[1] == []
    ((title, _, _),) = told.turn(3600.0)[1]
    assert "no sample ended" in title
    assert told.turn(3600.0)[1] == []
    titles = [title for title, _, _ in told.turn(24 * 3600.0)[1]]
    assert len(titles) == 2
    assert "alive" in titles[1]


def test_it_says_daily_that_it_is_alive_but_not_in_quiet_hours(night):
    told = Told(*night, quiet_hours=(20, 10))
    told.wall += 21 * 3600  # 09:00 of the next day: late enough, but quiet
    assert told.turn()[1] == []
    ((title, text, _),) = told.turn(3600.0)[1]
    assert (title, text) == ("materialsdock: alive", "no samples")
    assert told.turn()[1] == []


def test_the_digest_sums_the_time_of_the_night(night, monkeypatch):
    data, ledger = night
    at = [1000.0]
    monkeypatch.setattr(queue.time, "time", lambda: at[0])
    queue.submit(ledger, [("S1", 0, {})])
    for later, event in ((1100.0, "claim"), (1400.0, "measured"), (1500.0, "analyse")):
        at[0] = later
        queue.advance(ledger, "S1", event)
    at[0] = 1600.0
    found = digest(ledger, data)
    assert (found.measuring_s, found.wall_s, found.duty) == (300.0, 600.0, 0.5)
    assert found.ended == ()
    with ledger.transaction() as db:
        db.execute("INSERT INTO audit (hash, body) VALUES ('0', '{}')")
    assert "AUDIT BROKEN at row 1" in digest(ledger, data).text()


def test_a_daemon_has_them_beside_it_and_is_not_held_up(tmp_path, mailbox, night):
    mailbox.hang_s = 1.5
    profile = config.load("sim", siteroot.activate())
    notify = written(tmp_path / "notify", mailbox.url)
    changed = profile.night.model_copy(update={"notify_file": notify})
    profile = profile.model_copy(update={"night": changed})
    began = time.monotonic()
    with watchers.telling(profile, night[0]):
        queue.note(night[1], "disk_low", {}, severity="critical")
        assert time.monotonic() - began < 1.0
        while fact(night[1], "noticed") != queue.log(night[1])[-1].seq:
            assert time.monotonic() - began < 30.0
            time.sleep(0.05)
    assert "disk_low" in "".join(post["message"] for post in mailbox.got)


def test_a_metrics_port_that_is_taken_is_an_alarm_and_no_more(night, mailbox):
    profile = config.load("sim", siteroot.activate())
    changed = profile.night.model_copy(update={"metrics_port": mailbox.server.server_port})
    with watchers.telling(profile.model_copy(update={"night": changed}), night[0]):
        (line,) = queue.log(night[1])
    assert (line.kind, line.severity) == ("metrics", "warn")
    assert str(mailbox.server.server_port) in line.body["fault"]
