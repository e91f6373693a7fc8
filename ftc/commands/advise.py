"""`ftc advise`: the method, the path to it, what lost, what would change it."""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, spec_argument


@click.command("advise")
@spec_argument
@click.option("--mermaid", is_flag=True, help="Draw the decision tree with the path taken, as Mermaid text.")
@json_option
def advise_command(spec: Path, *, mermaid: bool, as_json: bool) -> int:
    """Decide whether and how to fine-tune for SPEC (ftc.yaml), and say why. Writes nothing.

    \b
    Examples:
      ftc advise
      ftc advise plan-ahead.yaml --json | jq .flips
      ftc advise --mermaid > tree.mmd
    """
    advice = api.advise(spec)
    if mermaid:
        from ftc.advisor.tree import mermaid as draw

        click.echo(draw(advice.verdict.trace, advice.verdict.method))
    elif as_json:
        from ftc.advisor.verdict_json import verdict_json
        from ftc.views.output import write_json

        write_json(verdict_json(advice.verdict))
    else:
        from ftc.views.advice import show_advice
        from ftc.views.diagnostics import show

        show(advice.diagnostics, notes=False)
        show_advice(advice)
    return 3 if advice.verdict.method in ("rag", "needs-data", "infeasible") else 0
