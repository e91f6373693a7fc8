"""`ftc explain`: the page of a code, or the origin of a value in a plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ftc.commands.options import json_option
from ftc.spec.diagnostics import Diagnostic, Refused

CODE = re.compile(r"[SDMHFCR]\d{3}")


@click.command("explain")
@click.argument("what", metavar="CODE|PLAN:KEY")
@json_option
def explain_command(what: str, *, as_json: bool) -> None:
    """Print the page of a code, or where a value of a plan comes from.

    \b
    Examples:
      ftc explain S104
      ftc explain M130
      ftc explain ftc.plan.json:sft.learning_rate
    """
    if CODE.fullmatch(what.upper()):
        page = {"code": what.upper(), "page": _page(what.upper())}
        text = page["page"]
    elif ":" in what:
        page = _origin(*what.rsplit(":", 1))
        text = f"{page['key']} = {page['value']}\nfrom: {page['origin']}" + (
            f"\n{page['because']}" if page["because"] else ""
        )
    else:
        raise click.UsageError(f"{what!r} is neither a code (M130) nor a value of a plan (ftc.plan.json:sft.epochs)")
    if as_json:
        from ftc.views.output import write_json

        write_json(page)
    else:
        click.echo(text)


def _page(code: str) -> str:
    from ftc.pages import page

    found = page(code)
    if found is None:
        from ftc.pages import all_codes

        near = [each for each in all_codes() if each[0] == code[0]]
        raise Refused([Diagnostic(code="S190", message=f"no code {code}", fix=f"there are {', '.join(near)}")])
    return found


def _origin(file: str, key: str) -> dict[str, Any]:
    """Where the argument `stage.name` (or `stage.lora.rank`) of a plan comes from."""
    from ftc.compiler.plan_file import load_plan

    plan, problems = load_plan(Path(file))
    if plan is None:
        raise Refused(problems)
    stage_id, _, name = key.partition(".")
    stages = {stage.id: stage for stage in plan.stages}
    if stage_id not in stages:
        raise click.UsageError(f"the plan has no stage {stage_id!r}; it has {', '.join(stages)}")
    stage = stages[stage_id]
    first, _, inner = name.partition(".")
    if first not in stage.arguments:
        raise click.UsageError(f"stage {stage_id} has no argument {first!r}; it has {', '.join(stage.arguments)}")
    value = stage.arguments[first]
    if inner:
        if not isinstance(value, dict) or inner not in value:
            raise click.UsageError(f"{stage_id}.{first} has no {inner!r}")
        value = value[inner]
    settings = plan.verdict["settings"]  # those of a chain's further stages have the stage's name before them
    setting = settings.get(f"{stage.kind}.{name}") or settings.get(name, {})
    return {
        "key": key,
        "value": value,
        "origin": setting.get("origin") or stage.origins[first],
        "because": setting.get("because", ""),
    }
