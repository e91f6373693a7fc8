"""`ftc run`: carry out a plan."""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, out_option, plan_argument


@click.command("run")
@plan_argument
@out_option
@click.option("--fresh", is_flag=True, help="Begin anew, even where an earlier run of this plan could go on.")
@click.option("--accept-drift", is_flag=True, help="Run although data or libraries changed since `ftc compile`.")
@json_option
def run_command(plan: Path, out: Path, *, fresh: bool, accept_drift: bool, as_json: bool) -> int:
    """Carry out PLAN (ftc.plan.json): prepare, baseline, train, evaluate, export, report.

    Stopped at any moment, the same command goes on from the last checkpoint.

    \b
    Examples:
      ftc run
      ftc run router.plan.json --out /data/runs
      ftc run --json > report.json
    """
    from ftc.views.progress import Progress

    with Progress(plain=as_json) as progress:
        outcome = api.run(plan, out, fresh=fresh, accept_drift=accept_drift, on_event=progress.on_event)
    if as_json:
        from ftc.views.output import write_json

        write_json(outcome.report)
    else:
        from ftc.views.report import show_outcome

        show_outcome(outcome)
    return outcome.exit_code
