"""The command line of the night's processes: submit, serve, guard, up, safe-state, service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from materialsdock.rendering.help import INSTRUMENT, NIGHT, examples
from materialsdock.rendering.options import Json, Out, ProfileName, Site

Data = Path("materialsdock-data")
service = typer.Typer(no_args_is_help=True, help="Run the night as services of systemd.")
sheets = typer.Typer(
    no_args_is_help=True, help="Make and check sample sheets, the tables of what to measure."
)
SheetFile = Annotated[Path, typer.Argument(help="Sample sheet: .csv, .xlsx, .toml or .json.")]


def submit(
    sheet: SheetFile,
    profile: ProfileName = "sim",
    out: Out = Data,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Queue the samples of a sheet for measuring: all of them, or none and every fault listed."""
    from materialsdock.night import people

    said = people.submit(sheet, profile, site, out)
    print(json.dumps(said) if as_json else people.submitted(said))


def simulate(
    sheet: SheetFile,
    profile: ProfileName = "sim",
    seeds: Annotated[
        int, typer.Option(min=1, max=99, help="How often to rehearse each recipe.")
    ] = 5,
    analyse: Annotated[bool, typer.Option(help="Rehearse the analysis too, for its time.")] = True,
    out: Out = Data,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Rehearse a sheet on the simulated beamline: faults, order, and when it will be done."""
    from materialsdock.cli import simulate_command

    said = simulate_command.simulate(sheet, profile, site, out, seeds, analyse)
    print(json.dumps(said) if as_json else simulate_command.words(said))


@sheets.command("template", epilog=examples("sheet template night.xlsx"))
def sheet_template(
    file: Annotated[Path, typer.Argument(help="Sheet to write: .csv or .xlsx.")],
    profile: ProfileName = "sim",
    site: Site = None,
) -> None:
    """Write an empty sample sheet to fill in; in a workbook, cells offer the words they take."""
    from materialsdock.cli import simulate_command

    simulate_command.template(file, profile, site)
    print(f"{file}: fill in a row for each sample, then `materialsdock simulate {file}`")


@sheets.command("check", epilog=examples("sheet check night.xlsx"))
def sheet_check(
    sheet: SheetFile, profile: ProfileName = "sim", site: Site = None, as_json: Json = False
) -> None:
    """Check a sample sheet and list every fault in it; queues nothing."""
    from materialsdock.cli import simulate_command
    from materialsdock.rendering.numbers import many

    ids = simulate_command.check(sheet, profile, site)
    print(json.dumps({"samples": ids}) if as_json else f"{many(len(ids), 'sample')}, no faults")


def serve(profile: ProfileName = "sim", out: Out = Data, site: Site = None) -> None:
    """Run the daemon alone: it measures, analyses and reports the queue until Ctrl-C.

    IOC and guard have to run too; `materialsdock up` starts everything.
    """
    from materialsdock.cli import serve_command

    serve_command.serve(profile, site, out)


def guard(profile: ProfileName = "sim", out: Out = Data, site: Site = None) -> None:
    """Run the guard alone: it closes the shutter when the measuring process fails."""
    from materialsdock.cli import serve_command

    serve_command.guard(profile, site, out)


def up(
    profile: ProfileName = "sim",
    out: Out = Data,
    site: Site = None,
    beamline: Annotated[
        bool, typer.Option(help="Start the simulated beamline too, where the profile has one.")
    ] = True,
) -> None:
    """Run a night until Ctrl-C: daemon, guard and simulated beamline, all supervised."""
    from materialsdock.cli import serve_command

    serve_command.up(profile, site, out, beamline)


def safe_state(
    profile: ProfileName = "sim", out: Out = Data, site: Site = None, as_json: Json = False
) -> None:
    """Close the shutter and verify it, stop motors and detectors, and pause the night if one runs.

    Needs neither a running daemon nor control (`materialsdock lease`).
    """
    from materialsdock.cli import serve_command

    said = serve_command.safe_state(profile, site, out)
    print(json.dumps(said) if as_json else serve_command.made_safe(said))
    if said["failed"] or said["untold"]:
        raise typer.Exit(5)


@service.command(
    "install", epilog=examples("service install --out /var/lib/materialsdock --user beamline")
)
def service_install(
    to: Annotated[Path, typer.Option(help="Folder to write the unit files to.")] = Path(
        "/etc/systemd/system"
    ),
    profile: ProfileName = "sim",
    out: Out = Data,
    user: Annotated[str, typer.Option(help="Account that the services run as.")] = "materialsdock",
    site: Site = None,
) -> None:
    """Write the systemd units of a night: materialsdock.target and its services; starts nothing."""
    from materialsdock.cli import serve_command

    for path in serve_command.install(to, profile, site, out, user):
        print(path)


def mount(app: typer.Typer) -> None:
    """Add these commands to an application."""
    app.add_typer(sheets, name="sheet", rich_help_panel=NIGHT)
    commands: list[tuple[Any, str]] = [
        (simulate, examples("simulate night.xlsx", "simulate night.xlsx --seeds 2 --no-analyse")),
        (submit, examples("submit night.xlsx", "submit night.xlsx --out night --json")),
        (up, examples("up", "up --out night")),
        (serve, examples("serve --out night")),
    ]
    for command, shown in commands:
        app.command(rich_help_panel=NIGHT, epilog=shown)(command)
    app.command(rich_help_panel=INSTRUMENT, epilog=examples("guard --out night"))(guard)
    safe = examples("safe-state", "safe-state --out night --json")
    app.command("safe-state", rich_help_panel=INSTRUMENT, epilog=safe)(safe_state)
    app.add_typer(service, name="service", rich_help_panel=INSTRUMENT)
