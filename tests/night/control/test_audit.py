"""The audit chain: whatever is changed afterwards is found, and where."""

from __future__ import annotations

import json
import random
import sqlite3
import threading

import pytest

from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import audit
from materialsdock.night.control.audit import Actor

ANNA, BEN = Actor("anna", "hutch"), Actor("ben", "home")
ROWS = 12


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as found:
        yield found


@pytest.fixture
def written(ledger):
    for i in range(ROWS):
        audit.record(ledger, (ANNA, BEN)[i % 2], "veto", {"x": i, "at": ledger.path}, "done")
    return ledger


def tamper(ledger, statement, *values):
    """As somebody with the file and without this program would."""
    with sqlite3.connect(ledger.path) as db:
        db.execute(statement, values)
    db.close()


def test_nothing_is_a_chain(ledger):
    assert audit.verify(ledger) == audit.AuditChain(0, audit.FIRST, None)
    assert audit.verify(ledger, audit.FIRST).broken_at is None  # kept before the first action
    assert audit.actions(ledger) == []


def test_what_is_untouched_holds(written):
    chain = audit.verify(written)
    assert (chain.rows, chain.broken_at) == (ROWS, None)
    last = audit.actions(written, 2)
    assert [a.seq for a in last] == [ROWS - 1, ROWS]
    assert last[-1].hash == chain.head
    assert (last[-1].who, last[-1].verb, last[-1].answer) == ("ben@home", "veto", "done")
    assert last[-1].details["x"] == ROWS - 1


def test_each_head_kept_elsewhere_stays_in_the_chain(ledger):
    heads = [audit.record(ledger, ANNA, "pause", {}) for _ in range(4)]
    assert len(set(heads)) == 4
    for head in heads:
        assert audit.verify(ledger, head).broken_at is None
    assert audit.verify(ledger, "f" * 64).broken_at == 5


@pytest.mark.parametrize("row", [1, 2, ROWS // 2, ROWS])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = replace(body, 'veto', 'stop') WHERE seq = ?",
        "UPDATE audit SET body = body || ' ' WHERE seq = ?",
        "UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = ?",
    ],
)
def test_a_changed_row_is_found(written, row, statement):
    tamper(written, statement, row)
    chain = audit.verify(written)
    assert (chain.rows, chain.broken_at) == (row - 1, row)


@pytest.mark.parametrize("row", [1, 2, ROWS - 1])
def test_a_removed_row_is_found(written, row):
    tamper(written, "DELETE FROM audit WHERE seq = ?", row)
    assert audit.verify(written).broken_at == row + 1


@pytest.mark.parametrize("row", [1, 5, ROWS])
def test_a_removed_row_is_found_when_the_rest_is_renumbered(written, row):
    tamper(written, "DELETE FROM audit WHERE seq = ?", row)
    for seq in range(row + 1, ROWS + 1):
        tamper(written, "UPDATE audit SET seq = ? WHERE seq = ?", seq - 1, seq)
    chain = audit.verify(written)
    if row == ROWS:  # the end was cut: only a head kept elsewhere can tell
        assert chain.broken_at is None
    else:
        assert chain.broken_at == row


@pytest.mark.parametrize("kept", range(ROWS))
def test_a_cut_end_is_found_by_a_head_kept_elsewhere(written, kept):
    head = audit.verify(written).head
    tamper(written, "DELETE FROM audit WHERE seq > ?", kept)
    assert audit.verify(written).broken_at is None
    chain = audit.verify(written, head)
    assert (chain.rows, chain.broken_at) == (kept, kept + 1)


def test_a_row_slipped_in_is_found(written):
    body = json.dumps({"at": 0, "who": "x", "verb": "y", "details": {}, "answer": ""})
    for seq in range(ROWS, 5, -1):
        tamper(written, "UPDATE audit SET seq = ? WHERE seq = ?", seq + 1, seq)
    before = audit.actions(written, ROWS)[4].hash
    tamper(written, "INSERT INTO audit VALUES (6, ?, ?)", audit._hash(before, body), body)
    assert audit.verify(written).broken_at == 7  # the one slipped in was hashed with care


def test_a_row_appended_without_its_hash_is_found(written):
    tamper(written, "INSERT INTO audit (hash, body) SELECT hash, body FROM audit WHERE seq = 3")
    assert audit.verify(written).broken_at == ROWS + 1


def test_exchanged_rows_are_found(written):
    rng = random.Random(1)
    one, other = sorted(rng.sample(range(1, ROWS + 1), 2))
    rows = {
        a: written.rows("SELECT hash, body FROM audit WHERE seq = ?", a)[0] for a in (one, other)
    }
    for here, there in ((one, other), (other, one)):
        tamper(written, "UPDATE audit SET hash = ?, body = ? WHERE seq = ?", *rows[there], here)
    assert audit.verify(written).broken_at == one


def test_many_may_write_at_once(ledger):
    def write(who):
        with Ledger(ledger.path) as own:
            for i in range(15):
                audit.record(own, who, "pause", {"i": i})

    threads = [threading.Thread(target=write, args=(Actor(f"u{n}", "h"),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain = audit.verify(ledger)
    assert (chain.rows, chain.broken_at) == (60, None)


def test_a_failed_transaction_leaves_the_chain_whole(written):
    def fail():
        with written.transaction():
            audit.record(written, ANNA, "abort", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    audit.record(written, ANNA, "abort", {})
    chain = audit.verify(written)
    assert (chain.rows, chain.broken_at) == (ROWS + 1, None)


def test_whoever_runs_this_has_a_name():
    assert "@" in str(audit.me())
