"""`ftc review`: the planner on screen."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, spec_argument


@click.command("review")
@spec_argument
@json_option
def review_command(spec: Path, *, as_json: bool) -> int:
    """Look at SPEC (ftc.yaml) on screen: what is decided and why, what else there is; change it, approve it, run it.

    For a plan, the spec that it was compiled from is opened. With --json nothing is opened: the verdict is printed.

    \b
    Examples:
      ftc review
      ftc review plan-ahead.yaml
      ftc review router.plan.json
    """
    if spec.suffix == ".json":
        spec = _spec_of(spec)
    if as_json:
        from ftc.advisor.verdict_json import verdict_json
        from ftc.views.output import write_json

        write_json(verdict_json(api.advise(spec).verdict))
        return 0
    loaded = api.load(spec)
    from ftc.screens.app import FtcApp  # textual: 200 ms
    from ftc.screens.planner import Planner
    from ftc.screens.session import Session

    planner = Planner(Session(spec, loaded))
    code = FtcApp(planner).run()
    if planner.refused is not None:
        raise planner.refused
    return code or 0


def _spec_of(plan_path: Path) -> Path:
    """The spec beside a plan with the hash that the plan names."""
    from ftc.compiler.plan_file import load_plan
    from ftc.spec.diagnostics import Refused

    plan, problems = load_plan(plan_path)
    if plan is None:
        raise Refused(problems)
    for path in sorted((*plan_path.parent.glob("*.yaml"), *plan_path.parent.glob("*.yml"))):
        if hashlib.sha256(path.read_bytes()).hexdigest() == plan.hashes.get("spec"):
            return path
    raise click.UsageError(f"no spec beside {plan_path} is the one that it was compiled from; name the spec")
