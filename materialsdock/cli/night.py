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
from materialsdock.rendering.help import NIGHT, examples
from materialsdock.rendering.options import Json, Out

Data = Path("materialsdock-data")
Reason = Annotated[str, typer.Option(help="Why; kept in the audit.")]
Limit = Annotated[float, typer.Option(min=0.1, help="How long to wait for the answer [s].")]
Ids = Annotated[list[str], typer.Argument(help="Sample ids, as `queue list` shows them.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
LOW = "Position, or lower end of an interval [unit of the scanned axis]."
Low = Annotated[float, typer.Argument(help=LOW)]
High = Annotated[float | None, typer.Argument(help="Upper end of the interval.")]
WITH_NEGATIVES = {"ignore_unknown_options": True}  # -5.2 is a position
Head = Annotated[str | None, typer.Option(help="Check value printed earlier, e.g. in a digest.")]

queue = typer.Typer(
    no_args_is_help=True, help="List the samples of the night and change their order or state."
)
lease = typer.Typer(
    no_args_is_help=True,
    help="Show, take or give control of the night; pause, stop and abort never need it.",
)
audit = typer.Typer(
    no_args_is_help=True, help="Show who asked for what, and verify that the record is complete."
)


def _print(said: Any, words: str, as_json: bool) -> None:
    print(json.dumps(said) if as_json else words)


def _asked(out: Path, verb: Any, details: Any, limit_s: float, as_json: bool, **more: Any) -> None:
    from materialsdock.night import people

    answer = people.ask(out, verb, details, limit_s=limit_s, **more)
    _print(answer, people.said(answer), as_json)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until Ctrl-C.")] = False,
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
    """Pause the measurement at its next point; `resume` goes on."""
    _asked(out, "pause", {"reason": reason}, limit, as_json)


def resume(out: Out = Data, limit: Limit = 10.0, as_json: Json = False) -> None:
    """Go on after a pause, as soon as all conditions (beam, shutter, permits) hold.

    Takes control where nobody else has it: see `materialsdock lease`.
    """
    _asked(out, "resume", {}, limit, as_json)


def stop(out: Out = Data, limit: Limit = 10.0, as_json: Json = False, reason: Reason = "") -> None:
    """End the sample in the beam after its present point and analyse it; the queue goes on."""
    _asked(out, "stop", {"reason": reason}, limit, as_json)


def abort(
    yes: Yes = False,
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """End the sample in the beam now: close the shutter, stop motors, hold the sample.

    What was measured is kept; `materialsdock queue retry ID` goes on with it.
    """
    from materialsdock.night import people

    only = None
    if not yes:
        if as_json:
            raise InputError(
                "abort asks for confirmation, which --json cannot give",
                where="--json",
                remedy="add --yes",
            )
        if (sample := people.in_the_beam(out)) is not None:
            only = sample.sample_id
            if not typer.confirm(f"Abort {people.called(sample)}?", err=True):
                raise Refused("not confirmed, nothing was aborted", where="abort")
    _asked(out, "abort", {"reason": reason}, limit, as_json, only=only)


def hold(out: Out = Data, limit: Limit = 10.0, as_json: Json = False, reason: Reason = "") -> None:
    """Hold the queue: begin no further sample; the one in the beam goes on."""
    _asked(out, "hold_queue", {"reason": reason}, limit, as_json)


def release(out: Out = Data, limit: Limit = 10.0, as_json: Json = False) -> None:
    """Release the queue after `hold`: begin samples again.

    Takes control where nobody else has it: see `materialsdock lease`.
    """
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
    """Exclude a position or an interval from the measurement of the sample in the beam."""
    where = {"x": low} if high is None else {"low": low, "high": high}
    _asked(out, "veto", {**where, "reason": reason}, limit, as_json)


def force(
    x: Annotated[float, typer.Argument(help="Position [unit of the scanned axis].")],
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """Measure this position of the sample in the beam next."""
    _asked(out, "force", {"x": x, "reason": reason}, limit, as_json)


def change(
    words: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE", help="New stop settings, e.g. threshold=0.02."),
    ],
    out: Out = Data,
    limit: Limit = 10.0,
    as_json: Json = False,
    reason: Reason = "",
) -> None:
    """Change when the sample in the beam stops; recorded with the step it takes effect at."""
    from materialsdock.night import people

    changes = people.changes(words)
    _asked(out, "change", {"changes": changes, "reason": reason}, limit, as_json)


def approve_point(out: Out = Data, limit: Limit = 10.0, as_json: Json = False) -> None:
    """Approve the proposed point, where the profile asks for a person's approval."""
    _asked(out, "approve", {}, limit, as_json)


# the queue


@queue.command("list", epilog=examples("queue list", "queue list --out night --json"))
def queue_list(out: Out = Data, as_json: Json = False) -> None:
    """List all samples with their state, in the order they are measured."""
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
    _print(said, people.changed(said), as_json)


@queue.command("move", epilog=examples("queue move S7 1"))
def queue_move(
    sample: Annotated[str, typer.Argument(help="Sample id, as `queue list` shows it.")],
    place: Annotated[int, typer.Argument(min=1, help="New place in the queue; 1 is next.")],
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Move a waiting sample to another place of the queue; it gets that place's priority."""
    _changed(out, "move", [sample], as_json, place=place)


@queue.command("hold", epilog=examples("queue hold S7 S8 --reason 'capillary broken'"))
def queue_hold(ids: Ids, out: Out = Data, as_json: Json = False, reason: Reason = "") -> None:
    """Hold waiting samples: they are not measured until `queue retry`."""
    _changed(out, "hold", ids, as_json, reason=reason)


@queue.command("retry", epilog=examples("queue retry S7"))
def queue_retry(ids: Ids, out: Out = Data, as_json: Json = False, reason: Reason = "") -> None:
    """Go on with held samples (points are kept); analyse failed or finished ones again."""
    _changed(out, "retry", ids, as_json, reason=reason)


@queue.command("rm", epilog=examples("queue rm S7 --reason 'wrong sample'"))
def queue_rm(ids: Ids, out: Out = Data, as_json: Json = False, reason: Reason = "") -> None:
    """Cancel samples that wait or are held; what was measured of them is kept."""
    _changed(out, "rm", ids, as_json, reason=reason)


@queue.command("approve", epilog=examples("queue approve S7 S8", "queue approve --all"))
def queue_approve(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Sample ids, as `queue list` shows them.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Approve all samples that wait for approval.")
    ] = False,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Approve submitted samples for measuring, where the profile asks for a person's approval."""
    from materialsdock.night import people

    chosen = people.waiting_for_approval(out) if every else list(ids or [])
    _changed(out, "approve", chosen, as_json)


# lease, audit, log


def _lease(out: Path, verb: str, as_json: bool, force: bool = False) -> None:
    from materialsdock.night import people

    said = people.lease(out, verb, force=force)
    words = f"{said['holder']} has control for another {said['left_s']:.0f} s"
    _print(said, words if said["holder"] else "nobody has control", as_json)


@lease.command("show", epilog=examples("lease show"))
def lease_show(out: Out = Data, as_json: Json = False) -> None:
    """Show who has control of the night now, and for how long."""
    _lease(out, "show", as_json)


@lease.command("take", epilog=examples("lease take", "lease take --force"))
def lease_take(
    force: Annotated[
        bool, typer.Option("--force", help="Take it even from another holder.")
    ] = False,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Take or renew control of the night for ten minutes."""
    _lease(out, "take", as_json, force)


@lease.command("give", epilog=examples("lease give"))
def lease_give(out: Out = Data, as_json: Json = False) -> None:
    """Give control of the night back."""
    _lease(out, "give", as_json)


@audit.command("tail", epilog=examples("audit tail", "audit tail -n 5 --json"))
def audit_tail(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 20,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Show the latest actions of people: when, who, what, and the answer."""
    from materialsdock.night import people

    rows = people.actions(out, lines)
    _print(rows, "\n".join(map(people.action_line, rows)), as_json)


@audit.command("verify", epilog=examples("audit verify"))
def audit_verify(
    head: Head = None,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Verify that no action was changed, removed or inserted; exit code 5 when one was."""
    from materialsdock.night import people

    said = people.verify(out, head)
    _print(
        said, f"{said['rows']} rows are as they were written; check value {said['head']}", as_json
    )


def log(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep showing new lines until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
    out: Out = Data,
    as_json: Json = False,
) -> None:
    """Show the log of the night; with --json one JSON object per line."""
    from materialsdock.night import people

    for line in people.log_lines(out, lines, follow):
        words = json.dumps(asdict(line)) if as_json else people.log_line(line)
        print(words, flush=follow)


def mount(app: typer.Typer) -> None:
    """Add these commands to an application."""
    commands: list[tuple[Any, str]] = [
        (status, examples("status", "status --watch --out night")),
        (pause, examples("pause --reason 'sample change'")),
        (resume, examples("resume")),
        (stop, examples("stop")),
        (abort, examples("abort --yes --reason 'wrong sample'")),
        (hold, examples("hold --reason 'hutch opened at noon'")),
        (release, examples("release")),
        (change, examples("change threshold=0.02 maximum_points=400")),
        (log, examples("log", "log --follow --out night")),
    ]
    for command, shown in commands:
        app.command(rich_help_panel=NIGHT, epilog=shown)(command)
    steering: list[tuple[str, Any, str]] = [
        ("veto", veto, examples("veto 31.5", "veto 30.0 32.0 --reason 'ice ring'")),
        ("force", force, examples("force 7113.2")),
    ]
    for name, steers, shown in steering:
        settings = WITH_NEGATIVES
        app.command(name, context_settings=settings, rich_help_panel=NIGHT, epilog=shown)(steers)
    approved = examples("approve-point")
    app.command("approve-point", rich_help_panel=NIGHT, epilog=approved)(approve_point)
    for name, group in (("queue", queue), ("lease", lease), ("audit", audit)):
        app.add_typer(group, name=name, rich_help_panel=NIGHT)
