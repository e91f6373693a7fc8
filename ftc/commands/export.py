"""`ftc export`: a plan as another tool's configuration with its rows, or the result of a run for another target."""

from __future__ import annotations

from pathlib import Path

import click

from ftc.api import PLAN_FILE
from ftc.commands.options import json_option, out_option
from ftc.spec.diagnostics import Diagnostic, Refused, errors

TOOLS = ("axolotl", "llamafactory", "trl", "torchtune")  # as ftc.compiler.exports.TOOLS, which need not be imported
TARGETS = ("transformers", "adapter", "vllm", "gguf", "ollama")  # as ftc.runtime.conversions.TARGETS, likewise


@click.command("export")
@click.argument("what", type=click.Path(path_type=Path), default=PLAN_FILE, metavar="[RUN|PLAN]")
@click.option(
    "--to",
    "target",
    type=click.Choice((*TARGETS, *TOOLS)),
    required=True,
    help="What is to serve the RUN, or the tool that is to carry out the PLAN.",
)
@click.option(
    "-o", "folder", type=click.Path(path_type=Path, file_okay=False), help="For a plan. Default: export-TOOL."
)
@out_option
@json_option
def export_command(what: Path, target: str, folder: Path | None, *, out: Path, as_json: bool) -> int:
    """Write the model of RUN for another target, or PLAN (ftc.plan.json) as the configuration of another tool.

    A run's files go into its folder: the adapter, a serve command of vLLM, GGUF, an Ollama Modelfile. A plan's folder
    also gets the rows, split as `ftc run` splits them; what could not be carried over is said.

    \b
    Examples:
      ftc export support-router-3f9a1c2e --to ollama
      LLAMA_CPP_DIR=~/llama.cpp ftc export runs/support-router-3f9a1c2e --to gguf
      ftc export --to axolotl
      ftc export router.plan.json --to trl -o trl-router
    """
    if target in TARGETS:
        if folder is not None:
            raise click.UsageError("what is made of a run lies in the run's folder, beside the model: no -o")
        return _export_run(what, target, out, as_json=as_json)
    _export_plan(what, target, folder, as_json=as_json)
    return 0


def _export_run(what: Path, target: str, out: Path, *, as_json: bool) -> int:
    """A process of its own converts: the front door loads no model."""
    import json
    import subprocess
    import sys

    from ftc.runtime.run_folder import RunFolder

    run = next((each for each in (out / what, what) if RunFolder(each).plan.is_file()), None)
    if run is None:
        message = f"{what} is no run: neither it nor {out / what} has a plan.json"
        raise Refused([Diagnostic(code="R107", message=message, fix="`ftc runs` lists them")])
    command = [sys.executable, "-P", "-m", "ftc.runtime.conversions", str(run), target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Refused([Diagnostic(code="R201", message=f"the conversion failed: {last}")], 1) from None
    if "missing" in found:
        from ftc.runtime.codes import CODES

        raise Refused([Diagnostic(code="R416", message=found["missing"], fix=CODES["R416"].fix)], 1)
    files = [run / each for each in found["files"]]
    if as_json:
        from ftc.views.output import write_json

        write_json({"folder": str(run), "files": [str(each) for each in files], "notes": []})
    else:
        for each in files:
            click.echo(each)
    return 0


def _export_plan(plan: Path, tool: str, folder: Path | None, *, as_json: bool) -> None:
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
