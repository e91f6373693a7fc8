"""`ftc compile`: the plan, what it will take, and the files that an engine takes."""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, spec_argument
from ftc.commands.target_options import emit_option, engine_option, target_option


@click.command("compile")
@spec_argument
@click.option("-o", "output", type=click.Path(path_type=Path), default=api.PLAN_FILE, show_default=True)
@click.option("--dry-run", is_flag=True, help="Show the plan and its estimate, write nothing.")
@target_option
@emit_option
@engine_option
@json_option
def compile_command(
    spec: Path, output: Path, *, dry_run: bool, target: str | None, emit: Path | None, words: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Write the plan for SPEC (ftc.yaml) and print its estimate.

    \b
    Examples:
      ftc compile                        ftc.yaml in, ftc.plan.json out
      ftc compile router.yaml -o router.plan.json
      ftc compile --dry-run --json       the plan on stdout, nothing written
      ftc compile --target slurm --emit slurm/ --option partition=gpu
    """
    if target is None and (emit is not None or words):
        raise click.UsageError("--emit and --option belong to an engine: name it with --target")
    advice = api.advise(spec)
    plan = api.compile_advice(advice, output.parent)
    files = None
    if target is not None:
        from ftc.engines import rendered

        files = rendered(plan, output, target, words)  # type: ignore[arg-type]
    if not dry_run:
        from ftc.spec.files import write_whole

        write_whole(output, plan.to_bytes())
        if files is not None and emit is not None:
            from ftc.engines import emit as write

            write(files, emit)
    if as_json:
        from ftc.views.output import write_json

        write_json(plan.to_json())
        return
    from ftc.views.diagnostics import show
    from ftc.views.plan import show_engine_files, show_plan

    show(advice.diagnostics, notes=False)
    show_plan(plan, None if dry_run else output)
    if files is not None:
        show_engine_files(files, None if dry_run else emit)
