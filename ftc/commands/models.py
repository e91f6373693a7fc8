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
    from rich.table import Table

    from ftc.views.numbers import count
    from ftc.views.output import console

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("model", "parameters", "active", "layers", "hidden", "context", "kind", "licence"):
        table.add_column(title, justify="left" if title in ("model", "kind", "licence") else "right")
    for each in found:
        active = count(each.active_parameters) if each.active_parameters != each.parameters else ""
        licence = f"{each.licence}{' (gated)' if each.gated else ''}"
        table.add_row(
            each.id, count(each.parameters), active, f"{each.layers}", f"{each.hidden_size:,}", f"{each.context:,}",
            each.kind, licence,
        )  # fmt: skip
    console().print(table)
