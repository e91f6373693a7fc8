"""Rows in the form that each tool reads: one JSON object a line, conversations as lists of role and content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb

Json = dict[str, Any]


def portable(row: Row, tool: str) -> list[Json]:
    """The row as `tool` reads it; several where a ranking becomes pairs."""
    match row:
        case Demonstration():
            return [_demonstration(row, tool)]
        case Pair():
            return [_pair(row.prompt, row.chosen, row.rejected, tool)]
        case Ranking():
            answers = row.answers
            return [
                _pair(row.prompt, better, worse, tool)
                for index, better in enumerate(answers)
                for worse in answers[index + 1 :]
            ]
        case Thumb():
            return [_thumb(row, tool)]
        case Prompt():
            return [_without_none({"prompt": _turns(row.prompt), "answer": row.answer, "tests": row.tests})]
        case Document():
            return [{"text": row.text}]


def _demonstration(row: Demonstration, tool: str) -> Json:
    tools = {"tools": row.tools} if row.tools else {}
    if tool == "trl":  # in this form TRL learns from the completion only
        return {"prompt": _turns(row.prompt), "completion": _turns((row.completion,)), **tools}
    return {"messages": _turns(row.messages), **tools}


def _pair(prompt: Sequence[Message], chosen: str, rejected: str, tool: str) -> Json:
    if tool == "torchtune":  # whole conversations
        return {
            "chosen": [*_turns(prompt), _answer(chosen)],
            "rejected": [*_turns(prompt), _answer(rejected)],
        }
    if tool == "trl":
        return {"prompt": _turns(prompt), "chosen": [_answer(chosen)], "rejected": [_answer(rejected)]}
    return {"messages": _turns(prompt), "chosen": _answer(chosen), "rejected": _answer(rejected)}


def _thumb(row: Thumb, tool: str) -> Json:
    if tool == "llamafactory":
        return {"messages": [*_turns(row.prompt), _answer(row.completion)], "label": row.good}
    if tool == "axolotl":  # its KTO reads text
        asked = "\n\n".join(each.content for each in row.prompt)
        return {"prompt": asked, "completion": row.completion, "label": row.good}
    return {"prompt": _turns(row.prompt), "completion": [_answer(row.completion)], "label": row.good}


def _turns(messages: Sequence[Message]) -> list[Json]:
    return [{"role": each.role, "content": each.content} for each in messages]


def _answer(text: str) -> Json:
    return {"role": "assistant", "content": text}


def _without_none(value: Json) -> Json:
    return {key: each for key, each in value.items() if each is not None}
