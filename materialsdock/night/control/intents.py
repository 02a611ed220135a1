"""The requests of people to a running night: intents, the lease of control, and epochs.

Stopping is never locked: halts need no lease.  Whatever lets the instrument go on needs the
lease, which one person holds at a time and everybody sees.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from materialsdock.errors import InputError, Refused
from materialsdock.ledger import control_rows
from materialsdock.ledger.control_rows import IntentRow
from materialsdock.ledger.facts import fact, set_fact
from materialsdock.ledger.ledger import Ledger
from materialsdock.night.control import audit
from materialsdock.night.system.heartbeats import boot

Verb = Literal[
    "pause",
    "stop",
    "abort",
    "hold_queue",
    "resume",
    "release_queue",
    "veto",
    "force",
    "change",
    "approve",
]
VERBS: tuple[Verb, ...] = get_args(Verb)
HALTS: frozenset[Verb] = frozenset(("pause", "stop", "abort", "hold_queue"))
LEASE_S = 600.0
POLL_S = 0.05


@dataclass(frozen=True)
class Intent:
    """One request: pending until the daemon has taken it, then done or refused with an answer."""

    seq: int
    verb: Verb
    state: Literal["pending", "taken", "done", "refused"]
    answer: str
    body: Mapping[str, Any]
    who: str


@dataclass(frozen=True)
class Lease:
    """The right of one person to let the instrument go on.

    until : monotonic clock [s] of this boot; epoch : counts the leases, so an old one is known
    """

    holder: str
    until: float
    boot: str
    epoch: int

    @property
    def valid(self) -> bool:
        """True while it still holds: in this boot of the machine, before `until`."""
        return self.boot == boot() and time.monotonic() < self.until


def lease(ledger: Ledger) -> Lease | None:
    """The lease that is valid now."""
    found = fact(ledger, "lease")
    current = Lease(**found) if found else None
    return current if current and current.valid else None


def take_lease(ledger: Ledger, who: audit.Actor, *, force: bool = False) -> Lease:
    """Take or renew control for ten minutes; `force` takes it from its holder.

    Raises Refused naming the holder when somebody else has it.
    """
    with ledger.transaction():
        current, before = lease(ledger), fact(ledger, "lease")
        if current and current.holder != str(who) and not force:
            left = current.until - time.monotonic()
            raise Refused(
                f"{current.holder} has control for another {left:.0f} s",
                where="lease",
                remedy="ask for it, or `materialsdock lease take --force`; halts need no lease",
            )
        epoch = (before or {}).get("epoch", 0)
        mine = current is not None and current.holder == str(who)
        new = Lease(str(who), time.monotonic() + LEASE_S, boot(), epoch if mine else epoch + 1)
        set_fact(ledger, "lease", asdict(new))
        if not mine:
            taken_from = current.holder if current else None
            audit.record(ledger, who, "lease", {"epoch": new.epoch, "from": taken_from})
        return new


def give_lease(ledger: Ledger, who: audit.Actor) -> None:
    """Give control back; Refused for who does not have it."""
    with ledger.transaction():
        current = lease(ledger)
        if current is None or current.holder != str(who):
            holder = current.holder if current else "nobody"
            raise Refused(f"{holder} has control, not {who}", where="lease")
        set_fact(ledger, "lease", {**asdict(current), "until": time.monotonic()})
        audit.record(ledger, who, "lease given back", {"epoch": current.epoch})


def next_epoch(ledger: Ledger, above: int = 0) -> int:
    """A new owner of the hardware: its epoch, higher than any before, and than `above`."""
    with ledger.transaction():
        epoch = max(int(fact(ledger, "epoch") or 0), above) + 1
        set_fact(ledger, "epoch", epoch)
        return epoch


def ask(
    ledger: Ledger, verb: str, who: audit.Actor, details: Mapping[str, Any] | None = None
) -> int:
    """Put an intent before the daemon; its number.

    Raises InputError for an unknown verb, Refused when it needs the lease and another has it.
    """
    if verb not in VERBS:
        raise InputError(f"no verb {verb!r}", remedy=f"available: {', '.join(VERBS)}")
    body = dict(details or {})
    with ledger.transaction():
        if verb not in HALTS:
            body["lease_epoch"] = take_lease(ledger, who).epoch
        about = {"who": str(who), "asked": time.monotonic(), "boot": boot()}
        return control_rows.add_intent(ledger, time.time(), verb, {**body, **about})


def _intent(row: IntentRow) -> Intent:
    return Intent(**row._asdict(), who=row.body["who"])


def pending(ledger: Ledger, *states: str) -> list[Intent]:
    """Intents nobody has taken yet (or those in `states`), oldest first, halts before others."""
    rows = control_rows.intents_in(ledger, *(states or ("pending",)))
    return sorted(map(_intent, rows), key=lambda intent: intent.verb not in HALTS)


def age_s(intent: Intent) -> float:
    """Return how long ago it was asked for [s]; infinite when that was before this boot."""
    if intent.body.get("boot") != boot():
        return float("inf")
    return time.monotonic() - float(intent.body["asked"])


def answer(ledger: Ledger, intent: Intent, state: str, words: str) -> bool:
    """Take or settle an intent, with its line in the audit; False when it was settled before."""
    user, _, host = intent.who.partition("@")
    known = ("who", "asked", "boot")
    details = {key: value for key, value in intent.body.items() if key not in known}
    with ledger.transaction():
        done = control_rows.settle_intent(ledger, intent.seq, state, words)
        if done and state != "taken":
            said = f"{state}: {words}" if words else state
            audit.record(ledger, audit.Actor(user, host), intent.verb, details, said)
    return done


def still_holds(ledger: Ledger, intent: Intent) -> bool:
    """Return True for halts, and if the lease under which it was asked is the last one given."""
    if intent.verb in HALTS:
        return True
    last = fact(ledger, "lease")
    return last is not None and last["epoch"] == intent.body.get("lease_epoch")


def wait(ledger: Ledger, seq: int, limit_s: float) -> Intent | None:
    """The intent once it is settled; None when it is not within `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        found = _intent(control_rows.intent_of_seq(ledger, seq))
        if found.state in ("done", "refused"):
            return found
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_S)
