"""`ftc export`: a plan as another tool's configuration, with the rows that it would train on."""

from __future__ import annotations

from pathlib import Path

import click

from ftc.api import PLAN_FILE
from ftc.commands.options import json_option
from ftc.spec.diagnostics import Diagnostic, Refused, errors

TOOLS = ("axolotl", "llamafactory", "trl", "torchtune")  # as ftc.compiler.exports.TOOLS, which need not be imported


@click.command("export")
@click.argument("plan", type=click.Path(path_type=Path), default=PLAN_FILE, metavar="[PLAN]")
@click.option("--to", "tool", type=click.Choice(TOOLS), required=True, help="The tool that is to carry out the plan.")
@click.option("-o", "folder", type=click.Path(path_type=Path, file_okay=False), help="Default: export-TOOL.")
@json_option
def export_command(plan: Path, tool: str, folder: Path | None, *, as_json: bool) -> None:
    """Write PLAN (ftc.plan.json) as the configuration of another tool, and say what could not be carried over.

    The folder also gets the rows, split as `ftc run` splits them: the other tool trains on the same ones.

    \b
    Examples:
      ftc export --to axolotl
      ftc export router.plan.json --to trl -o trl-router
    """
    from ftc.compiler.exports import Tool, export
    from ftc.compiler.exports.data import data_files
    from ftc.compiler.plan_file import load_plan
    from ftc.spec.files import write_whole

    loaded, problems = load_plan(plan)
    if loaded is None:
        raise Refused(problems)
    chosen: Tool = tool  # type: ignore[assignment]  # click.Choice has checked it
    files, notes = export(loaded, chosen)
    if not files:
        raise Refused(notes, 3)
    rows, findings = data_files(loaded, tool, plan.parent)
    if stopped := errors(findings):
        raise Refused(stopped)
    target = folder or Path(f"export-{tool}")
    for name, content in sorted({**files, **rows}.items()):
        write_whole(target / name, content.encode("utf-8", "replace"))
    _show(target, sorted({**files, **rows}), [*notes, *findings], as_json=as_json)


def _show(folder: Path, names: list[str], notes: list[Diagnostic], *, as_json: bool) -> None:
    if as_json:
        from ftc.views.output import write_json

        write_json({"folder": str(folder), "files": names, "notes": [each.to_json() for each in notes]})
        return
    from ftc.views.diagnostics import show

    show(notes)
    for name in names:
        click.echo(folder / name)
