"""The command line of a running night: status, queue, pause to abort, steering, lease, audit, log.

Each talks to the ledger only, so it answers whatever the processes of the night do.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.errors import InputError, Refused
from materialsdock.rendering.options import Json, Out

Data = Path("materialsdock-data")
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit.")]
Limit = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for what comes of it.")]
Ids = Annotated[list[str], typer.Argument(help="Sample ids.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Low = Annotated[float, typer.Argument(help="Position, or lower end (deg or eV).")]
High = Annotated[float | None, typer.Argument(help="Upper end.")]
WITH_NEGATIVES = {"ignore_unknown_options": True}  # -5.2 is a position
Head = Annotated[str | None, typer.Option(help="A head printed earlier, e.g. in a digest.")]

queue = typer.Typer(no_args_is_help=True, help="The samples that wait.")
lease = typer.Typer(no_args_is_help=True, help="Who has control; halts never need it.")
audit = typer.Typer(no_args_is_help=True, help="Who asked for what.")


def _print(said: Any, words: str, as_json: bool) -> None:
    print(json.dumps(said) if as_json else words)


def _asked(out: Path, verb: Any, details: Any, limit_s: float, as_json: bool, **more: Any) -> None:
    from materialsdock.night import people

    answer = people.ask(out, verb, details, limit_s=limit_s, **more)
    _print(answer, people.said(answer), as_json)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it until Ctrl-C.")] = False,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Show what the night does now; exit code 4 when no daemon runs."""
    from materialsdock.night import people
    from materialsdock.night.status import terminal

    if watch:
        with people.opened(out) as (data, ledger):
            from materialsdock.night.status.snapshot import snapshot

            show = terminal.json_lines if as_json else terminal.watch
            show(lambda: snapshot(data, ledger), terminal.console())
        return
    now = people.snapshot(out)
    if as_json:
        print(json.dumps(now.as_dict()))
    else:
        terminal.console().print(terminal.view(now))
    if now.daemon == "offline":
        print(f"materialsdock: {people.offline(out)}", file=sys.stderr)
        raise typer.Exit(4)


# halts and their opposites


def pause(out: Out = Data, limit: Limit = 10.0, as_json: Json = False, reason: Reason = "") -> None:
    """Pause at the next point; `resume` goes on."""
    _asked(out, "pause", {"reason": reason}, limit, as_json)


def resume(out: Out = Data, limit: Limit = 10.0, as_json: Json = False) -> None:
    """Go on after a pause, as soon as all conditions hold.  Needs the lease."""
    _asked(out, "resume", {}, limit, as_json)


def stop(out: Out = Data, limit: Limit = 10.0, as_json: Json = False, reason: Reason = "") -> None:
    """End this sample after its point and analyse it; the queue goes on."""
    _asked(out, "stop", {"reason": reason}, limit, as_json)


