"""`ftc check`: is the spec sound, is the data what it is taken for?"""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, spec_argument
from ftc.spec.diagnostics import Refused, errors


@click.command("check")
@spec_argument
@json_option
def check_command(spec: Path, *, as_json: bool) -> None:
    """Validate SPEC (ftc.yaml) and look at its data: what was recognised, how long, how clean.

    \b
    Examples:
      ftc check
      ftc check router.yaml --json | jq .diagnostics
    """
    from ftc.advisor.observe import look

    loaded = api.load(spec)
    if loaded.spec is None:
        raise Refused(loaded.diagnostics)
    profile, found = look(loaded.spec)
    diagnostics = (*loaded.diagnostics, *(loaded.locate(each) for each in found))
    if errors(diagnostics):
        raise Refused(diagnostics)
    if as_json:
        from dataclasses import asdict

        from ftc.views.output import write_json

        write_json({"diagnostics": [each.to_json() for each in diagnostics], "profile": asdict(profile)})
        return
    from ftc.views.diagnostics import show
    from ftc.views.profile import show_profile

    show(diagnostics)
    show_profile(loaded.spec, profile)
