"""`ftc runs`: what ran here, and what came out."""

from __future__ import annotations

from pathlib import Path

import click

from ftc.commands.options import json_option, out_option


@click.command("runs")
@out_option
@json_option
def runs_command(out: Path, *, as_json: bool) -> None:
    """List the runs under --out, newest first: how each ended, how long it took, its scores.

    \b
    Examples:
      ftc runs
      ftc runs --out /data/runs --json
    """
    from ftc.runtime.run_list import runs

    found = runs(out)
    if as_json:
        from dataclasses import asdict

        from ftc.views.output import write_json

        write_json({"runs": [asdict(each) for each in found]})
        return
    from ftc.views.numbers import duration
    from ftc.views.output import console, print_table

    if not found:
        console().print(f"no runs under {out}; `ftc run` makes one")
        return
    rows = (
        (
            each.name,
            each.state,
            each.method,
            duration(each.hours),
            "  ".join(f"{name} {value:.3f}" for name, value in each.scores.items()),
        )
        for each in found
    )
    print_table(rows, titles=("run", "state", "method", "time", "held-out scores"))
