"""A prompt that can be used again: a Jinja2 template of the first question, examples before it, and how it scored.

In a folder these are `template.j2`, `examples.jsonl` and `prompt.json`. Templates are rendered in a sandbox, and what
rows say reaches them as values, never as template text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ftc.runtime.run_folder import read_rows, write_json, write_rows
from ftc.spec.files import write_whole

FOLDER = "prompt"
TEMPLATE, EXAMPLES, REST = "template.j2", "examples.jsonl", "prompt.json"
QUESTION = "{{ question }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A prompt. `template` knows `goal`, `labels` and `question`."""

    template: str
    examples: list[dict[str, str]]  # question, answer; the last one stands next to what is asked
    goal: str
    labels: list[str]
    constrain_labels: bool
    json_schema: str | None
    model: str
    metric: str
    score: dict[str, float]  # value, low, high of the metric on the development rows
    development_rows: int


def whole_template(instruction: str) -> str:
    """The template of a first question, with an instruction before it where there is one."""
    return f"{instruction}\n\n{QUESTION}" if instruction else QUESTION


def asked(pack: Pack, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as it is asked: examples as turns, then its own; the template is around the first question of all."""
    messages = [dict(each) for each in row["messages"]]
    first = next((number for number, each in enumerate(messages) if each["role"] == "user"), None)
    if first is None:
        return dict(row)
    turns = [
        {"role": role, "content": example[name]}
        for example in pack.examples
        for role, name in (("user", "question"), ("assistant", "answer"))
    ]
    opening = turns[0] if turns else messages[first]
    opening["content"] = _compiled(pack.template).render(
        goal=pack.goal, labels=pack.labels, question=opening["content"]
    )
    return {**row, "messages": [*messages[:first], *turns, *messages[first:]]}


def example_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The last question of a conversation and its answer."""
    messages: Sequence[Mapping[str, str]] = row["messages"]
    question = next((each["content"] for each in reversed(messages[:-1]) if each["role"] == "user"), "")
    return {"question": question, "answer": messages[-1]["content"]}


def write_pack(folder: Path, pack: Pack) -> None:
    """The three files."""
    rest = asdict(pack)
    write_whole(folder / TEMPLATE, rest.pop("template").encode())
    write_rows(folder / EXAMPLES, rest.pop("examples"))
    write_json(folder / REST, rest)


def read_pack(folder: Path) -> Pack:
    """The inverse of `write_pack`."""
    rest = json.loads((folder / REST).read_text("utf-8"))
    return Pack(template=(folder / TEMPLATE).read_bytes().decode(), examples=list(read_rows(folder / EXAMPLES)), **rest)


@lru_cache(maxsize=64)
def _compiled(template: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False).from_string(template)
