"""`ftc compile`: the plan, and what it will take."""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, spec_argument


@click.command("compile")
@spec_argument
@click.option("-o", "output", type=click.Path(path_type=Path), default=api.PLAN_FILE, show_default=True)
@click.option("--dry-run", is_flag=True, help="Show the plan and its estimate, write nothing.")
@json_option
def compile_command(spec: Path, output: Path, *, dry_run: bool, as_json: bool) -> None:
    """Write the plan for SPEC (ftc.yaml) and print its estimate.

    \b
    Examples:
      ftc compile                        ftc.yaml in, ftc.plan.json out
      ftc compile router.yaml -o router.plan.json
      ftc compile --dry-run --json       the plan on stdout, nothing written
    """
    advice = api.advise(spec)
    plan = api.compile_advice(advice, output.parent)
    if not dry_run:
        from ftc.spec.files import write_whole

        write_whole(output, plan.to_bytes())
    if as_json:
        from ftc.views.output import write_json

        write_json(plan.to_json())
        return
    from ftc.views.diagnostics import show
    from ftc.views.plan import show_plan

    show(advice.diagnostics, notes=False)
    show_plan(plan, None if dry_run else output)
