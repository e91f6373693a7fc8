"""`ftc diff`: where two plans or two specs differ, with both values and where each comes from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftc import api
from ftc.commands.options import json_option
from ftc.spec.diagnostics import Refused

if TYPE_CHECKING:
    from ftc.compiler.differences import Difference, Side

LONGEST = 40  # characters of a value on the screen; --json has all of it
PARTS = ("estimate.memory.breakdown_gib.", "estimate.parts_hours.")  # only --json has these


@click.command("diff")
@click.argument("a", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("b", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--exit-code", is_flag=True, help="End with 1 where they differ, as git diff does.")
@json_option
def diff_command(a: Path, b: Path, *, exit_code: bool, as_json: bool) -> int:
    """Compare two plans or two specs. A spec beside a plan is compiled first: what would compiling again change?

    \b
    Examples:
      ftc diff old.plan.json ftc.plan.json
      ftc diff ftc.plan.json ftc.yaml          what has changed since
      ftc diff ftc.yaml bigger.yaml --json
    """
    from ftc.compiler.differences import differences

    as_plans = _is_plan(a) or _is_plan(b)
    found = differences(_side(a, as_plans), _side(b, as_plans))
    if as_json:
        from ftc.views.output import write_json

        write_json({"a": str(a), "b": str(b), "differences": [asdict(each) for each in found]})
    elif found:
        shown = [each for each in found if not each.key.startswith(PARTS)]
        width = max(len(each.key) for each in shown) if shown else 0
        for each in shown:
            click.echo(f"{each.key:<{width}}  {_said(each.a)} -> {_said(each.b)}{_origins(each)}")
    else:
        click.echo("no differences")
    return 1 if exit_code and found else 0


def _is_plan(path: Path) -> bool:
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        return False  # a spec, or neither: loading it will say
    return isinstance(value, dict) and "stages" in value


def _side(path: Path, as_plan: bool) -> Side:
    from ftc.compiler.differences import plan_side, spec_side
    from ftc.compiler.plan_file import load_plan

    if not as_plan:
        return spec_side(api.load(path))
    if not _is_plan(path):
        return plan_side(api.compile(path))
    plan, problems = load_plan(path)
    if plan is None:
        raise Refused(problems)
    return plan_side(plan)


def _said(value: Any) -> str:
    if isinstance(value, dict) and "likely" in value:
        text = f"{value['likely']:.4g} ({value['low']:.4g}-{value['high']:.4g}) {value.get('unit', '')}".rstrip()
    elif isinstance(value, float):
        text = f"{value:.4g}"
    else:
        text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _origins(found: Difference) -> str:
    """`   (rule H301 -> spec overrides.lora.rank)`, once where both are the same."""
    both = dict.fromkeys(each for each in (found.origin_a, found.origin_b) if each)
    return f"   ({' -> '.join(both)})" if both else ""
