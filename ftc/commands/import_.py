"""`ftc import`: another tool's configuration, as a spec."""

from __future__ import annotations

from pathlib import Path

import click

from ftc.api import SPEC_FILE
from ftc.commands.options import json_option
from ftc.spec.diagnostics import Diagnostic, Refused

SOURCES = ("axolotl", "llamafactory", "trl")  # as ftc.compiler.imports.SOURCES, which need not be imported
MAX_BYTES = 2**20


@click.command("import")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--from", "tool", type=click.Choice(SOURCES), help="Whose configuration it is. Default: by its keys.")
@click.option("-o", "output", type=click.Path(path_type=Path), default=SPEC_FILE, show_default=True)
@click.option("--force", is_flag=True, help="Write over a spec that is there.")
@json_option
def import_command(config: Path, tool: str | None, output: Path, *, force: bool, as_json: bool) -> None:
    """Write CONFIG (axolotl, LLaMA-Factory or TRL) as a spec, and say what a spec does not say.

    Its hyper-parameters become `overrides`; delete those that ftc should choose by rule. Relative paths stay as they
    are, so the spec belongs where the other tool was started.

    \b
    Examples:
      ftc import axolotl.yaml
      ftc import sft.yaml --from trl -o router.yaml
    """
    from ftc.compiler.imports import SourceTool, import_config
    from ftc.compiler.targets.yaml_file import to_yaml
    from ftc.spec.files import write_whole

    if output.exists() and not force and not as_json:
        message = f"{output} is there already"
        raise Refused([Diagnostic(code="R733", message=message, fix="--force, or -o OTHER.yaml", file=str(output))])
    chosen: SourceTool | None = tool  # type: ignore[assignment]  # click.Choice has checked it
    spec, notes = import_config(_text(config), chosen, name=output.resolve().parent.name, read=_beside)
    if spec is None:
        raise Refused([_in_file(each, config) for each in notes])
    if as_json:
        from ftc.views.output import write_json

        write_json({"spec": spec, "notes": [each.to_json() for each in notes]})
        return
    write_whole(output, to_yaml(spec).encode())
    from ftc.views.diagnostics import show

    show(notes)
    click.echo(f"{output}  next: ftc check {output}")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES >> 20} MiB")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Refused([Diagnostic(code="R731", message=f"{path}: {reason}", file=str(path))]) from None


def _beside(name: str) -> str | None:
    """A file that the configuration names, relative to where the command was started, as the other tool does."""
    try:
        return _text(Path(name))
    except Refused:
        return None


def _in_file(problem: Diagnostic, path: Path) -> Diagnostic:
    from dataclasses import replace

    return replace(problem, file=str(path))
