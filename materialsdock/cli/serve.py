"""The command line of the night's processes: submit, serve, guard, up, safe-state, service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from materialsdock.rendering.options import Json, Out, ProfileName, Site

Data = Path("materialsdock-data")
service = typer.Typer(no_args_is_help=True, help="Units for systemd.")
sheets = typer.Typer(no_args_is_help=True, help="Sample sheets.")
SheetFile = Annotated[Path, typer.Argument(help="Sample sheet: .csv, .xlsx, .toml or .json.")]


def submit(
    sheet: SheetFile,
    profile: ProfileName = "sim",
    out: Out = Data,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Queue the samples of a sheet: all of them, or none and a list of what is wrong."""
    from materialsdock.night import people

    said = people.submit(sheet, profile, site, out)
    print(json.dumps(said) if as_json else people.submitted(said))


def simulate(
    sheet: SheetFile,
    profile: ProfileName = "sim",
    seeds: Annotated[int, typer.Option(min=1, max=99, help="Rehearsals of each recipe.")] = 5,
    analyse: Annotated[bool, typer.Option(help="Time the analysis, too.")] = True,
    out: Out = Data,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Rehearse a sheet on the simulated instrument: limits, order, and when it will be done."""
    from materialsdock.cli import simulate_command

    said = simulate_command.simulate(sheet, profile, site, out, seeds, analyse)
    print(json.dumps(said) if as_json else simulate_command.words(said))


@sheets.command("template")
def sheet_template(
    file: Annotated[Path, typer.Argument(help="Sheet to write: .csv or .xlsx.")],
    profile: ProfileName = "sim",
    site: Site = None,
) -> None:
    """Write an empty sheet; a workbook offers the words that it knows."""
    from materialsdock.cli import simulate_command

    simulate_command.template(file, profile, site)
    print(f"{file}: fill in a row for each sample, then `materialsdock simulate {file}`")


@sheets.command("check")
def sheet_check(
    sheet: SheetFile, profile: ProfileName = "sim", site: Site = None, as_json: Json = False
) -> None:
    """Say whether a sheet could be submitted; queues nothing."""
    from materialsdock.cli import simulate_command
    from materialsdock.night.status.digest import many

    ids = simulate_command.check(sheet, profile, site)
    print(json.dumps({"samples": ids}) if as_json else f"{many(len(ids), 'sample')}, no fault")


def serve(profile: ProfileName = "sim", out: Out = Data, site: Site = None) -> None:
    """Run the queue: measure, analyse, report, until ended (the IOC and the guard run beside)."""
    from materialsdock.cli import serve_command

    serve_command.serve(profile, site, out)


def guard(profile: ProfileName = "sim", out: Out = Data, site: Site = None) -> None:
    """Watch the worker of a night, and close the shutter when it fails."""
    from materialsdock.cli import serve_command

    serve_command.guard(profile, site, out)


def up(
    profile: ProfileName = "sim",
    out: Out = Data,
    site: Site = None,
    beamline: Annotated[bool, typer.Option(help="Start the simulated beamline, too.")] = True,
) -> None:
    """Everything of a night without systemd: simulated beamline, guard and daemon."""
    from materialsdock.cli import serve_command

    serve_command.up(profile, site, out, beamline)


def safe_state(
    profile: ProfileName = "sim", out: Out = Data, site: Site = None, as_json: Json = False
) -> None:
    """Close the shutter, verified; stop motors and detectors; pause the night, if one runs.

    Needs no daemon and no lease.
    """
    from materialsdock.cli import serve_command

    said = serve_command.safe_state(profile, site, out)
    print(json.dumps(said) if as_json else serve_command.made_safe(said))
    if said["failed"] or said["untold"]:
        raise typer.Exit(5)


@service.command("install")
def service_install(
    to: Annotated[Path, typer.Option(help="Folder of unit files.")] = Path("/etc/systemd/system"),
    profile: ProfileName = "sim",
    out: Out = Data,
    user: Annotated[str, typer.Option(help="Account the night runs under.")] = "materialsdock",
    site: Site = None,
) -> None:
    """Write materialsdock.target and the units of its services; enables nothing."""
    from materialsdock.cli import serve_command

    for path in serve_command.install(to, profile, site, out, user):
        print(path)
