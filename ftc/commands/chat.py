"""`ftc chat`: talk to the result of a run. The model answers in a process of its own; nothing heavy is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ftc.commands.options import json_option, out_option
from ftc.spec.diagnostics import Diagnostic, Refused
from ftc.talking import BASE, TUNED, Ask, talking

LEAVE = ("/exit", "/quit")


@click.command("chat")
@click.argument("run", metavar="RUN")
@click.option("--adapter", is_flag=True, help="The adapter on its base, instead of the merged model.")
@click.option("--base", "with_base", is_flag=True, help="The base beside it, asked the same.")
@click.option("--prompt", "prompt", help="Ask this once and leave.")
@click.option("--system", default="", help="A system message before everything.")
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Of an answer.")
@click.option(
    "--temperature", type=click.FloatRange(0, 5), default=0.0, show_default=True, help="0 takes the likeliest word."
)
@click.option("--seed", type=int, default=0, show_default=True)
@out_option
@json_option
def chat_command(
    run: str,
    *,
    adapter: bool,
    with_base: bool,
    prompt: str | None,
    system: str,
    max_tokens: int,
    temperature: float,
    seed: int,
    out: Path,
    as_json: bool,
) -> int | None:
    """Talk to the model of RUN: a run's name or folder, a folder with a model, or a hub id.

    In a terminal it is a screen. Without one, every line of the input is a turn; --json gives all turns with their
    answers at the end.

    \b
    Examples:
      ftc chat support-router-3f9a1c2e
      ftc chat support-router-3f9a1c2e --base --prompt "My card is lost"
      ftc chat support-router-3f9a1c2e --json < questions.txt
    """
    models = [*([BASE] if with_base else []), TUNED]
    told = {
        "place": _place(run, out),
        "models": models,
        "adapter": adapter,
        "max_new_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
    }
    if sys.stdin.isatty() and sys.stdout.isatty() and prompt is None and not as_json:
        from ftc.screens.app import FtcApp
        from ftc.screens.chat import Chat

        return FtcApp(Chat(told, system=system)).run()
    with talking(told, _quiet if as_json else _state) as ask:
        talks: dict[str, list[dict[str, str]]] = {
            name: [{"role": "system", "content": system}] if system else [] for name in models
        }
        turns = []
        for said in _questions(prompt):
            turns.append({"prompt": said, "answers": _turn(said, talks, ask, as_json=as_json)})
    if as_json:
        from ftc.views.output import write_json

        write_json({"run": told["place"], "turns": turns})
    return None


def _place(run: str, out: Path) -> str:
    """The folder of a run, another folder, or a hub id as it is."""
    for folder in (out / run, Path(run)):
        if (folder / "plan.json").is_file() or folder.is_dir():
            return str(folder.resolve())
    if "/" in run and not run.startswith((".", "/", "~")) and run.count("/") == 1:
        return run
    message = f"no run, folder or hub id: {run}"
    raise Refused([Diagnostic(code="R107", message=message, fix="`ftc runs` lists the runs")])


def _questions(prompt: str | None) -> Iterator[str]:
    """What is asked: once, or line by line until someone leaves or the input ends."""
    if prompt is not None:
        yield prompt
        return
    for line in sys.stdin:
        if line.strip() in LEAVE:
            return
        if line.strip():
            yield line.strip()


def _state(text: str) -> None:
    click.echo(text, err=True)


def _quiet(_: str) -> None:
    return None


def _turn(said: str, talks: dict[str, list[dict[str, str]]], ask: Ask, *, as_json: bool) -> dict[str, str]:
    """Every model answers; each keeps its own conversation."""
    answers = {}
    for name, talk in talks.items():
        if not as_json and len(talks) > 1:
            click.echo(click.style(f"{name}: ", bold=True), nl=False)
        talk.append({"role": "user", "content": said})
        answers[name] = ask(name, talk, _quiet if as_json else _echo)
        talk.append({"role": "assistant", "content": answers[name]})
        if not as_json:
            click.echo("")
    return answers


def _echo(text: str) -> None:
    click.echo(text, nl=False)
    sys.stdout.flush()
