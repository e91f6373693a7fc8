"""`ftc models`: the models that ftc knows by name."""

from __future__ import annotations

import click

from ftc.commands.options import json_option


@click.command("models")
@click.argument("contains", required=False, default="")
@json_option
def models_command(contains: str, *, as_json: bool) -> None:
    """List the built-in catalogue of models, those whose id contains CONTAINS.

    \b
    Examples:
      ftc models
      ftc models qwen2.5
    """
    from dataclasses import asdict

    from ftc.advisor.models import catalogue

    found = [each for each in catalogue() if contains.lower() in each.id.lower()]
    if as_json:
        from ftc.views.output import write_json

        write_json({"models": [asdict(each) for each in found]})
        return
    from ftc.views.numbers import count
    from ftc.views.output import print_table

    rows = [
        (
            each.id,
            count(each.parameters),
            count(each.active_parameters) if each.active_parameters != each.parameters else "",
            f"{each.context:,}",
            each.kind,
            f"{each.licence}{' (gated)' if each.gated else ''}",
        )
        for each in found
    ]
    titles = ("model", "params", "active", "context", "kind", "licence")
    print_table(rows, titles=titles, right=("params", "active", "context"))
