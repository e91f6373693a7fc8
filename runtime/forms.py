"""The forms in which rows lie in a run's folder, one JSON object a line: what later stages read.

`demonstrations`: messages, label, tools. `pairs`: prompt, chosen, rejected. `thumbs`: prompt, completion, good.
`prompts`: prompt, and answer or tests where it can be checked. `documents`: text. `prompt` is a list of messages;
every row has its `place` in the user's files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ftc.spec.pairs import pairs_of
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb

Written = dict[str, Any]


def written(row: Row, form: str) -> list[Written]:
    """The row in that form: none where it has nothing of the kind, several where it holds several."""
    return FORMS[form](row)


def _demonstration(row: Row) -> list[Written]:
    if not isinstance(row, Demonstration):
        return []
    out: Written = {"messages": _messages(row.messages), "place": row.place}
    if row.label is not None:
        out["label"] = row.label
    if row.tools is not None:
        out["tools"] = row.tools
    return [out]


def _pairs(row: Row) -> list[Written]:
    """A pair; every answer of a ranking before each that stands below it."""
    found = (row,) if isinstance(row, Pair) else pairs_of(row) if isinstance(row, Ranking) else ()
    return [
        {
            "prompt": _messages(each.prompt),
            "chosen": _clean(each.chosen),
            "rejected": _clean(each.rejected),
            "place": each.place,
        }
        for each in found
    ]


def _thumbs(row: Row) -> list[Written]:
    """A thumb; the answers of a pair as one good and one bad."""
    if isinstance(row, Thumb):
        said = [(row.completion, row.good)]
    elif isinstance(row, Pair):
        said = [(row.chosen, True), (row.rejected, False)]
    else:
        return []
    return [
        {"prompt": _messages(row.prompt), "completion": _clean(text), "good": good, "place": row.place}
        for text, good in said
    ]


def _prompts(row: Row) -> list[Written]:
    """What is asked; of a demonstration, its answer is what others are compared with."""
    if isinstance(row, Document):
        return []
    out: Written = {"prompt": _messages(row.prompt), "place": row.place}
    if isinstance(row, Demonstration):
        out["answer"] = _clean(row.completion.content)
    if isinstance(row, Prompt):
        out |= {name: _clean(text) for name, text in (("answer", row.answer), ("tests", row.tests)) if text is not None}
    return [out]


def _documents(row: Row) -> list[Written]:
    return [{"text": _clean(row.text), "place": row.place}] if isinstance(row, Document) else []


FORMS: Mapping[str, Callable[[Row], list[Written]]] = {
    "demonstrations": _demonstration,
    "pairs": _pairs,
    "thumbs": _thumbs,
    "prompts": _prompts,
    "documents": _documents,
}


def conversation(row: Mapping[str, Any]) -> Written:
    """A row of any form, ending in an answer: of a pair the better one, nothing where none is known.

    Raw text is an answer to nothing.
    """
    if "messages" in row:
        return dict(row)
    known = (row[name] for name in ("chosen", "completion", "answer", "text") if name in row)
    return answered(row.get("prompt", ()), next(known, ""), row.get("place", ""))


def answered(prompt: Iterable[Mapping[str, str]], answer: str, place: str = "") -> Written:
    """A prompt and an answer as one conversation."""
    return {"messages": [*prompt, {"role": "assistant", "content": answer}], "place": place}


def balanced(rows: Sequence[Written], commoner: float, seed: int) -> list[Written]:
    """Thumbs with at most `commoner` of the more frequent kind for each of the rarer, drawn by lot, in their order."""
    good = [number for number, row in enumerate(rows) if row["good"]]
    bad = [number for number, row in enumerate(rows) if not row["good"]]
    rarer, more = sorted((good, bad), key=len)
    most = int(commoner * max(1, len(rarer)))
    if len(more) <= most:
        return list(rows)
    kept = {*rarer, *random.Random(seed).sample(more, most)}  # noqa: S311 - a lot, not a secret
    return [row for number, row in enumerate(rows) if number in kept]


def _messages(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": each.role, "content": _clean(each.content)} for each in messages]


def _clean(text: str) -> str:
    """Half a surrogate pair, as broken JSON may hold, has no place in a tokenizer: it becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
