"""The rows to rank: prompts with ready-made answers from any container, or prompts alone, whose answers a model gives.

A row that cannot be used is counted and reported with its place, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftc.screens.ballots import Row
from ftc.spec.diagnostics import Diagnostic, Refused, Severity, errors
from ftc.spec.model import Source
from ftc.spec.rows import Message, Prompt

PROMPTS = ("prompt", "messages", "question", "instruction", "input", "query", "text")
ANSWERS = ("answers", "responses", "candidates", "completions", "generations", "outputs")
PAIRS = (
    ("answer_a", "answer_b"), ("response_a", "response_b"), ("answer_1", "answer_2"), ("response_1", "response_2"),
    ("response_0", "response_1"), ("answer_0", "answer_1"), ("first", "second"), ("a", "b"), ("chosen", "rejected"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a file holds: rows that can be ranked as they are, prompts that need answers first, and what was wrong."""

    rows: tuple[Row, ...]
    prompts: tuple[Prompt, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def read_asked(path: Path) -> Asked:
    """The rows of a file. Raises Refused where it cannot be read or holds nothing to rank."""
    from ftc.spec.data.files import find, records
    from ftc.spec.data.records import Broken

    try:
        files = find(path.name, path.parent)
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise Refused([Diagnostic(code="D101", message=message, file=str(path))]) from None
    rows: list[Row] = []
    unusable: list[str] = []
    total = 0
    for file in files:
        for line, record in records(file):
            total += 1
            row = None if isinstance(record, Broken) else row_of(record, f"{file.name}:{line}")
            if row is None:
                unusable.append(f"{file.name}:{line}")
            else:
                rows.append(row)
    if rows:
        return Asked(rows=tuple(rows), prompts=(), diagnostics=_reported(unusable, total))
    return _prompts_alone(path)


def row_of(record: Any, place: str) -> Row | None:
    """A prompt with two or more answers that differ; None where the record holds none."""
    if not isinstance(record, Mapping):
        return None
    by_name = {str(name).lower().strip(): value for name, value in record.items()}
    prompt = next((found for name in PROMPTS if (found := _messages(by_name.get(name)))), None)
    answers = tuple(dict.fromkeys(_answers(by_name)))
    if prompt is None or len(answers) < 2:
        return None
    return Row(prompt=prompt, answers=answers, place=place)


def _answers(by_name: Mapping[str, Any]) -> Iterator[str]:
    for name in ANSWERS:
        value = by_name.get(name)
        if isinstance(value, list) and len(value) > 1:
            yield from (text for each in value if (text := _text(each)))
            return
    for pair in PAIRS:
        texts = [_text(by_name.get(name)) for name in pair]
        if all(texts):
            yield from texts
            return


def _text(value: Any) -> str:
    """An answer, as text: a text itself, or the last turn of a list of turns."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return _text(value.get("content") or value.get("text") or value.get("value"))
    return _text(value[-1]) if isinstance(value, list) and value else ""


def _messages(value: Any) -> tuple[Message, ...]:
    from ftc.spec.turns import Unfit, is_turns, messages_of

    if isinstance(value, str) and value.strip():
        return (Message(role="user", content=value.strip()),)
    if is_turns(value):
        try:
            found = messages_of(value)
        except Unfit:
            return ()
        return tuple(found[:-1] if found[-1].role == "assistant" else found)
    return ()


def _prompts_alone(path: Path) -> Asked:
    """Prompts without answers, by the same reading as `data.prompts`."""
    from ftc.spec.read import read

    reading = read(Source(path=path.name), path.parent, "prompts")
    prompts = tuple(each for each in reading.rows if isinstance(each, Prompt))
    found = tuple(reading.findings)
    if errors(found) or not prompts:
        nothing = Diagnostic(
            code="D121",
            message=f"{path}: no prompts, and no prompts with answers to rank",
            fix='{"prompt": "...", "answers": ["...", "..."]} on each line, or prompts alone with --model RUN',
        )
        raise Refused(errors(found) or [nothing])
    return Asked(rows=(), prompts=prompts, diagnostics=found)


def _reported(unusable: list[str], total: int) -> tuple[Diagnostic, ...]:
    if not unusable:
        return ()
    return (
        Diagnostic(
            code="D120",
            severity=Severity.WARNING,
            message=f"{len(unusable):,} of {total:,} rows have no prompt with two different answers, and are left out",
            examples=tuple(unusable[:5]),
            count=len(unusable),
        ),
    )
