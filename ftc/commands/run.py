"""`ftc run`: carry out a plan."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from ftc import api
from ftc.commands.options import json_option, out_option, plan_argument
from ftc.commands.target_options import engine_option, target_option


@click.command("run")
@plan_argument
@out_option
@click.option("--fresh", is_flag=True, help="Begin anew, even where an earlier run of this plan could go on.")
@click.option("--accept-drift", is_flag=True, help="Run although data or libraries changed since `ftc compile`.")
@click.option("--probe", is_flag=True, help="Measure a few real steps first, correct the estimate; 3 if over budget.")
@click.option(
    "--report-to", "trackers", multiple=True, envvar="FTC_REPORT_TO",
    type=click.Choice(["tensorboard", "wandb", "mlflow", "trackio"]),
    help="Also send the curves to a tracker; several times for several. report.html is made in any case.",
)  # fmt: skip
@target_option
@engine_option
@json_option
def run_command(
    plan: Path, out: Path, *, fresh: bool, accept_drift: bool, probe: bool, trackers: tuple[str, ...],
    target: str | None, words: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Carry out PLAN (ftc.plan.json): prepare, baseline, train, evaluate, export, report.

    Stopped at any moment, the same command goes on from the last checkpoint.

    \b
    Examples:
      ftc run
      ftc run router.plan.json --out /data/runs
      ftc run --json > report.json
      ftc run --probe                                    is the estimate right? a few steps, then the rest
      ftc run --report-to tensorboard                    curves in tensorboard --logdir runs, too
      ftc run --target slurm --option partition=gpu      submit it, and follow the job
    """
    if target not in (None, "local"):
        if fresh:
            raise click.UsageError("--fresh belongs to a run on this machine: there, remove the run's folder")
        if probe:
            raise click.UsageError("--probe belongs to a run on this machine")
        source = click.get_current_context().get_parameter_source("trackers")
        if source is ParameterSource.COMMANDLINE:
            raise click.UsageError("--report-to: on an engine, set FTC_REPORT_TO where `ftc run` is executed")
        return _on_engine(plan, out, target, words, accept_drift=accept_drift, as_json=as_json)
    if words:
        raise click.UsageError("--option belongs to an engine: name it with --target")
    from ftc.views.progress import Progress

    with Progress(plain=as_json) as progress:
        outcome = api.run(
            plan,
            out,
            fresh=fresh,
            accept_drift=accept_drift,
            probe=probe,
            report_to=trackers,
            on_event=progress.on_event,
        )
    if as_json:
        from ftc.views.output import write_json

        write_json(outcome.report)
    else:
        from ftc.views.report import show_outcome

        show_outcome(outcome)
    return outcome.exit_code


def _on_engine(
    path: Path, out: Path, target: str | None, words: tuple[str, ...], *, accept_drift: bool, as_json: bool
) -> int:
    """Render, check, submit, follow; the exit code is that of the `ftc run` over there."""
    from ftc.compiler.plan_file import load_plan
    from ftc.engines import rendered, run_on
    from ftc.spec.diagnostics import Refused
    from ftc.views.diagnostics import show
    from ftc.views.engines import Following

    plan, problems = load_plan(path)
    if plan is None:
        raise Refused(problems)
    drift = ("accept_drift=true",) if accept_drift else ()
    files = rendered(plan, path, target, (f"runs={out}", *drift, *words))  # type: ignore[arg-type]
    show(files.diagnostics)
    following = Following(as_json=as_json)
    code = run_on(files, path, say=following.say, on_job=following.on_job)
    following.end(out / plan.run_name, code)
    return code
