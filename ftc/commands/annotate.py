"""`ftc annotate`: a person ranks answers; what comes out is preference data."""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftc.commands.options import json_option
from ftc.spec.diagnostics import Diagnostic, Refused

if TYPE_CHECKING:
    from ftc.screens.ballots import Merged


@click.command("annotate")
@click.argument("prompts", type=click.Path(path_type=Path), required=False, metavar="[PROMPTS]")
@click.option(
    "--model", "models", multiple=True, metavar="RUN", help="Whose answers to rank: a run, a folder, a hub id."
)
@click.option("-o", "output", type=click.Path(path_type=Path), default="prefs.jsonl", show_default=True)
@click.option("--annotator", default="", help="Whose choices these are. Default: the name of the user.")
@click.option("--answers", type=click.IntRange(2, 9), default=2, show_default=True, help="How many to sample a prompt.")
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Of a sampled answer.")
@click.option("--temperature", type=click.FloatRange(0, 5), default=1.0, show_default=True, help="Of sampling.")
@click.option(
    "--second-look", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share of rows shown twice."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--merge", "merged", multiple=True, type=click.Path(path_type=Path), help="Put choices of several together."
)
@click.option(
    "--out", "runs", type=click.Path(path_type=Path), default="runs", show_default=True, help="The folder of runs."
)
@json_option
def annotate_command(
    prompts: Path | None,
    *,
    models: tuple[str, ...],
    output: Path,
    annotator: str,
    answers: int,
    max_tokens: int,
    temperature: float,
    second_look: float,
    seed: int,
    merged: tuple[Path, ...],
    runs: Path,
    as_json: bool,
) -> None:
    """Rank answers to PROMPTS side by side; write preference pairs that `data.feedback.path` takes.

    Rows of PROMPTS that hold answers ({"prompt": ..., "answers": [...]}) are ranked as they are; prompts alone are
    answered by the models of --model first. Every choice is kept at once in OUTPUT's .choices.jsonl; the same command
    goes on where it was closed or killed.

    \b
    Examples:
      ftc annotate answers.jsonl
      ftc annotate prompts.jsonl --model support-router-3f9a1c2e -o prefs.jsonl
      ftc annotate --merge ann.choices.jsonl --merge ben.choices.jsonl -o prefs.jsonl
    """
    if merged:
        _merge(merged, output, as_json=as_json)
        return
    if prompts is None:
        raise click.UsageError("name a file of prompts, or choices to --merge")
    from ftc.screens.asked import read_asked
    from ftc.screens.ballots import Ballots, choices_path

    asked = read_asked(prompts)
    if not asked.rows and not models:
        message = f"{prompts}: {len(asked.prompts):,} prompts without answers"
        raise Refused([Diagnostic(code="D121", message=message, fix="--model RUN samples answers to them")])
    who = annotator or getpass.getuser()
    ballots = Ballots(rows=asked.rows, out=output, annotator=who, seed=seed, second=second_look, clock=time.time)
    if as_json:
        from ftc.views.output import write_json

        progress = ballots.progress()
        write_json(
            {name: getattr(progress, name) for name in progress.__slots__} | {"choices": str(choices_path(output))}
        )
        return
    from ftc.views.diagnostics import show

    show(asked.diagnostics)
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise click.UsageError("ranking needs a terminal; --json tells how far it is, --merge puts choices together")
    from ftc.screens.annotate import Annotate
    from ftc.screens.app import FtcApp  # textual: 200 ms
    from ftc.screens.sampled import Sampling, model_of

    told = None
    if asked.prompts:
        told = Sampling(
            models=tuple(model_of(each, runs) for each in models),
            answers=answers,
            max_new_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
        )
    FtcApp(Annotate(ballots, asked.prompts, told)).run()
    progress = ballots.progress()
    click.echo(f"{progress.judged:,} of {progress.rows:,} rows judged, {progress.pairs:,} pairs in {output}")


def _merge(merged: tuple[Path, ...], output: Path, *, as_json: bool) -> None:
    """The majority's pairs, and how far the annotators agree."""
    import json

    from ftc.screens.ballots import merge, read_choices
    from ftc.spec.files import write_whole

    missing = [each for each in merged if not each.is_file()]
    if missing:
        raise Refused([Diagnostic(code="D101", message=f"no such file: {each}", file=str(each)) for each in missing])
    choices = [choice for path in merged for choice in read_choices(path)]
    if not choices:
        raise Refused([Diagnostic(code="D121", message="no choices in these files; they end in .choices.jsonl")])
    found = merge(choices)
    write_whole(output, b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in found.pairs))
    if as_json:
        from ftc.views.output import write_json

        write_json(
            {name: getattr(found, name) for name in found.__slots__ if name != "pairs"} | {"pairs": len(found.pairs)}
        )
    else:
        _show(found, output)


def _show(found: Merged, output: Path) -> None:
    several = found.judged_by_several
    click.echo(f"{', '.join(found.annotators)}: {found.rows:,} rows, {several:,} of them judged by several")
    if several:
        kappa = f"; Cohen's kappa {found.kappa:.2f}" if found.kappa is not None else ""
        click.echo(f"all agree on {found.agreed:,} of {several:,}{kappa}")
    click.echo(f"{len(found.pairs):,} pairs in {output}, {found.disputed:,} rows left out without a majority")
    if several:
        click.echo(f"data: {{feedback: {{path: {output.name}, agreement: {found.agreed / several:.2f}}}}}")
