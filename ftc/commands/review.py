"""`ftc review`: the planner on screen."""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import spec_argument


@click.command("review")
@spec_argument
def review_command(spec: Path) -> int:
    """Look at SPEC (ftc.yaml) on screen: what is decided and why, what else there is; change it, approve it, run it.

    \b
    Examples:
      ftc review
      ftc review plan-ahead.yaml
    """
    loaded = api.load(spec)
    from ftc.screens.app import FtcApp  # textual: 200 ms
    from ftc.screens.planner import Planner
    from ftc.screens.session import Session

    planner = Planner(Session(spec, loaded))
    code = FtcApp(planner).run()
    if planner.refused is not None:
        raise planner.refused
    return code or 0