def abort(
    yes: Yes = False,
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """End this sample now: shutter closed, motors stopped, the sample held.  Data are kept."""
    from materialsdock.night import people

    only = None
    if not yes:
        if as_json:
            raise InputError("abort asks before it acts", where="--json", remedy="add --yes")
        if (sample := people.in_the_beam(out)) is not None:
            only = sample.sample_id
            if not typer.confirm(f"Abort {people.called(sample)}?", err=True):
                raise Refused("nothing was aborted", where="abort")
    _asked(out, "abort", {"reason": reason}, limit, as_json, only=only)


def hold(out: Out = Data, limit: Limit = 10.0, as_json: Json = False, reason: Reason = "") -> None:
    """Begin no further sample; the one in the beam goes on."""
    _asked(out, "hold_queue", {"reason": reason}, limit, as_json)


def release(out: Out = Data, limit: Limit = 10.0, as_json: Json = False) -> None:
    """Begin samples again.  Needs the lease."""
    _asked(out, "release_queue", {}, limit, as_json)


# steering


def veto(
    low: Low,
    high: High = None,
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """Never measure a position, or an interval, of this sample."""
    where = {"x": low} if high is None else {"low": low, "high": high}
    _asked(out, "veto", {**where, "reason": reason}, limit, as_json)


def force(
    x: Annotated[float, typer.Argument(help="Position (deg or eV).")],
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """Measure this position next."""
    _asked(out, "force", {"x": x, "reason": reason}, limit, as_json)


def change(
    words: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="E.g. threshold=0.02.")],
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """Change when this sample stops; the change is recorded with its step."""
    from materialsdock.night import people

    changes = people.changes(words)
    _asked(out, "change", {"changes": changes, "reason": reason}, limit, as_json)


def approve_point(out: Out = Data, limit: Limit = 10.0, as_json: Json = False) -> None:
    """Let the proposed point be measured, where the profile wants a person's word."""
    _asked(out, "approve", {}, limit, as_json)


# the queue


@queue.command("list")
def queue_list(out: Out = Data, as_json: Json = False) -> None:
    """All samples in the order they are measured, by name."""
    from materialsdock.night import people
    from materialsdock.night.status import terminal

    rows = people.listed(out)
    if as_json:
        print(json.dumps([vars(row) for row in rows]))
    elif len(rows) > terminal.MANY:
        print("\n".join(terminal.lines(rows)))
    else:
        terminal.console().print(terminal.table(rows, everything=True))


def _changed(out: Path, verb: str, ids: list[str], as_json: bool, **more: Any) -> None:
    from materialsdock.night import people

    said = people.change(out, verb, ids, **more)
    _print(said, ", ".join(f"{name} {state}" for name, state in said["samples"].items()), as_json)


@queue.command("move")
def queue_move(
    sample: Annotated[str, typer.Argument(help="Sample id.")],
    place: Annotated[int, typer.Argument(min=1, help="1 is next.")],
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Put a waiting sample at a place of the queue; it takes that place's priority."""
    _changed(out, "move", [sample], as_json, place=place)


@queue.command("hold")
def queue_hold(ids: Ids, out: Out = Data, as_json: Json = False, reason: Reason = "") -> None:
    """Set waiting samples aside."""
    _changed(out, "hold", ids, as_json, reason=reason)


@queue.command("retry")
def queue_retry(ids: Ids, out: Out = Data, as_json: Json = False, reason: Reason = "") -> None:
    """Measure held samples (they keep their points); analyse failed or finished ones again."""
    _changed(out, "retry", ids, as_json, reason=reason)


@queue.command("rm")
def queue_rm(ids: Ids, out: Out = Data, as_json: Json = False, reason: Reason = "") -> None:
    """Cancel samples that wait or are held; what was measured of them is kept."""
    _changed(out, "rm", ids, as_json, reason=reason)


@queue.command("approve")
def queue_approve(
    ids: Annotated[list[str] | None, typer.Argument(help="Sample ids.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait for approval.")] = False,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Let submitted samples be measured, where the profile wants a person's word."""
    from materialsdock.night import people

    chosen = people.waiting_for_approval(out) if every else list(ids or [])
    _changed(out, "approve", chosen, as_json)


# lease, audit, log


def _lease(out: Path, verb: str, as_json: bool, force: bool = False) -> None:
    from materialsdock.night import people

    said = people.lease(out, verb, force=force)
    words = f"{said['holder']} has control for another {said['left_s']:.0f} s"
    _print(said, words if said["holder"] else "nobody has control", as_json)


@lease.command("show")
def lease_show(out: Out = Data, as_json: Json = False) -> None:
    """Show who has control now."""
    _lease(out, "show", as_json)


@lease.command("take")
def lease_take(
    force: Annotated[bool, typer.Option("--force", help="Take it from its holder.")] = False,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Take or renew control for ten minutes."""
    _lease(out, "take", as_json, force)


@lease.command("give")
def lease_give(out: Out = Data, as_json: Json = False) -> None:
    """Give control back."""
    _lease(out, "give", as_json)


@audit.command("tail")
def audit_tail(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many.")] = 20,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """The latest actions of people."""
    from materialsdock.night import people

    rows = people.actions(out, lines)
    _print(rows, "\n".join(map(people.action_line, rows)), as_json)


@audit.command("verify")
def audit_verify(
    head: Head = None,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Check that no action was changed, removed or slipped in; exit code 5 when one was."""
    from materialsdock.night import people

    said = people.verify(out, head)
    _print(said, f"{said['rows']} rows hold; head {said['head']}", as_json)


def log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many.")] = 50,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """The night's log; with --json one object a line."""
    from materialsdock.night import people

    for line in people.log_lines(out, lines, follow):
        words = json.dumps(asdict(line)) if as_json else people.log_line(line)
        print(words, flush=follow)


def mount(app: typer.Typer) -> None:
    """Add these commands to an application."""
    commands: list[Any] = [status, pause, resume, stop, abort, hold, release, change, log]
    for command in commands:
        app.command()(command)
    for name, steers in (("veto", veto), ("force", force)):
        app.command(name, context_settings=WITH_NEGATIVES)(steers)
    app.command("approve-point")(approve_point)
    for name, group in (("queue", queue), ("lease", lease), ("audit", audit)):
        app.add_typer(group, name=name)
