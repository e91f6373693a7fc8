"""`--target`, `--emit` and `--option`, for the verbs that hand a plan to an engine."""

from __future__ import annotations

from pathlib import Path

import click

ENGINES = ("local", "slurm", "skypilot", "kubernetes", "ray")  # as ftc.compiler.targets.TARGETS, which costs 60 ms

target_option = click.option("--target", type=click.Choice(ENGINES), help="The engine that the plan is to run on.")
emit_option = click.option(
    "--emit", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write the engine's files there."
)
engine_option = click.option(
    "--option", "words", multiple=True, metavar="KEY=VALUE",
    help="An option of the engine (partition=gpu, image=..., spot=true); docs/engines.md lists them.",
)  # fmt: skip
