"""The command line `materialsdock`: demo, measure, refine, sim up, shell, jobs, explain."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from materialsdock import technique as techniques
from materialsdock.cli import night, own_options, refine, serve
from materialsdock.cli.export import export
from materialsdock.cli.ledger import ledger
from materialsdock.cli.main import refuse
from materialsdock.errors import InputError, MaterialsDockError
from materialsdock.fusion.hybrid.cli import hybrid
from materialsdock.fusion.series.cli import series
from materialsdock.rendering.options import (
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
    Trials,
    Workers,
)

DEFAULT = next(iter(techniques.known()))  # what the demonstration measures
# how a job is analysed and shown may change when it goes on; what it measures may not
RESUMED_WITH = {"resume", "out", "site", "as_json", "trials", "workers", "speed"}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    help="Autonomous X-ray measurement. Exit codes: 0 done, 2 bad input, 3 refused, "
    "4 not reachable, 5 fault, 130 interrupted.",
)
simulator = typer.Typer(no_args_is_help=True, help="The simulated beamline.")
app.add_typer(simulator, name="sim")
for _technique in techniques.known().values():
    if _technique.cli is not None:
        _technique.cli()(app)
app.add_typer(serve.service, name="service")
app.add_typer(serve.sheets, name="sheet")
app.command()(serve.simulate)
for _command in (serve.submit, serve.up, serve.serve, serve.guard):
    app.command()(_command)
app.command("safe-state")(serve.safe_state)
night.mount(app)
app.command()(export)
app.add_typer(ledger, name="ledger")


def words_given(context: typer.Context, besides: Collection[str]) -> list[str]:
    """The options that stand on the command line, without those `besides`."""
    found = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in besides:
            found.append(max(parameter.opts, key=len))
    return found


@app.command()
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
    """Measure one sample on the simulated beamline, from first count to refined structure."""
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
    technique: TechniqueName = None,
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
    """Measure a sample autonomously, replaying a measured file on the simulated beamline."""
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
        raise InputError("name either a file or a job", remedy="use --replay FILE or --resume ID")
    if resume is not None:
        anew = [word for each in techniques.known().values() for word in each.options().ANEW]
        option_words.unchangeable(words_given(context, besides={*RESUMED_WITH, *anew}))
        measure_command.show(measure_command.resume(request, resume), as_json)
        return
    assert replay is not None
    measured, sample = measure_command.read_sample(replay, technique, request)
    measure_command.show(measure_command.replay(request, measured, sample, replay), as_json)


app.command()(own_options.command(measure, own_options.of_measure(), after="count_time"))
refine.mount(app)
for command in (series, hybrid):
    app.command()(command)


@app.command()
def jobs(out: Out = Path("materialsdock-data"), as_json: Json = False) -> None:
    """List the jobs in a data folder, the newest last."""
    from materialsdock.cli import measure_command

    rows = measure_command.list_jobs(out)
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['job_id']}  {row['technique']}  {row['state']:<12}  {row['sample']}")


@app.command()
def explain(
    job: Annotated[str, typer.Argument(help="Job id, as `jobs` lists them.")],
    out: Out = Path("materialsdock-data"),
    as_json: Json = False,
) -> None:
    """Say for each decision of a job why here, why now, and why stop."""
    from materialsdock.cli import measure_command

    lines = measure_command.explain(out, job)
    print(json.dumps({"job_id": job, "decisions": lines}) if as_json else "\n".join(lines))


@app.command()
def shell(
    profile: Annotated[str, typer.Argument(help="Profile of the instrument.")] = "sim",
    out: Out = Path("materialsdock-data"),
    site: Site = None,
) -> None:
    """An IPython session with RE, instrument, plans and catalog."""
    from materialsdock.shell import session

    session.shell(profile, out, site)


@simulator.command("up")
def sim_up(
    profile: Annotated[str, typer.Option(help="A profile with a [simulation] section.")] = "sim",
    port: Annotated[int, typer.Option(help="Channel Access port.")] = 5064,
    speed: Speed = None,
    seed: Seed = 0,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Run the simulated beamline alone, until Ctrl-C."""
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
    except typer.Abort:
        refuse({"code": "interrupted", "message": "interrupted"}, "interrupted", 130)
    except TyperException as error:
        if not (said := error.format_message()):  # a group without a command has shown its help
            sys.exit(error.exit_code)
        refuse({"code": "usage", "message": said}, said, 2)
    except KeyboardInterrupt:
        refuse({"code": "interrupted", "message": "interrupted"}, "interrupted", 130)
