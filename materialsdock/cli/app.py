"""The command line `materialsdock`: its commands in groups, its version, and how it ends."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from materialsdock import __version__
from materialsdock import technique as techniques
from materialsdock.cli import export, night, read, refine, serve
from materialsdock.cli.endings import INTERRUPTED, refuse
from materialsdock.cli.ledger import ledger
from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.formats import command_line
from materialsdock.fusion.hybrid import cli as hybrid
from materialsdock.fusion.series import cli as series
from materialsdock.rendering import own_options
from materialsdock.rendering.help import INSTRUMENT, MEASURE, PROGRAM, TRY, examples
from materialsdock.rendering.options import (
    PROFILE,
    CountTime,
    Json,
    Out,
    ProfileName,
    Replay,
    Resume,
    Seed,
    Site,
    Speed,
    Stop,
    TechniqueName,
    TechniqueOfFile,
    Trials,
    Workers,
)

DEFAULT = next(iter(techniques.known()))  # what the demonstration measures
# how a job is analysed and shown may change when it goes on; what it measures may not
RESUMED_WITH = {"resume", "out", "site", "as_json", "trials", "workers", "speed"}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="markdown",  # in the other one, "[simulation]" would vanish as a style
    help="Measure X-ray diffraction and absorption autonomously, know when it is enough, and get "
    "the result analysed.\n\nNew here? Begin with `materialsdock demo`.",
    epilog="Exit codes: 0 done, 2 bad input, 3 refused, 4 not reachable, 5 fault, 130 interrupted. "
    "With `--json`, the commands that have it print one JSON object, also for an error.",
)
simulator = typer.Typer(
    no_args_is_help=True,
    help="Run the simulated beamline by itself, for EPICS clients of your own.",
)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def words_given(context: typer.Context, besides: Collection[str]) -> list[str]:
    """The options that stand on the command line, without those `besides`."""
    found = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in besides:
            found.append(max(parameter.opts, key=len))
    return found


@app.command(
    rich_help_panel=TRY,
    epilog=examples("demo", "demo --technique xas --out first-spectrum --stop maximum_points=60"),
)
def demo(
    technique: TechniqueName = DEFAULT,
    out: Out = Path("materialsdock-demo"),
    stop: Stop = [],  # noqa: B006 - typer reads the default, nobody changes it
    trials: Trials = None,
    workers: Workers = None,
    speed: Speed = None,
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Measure one sample on the simulated beamline and get its report, from count to structure.

    Takes a few minutes and needs no file of yours.
    """
    from materialsdock.campaign import demo
    from materialsdock.cli import measure_command
    from materialsdock.cli.request import MeasureRequest

    measured, sample = demo.sample(technique or DEFAULT)
    request = MeasureRequest(
        site=site, out=out, stop=stop, trials=trials, workers=workers, speed=speed, seed=seed
    )
    measure_command.show(measure_command.replay(request, measured, sample), as_json)


def measure(
    context: typer.Context,
    replay: Replay = None,
    profile: ProfileName = "sim",
    technique: TechniqueOfFile = None,
    count_time: CountTime = None,
    resume: Resume = None,
    out: Out = Path("materialsdock-data"),
    stop: Stop = [],  # noqa: B006
    trials: Trials = None,
    workers: Workers = None,
    speed: Speed = None,
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
    **own: Any,
) -> None:
    """Measure a sample autonomously and get its report: no more points than its result needs.

    The sample is a measured file, which the simulated beamline replays with new counting noise.
    A real instrument measures from a sample sheet: see `materialsdock up` and `submit`.
    """
    from materialsdock.campaign import option_words
    from materialsdock.cli import measure_command
    from materialsdock.cli.request import MeasureRequest

    request = MeasureRequest.of(
        profile=profile,
        site=site,
        out=out,
        stop=stop,
        trials=trials,
        workers=workers,
        speed=speed,
        seed=seed,
        count_time_s=count_time,
        **own,
    )
    if (resume is None) == (replay is None):
        raise InputError(
            "measure needs either a file to replay or a job to resume",
            remedy="use --replay FILE or --resume ID",
        )
    if resume is not None:
        anew = [word for each in techniques.known().values() for word in each.options().ANEW]
        option_words.unchangeable(words_given(context, besides={*RESUMED_WITH, *anew}))
        measure_command.show(measure_command.resume(request, resume), as_json)
        return
    assert replay is not None
    measured, sample = measure_command.read_sample(replay, technique, request)
    measure_command.show(measure_command.replay(request, measured, sample, replay), as_json)


