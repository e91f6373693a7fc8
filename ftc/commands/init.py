"""`ftc init`: a first spec from a sentence, flags and the files that are there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ftc import api
from ftc.commands.options import json_option
from ftc.spec.diagnostics import Diagnostic, Refused

# what is asked in a terminal where neither the sentence nor a flag says it: key, question, default
QUESTIONS = (
    ("model.base", "Which model? (hub id, folder, builtin:tiny, or auto)", "auto"),
    ("hardware", "What will it run on? (local, none, cloud, or a GPU: rtx-4090)", "local"),
    ("budget.usd", "How many USD may it cost? (empty: no ceiling)", ""),
    ("budget.hours", "How many hours may it take? (empty: no ceiling)", ""),
)


@click.command("init")
@click.argument("text", required=False, default="")
@click.option(
    "--data", "paths", multiple=True, help="A data file or folder; again for more. Default: those found here."
)
@click.option("--task", help="classification, extraction, summarization, chat, ...")
@click.option("--model", help="Hub id, folder, builtin:tiny, or auto.")
@click.option("--gpu", help="The GPU you have; or local, none, cloud.")
@click.option("--usd", type=float, help="Ceiling in USD.")
@click.option("--hours", type=float, help="Ceiling in hours.")
@click.option("-o", "output", type=click.Path(path_type=Path), default=api.SPEC_FILE, show_default=True)
@click.option("--force", is_flag=True, help="Write over a spec that is there.")
@json_option
def init_command(text: str, paths: tuple[str, ...], output: Path, *, force: bool, as_json: bool, **flags: Any) -> int:
    """Write a commented ftc.yaml from TEXT (what the model is to do, in a sentence), flags and the data files here.

    Without anything, in a terminal, it is a form on screen; with a sentence it asks for what is missing. Every guess is
    marked as one in the file.

    \b
    Examples:
      ftc init "route support questions to one of 12 desks" --data tickets.csv
      ftc init --task summarization --model Qwen/Qwen2.5-7B-Instruct --gpu rtx-4090 --usd 20
    """
    if output.exists() and not force:
        fix = f"ftc init --force writes over it; ftc check {output} looks at it"
        raise Refused([Diagnostic(code="S133", message=f"{output} is there already", fix=fix, file=str(output))])
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
    if asks and sys.stdout.isatty() and not text and not paths and not any(flags.values()):
        return _on_screen(output)
    if asks and not text:
        text = click.prompt("What is the model to do? (a sentence)", default="", show_default=False, err=True)
    values = _values(flags)
    from ftc.spec.draft import draft

    found = draft(text, paths, output.parent, values=values)
    if asks:
        guessed = {each.key for each in found.guesses}
        answers = {
            key: _ask(question, default) for key, question, default in QUESTIONS if key not in guessed | {*values}
        }
        values |= _values({"model": answers.get("model.base"), "gpu": answers.get("hardware"),
                           "usd": answers.get("budget.usd"), "hours": answers.get("budget.hours")})  # fmt: skip
        found = draft(text, paths, output.parent, values=values)
    _write(output, found.text)
    if as_json:
        from ftc.views.output import write_json

        guesses = [{"key": each.key, "value": each.value, "evidence": list(each.evidence)} for each in found.guesses]
        diagnostics = [each.to_json() for each in found.diagnostics]
        write_json({"spec": str(output), "text": found.text, "guesses": guesses, "diagnostics": diagnostics})
        return 0
    from ftc.views.diagnostics import show
    from ftc.views.init import show_draft

    show(found.diagnostics, notes=False)
    show_draft(found, output)
    return 0


def _on_screen(output: Path) -> int:
    """The same as a form; what it wrote is said afterwards."""
    from ftc.screens.app import FtcApp
    from ftc.screens.init import Init
    from ftc.spec.draft import Draft, draft

    def make(said: Mapping[str, str]) -> Draft:
        numbers = {name: _number(said[name]) for name in ("usd", "hours")}
        values = _values({"model": said["model"] or None, "gpu": said["gpu"] or None, **numbers})
        return draft(said["text"], said["data"].split(), output.parent, values=values)

    code = FtcApp(Init(make, lambda text: _write(output, text), output)).run() or 0
    if code == 0:
        click.echo(f"{output} is written; every guess is marked in it. Next: ftc check, then ftc advise.")
    return code


def _number(text: str) -> float | None:
    """None as well where the field holds no number yet."""
    try:
        return float(text)
    except ValueError:
        return None


def _values(flags: dict[str, Any]) -> dict[str, Any]:
    """Flags and answers as dotted keys of the language; what was not said is left out."""
    values = {"goal.task": flags.get("task"), "model.base": flags.get("model")}
    for key, name in (("budget.usd", "usd"), ("budget.hours", "hours")):
        values[key] = flags.get(name) if flags.get(name) != "" else None
    gpu = flags.get("gpu")
    if gpu in ("local", "none"):
        values["hardware"] = gpu
    elif gpu == "cloud":
        values["hardware"] = {"cloud": "any"}
    elif gpu:
        values["hardware"] = {"gpu": gpu}
    return {key: value for key, value in values.items() if value is not None}


def _ask(question: str, default: str) -> Any:
    return click.prompt(question, default=default, show_default=bool(default), err=True)


def _write(output: Path, text: str) -> None:
    """The spec, and beside it the schema that editors check it with."""
    import json

    from ftc.spec.files import write_whole
    from ftc.spec.load import spec_schema
    from ftc.spec.write import SCHEMA_FILE

    write_whole(output, text.encode())
    write_whole(output.parent / SCHEMA_FILE, (json.dumps(spec_schema(), indent=1) + "\n").encode())
