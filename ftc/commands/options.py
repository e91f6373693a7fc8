"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from ftc.api import PLAN_FILE, RUNS_FOLDER, SPEC_FILE

spec_argument = click.argument("spec", type=click.Path(path_type=Path), default=SPEC_FILE, metavar="[SPEC]")
plan_argument = click.argument("plan", type=click.Path(path_type=Path), default=PLAN_FILE, metavar="[PLAN]")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there.")
out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=RUNS_FOLDER, show_default=True, help="The folder of runs."
)