app.command(
    rich_help_panel=MEASURE,
    epilog=examples(
        "measure --replay scan.xye --cif phase.cif",
        "measure --replay spectrum.xdi --stop maximum_points=150 --json",
        "measure --resume JOB",
    ),
)(
    own_options.command(
        measure, {**own_options.of_measure(), **command_line.KINDS}, after="count_time"
    )
)


@app.command(rich_help_panel=MEASURE, epilog=examples("jobs", "jobs --out night --json"))
def jobs(out: Out = Path("materialsdock-data"), as_json: Json = False) -> None:
    """List the jobs of a data folder with technique, state and sample, the newest last."""
    from materialsdock.cli import measure_command

    rows = measure_command.list_jobs(out)
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['job_id']}  {row['technique']}  {row['state']:<12}  {row['sample']}")


@app.command(rich_help_panel=MEASURE, epilog=examples("explain JOB --out materialsdock-demo"))
def explain(
    job: Annotated[str, typer.Argument(help="Job id, as `materialsdock jobs` lists it.")],
    out: Out = Path("materialsdock-data"),
    as_json: Json = False,
) -> None:
    """Explain each decision of a job: why this position, why now, and why it went on or stopped."""
    from materialsdock.cli import measure_command

    lines = measure_command.explain(out, job)
    print(json.dumps({"job_id": job, "decisions": lines}) if as_json else "\n".join(lines))


read.mount(app)
export.mount(app)
app.add_typer(ledger, name="ledger", rich_help_panel=MEASURE)
refine.mount(app)
series.mount(app)
hybrid.mount(app)
for _technique in techniques.known().values():
    if _technique.cli is not None:
        _technique.cli()(app)
serve.mount(app)
night.mount(app)


@app.command(rich_help_panel=INSTRUMENT, epilog=examples("shell", "shell sim --out night"))
def shell(
    profile: Annotated[str, typer.Argument(help=PROFILE)] = "sim",
    out: Out = Path("materialsdock-data"),
    site: Site = None,
) -> None:
    """Open an IPython session on an instrument: RunEngine, devices, plans and data catalog."""
    from materialsdock.shell import session

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # IPython would stay, as it does at Ctrl-C
    session.shell(profile, out, site)


app.add_typer(simulator, name="sim", rich_help_panel=TRY)


@simulator.command("up", epilog=examples("sim up", "sim up --port 5070 --speed 20"))
def sim_up(
    profile: Annotated[str, typer.Option(help="Profile with a section [simulation].")] = "sim",
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of EPICS Channel Access; 0: any free one."),
    ] = 5064,
    speed: Speed = None,
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Run the simulated beamline by itself until Ctrl-C, and get the address to connect to."""
    from materialsdock.cli import measure_command
    from materialsdock.cli.request import MeasureRequest

    measure_command.sim_up(
        MeasureRequest(profile=profile, site=site, speed=speed, seed=seed), port, as_json
    )


def main() -> None:
    """Run the command line; every refusal is one sentence (or one JSON object) and an exit code."""
    try:
        if exit_code := app(standalone_mode=False):  # of a command that has said all itself
            sys.exit(exit_code)
    except MaterialsDockError as error:
        refuse(error.as_dict(), str(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        refuse(INTERRUPTED, INTERRUPTED["message"], 130)
    except TyperException as error:
        if not (
            said := error.format_message().rstrip(".")
        ):  # a group without a command has shown its help
            sys.exit(error.exit_code)
        context = getattr(error, "ctx", None)
        path = context.command_path if context else PROGRAM
        remedy = f"see `{path} --help`"
        refuse({"code": "usage", "message": said, "remedy": remedy}, f"{said} ({remedy})", 2)
