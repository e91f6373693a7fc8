"""Conversations to token ids and labels, as the trainer takes them: what is said, and which of it is learned from.

The same code counts in `prepare` and encodes in training, so that what was reported is what was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftc.runtime.codes import Stopped
from ftc.runtime.forms import conversation

IGNORED = -100  # the label of a token that carries no loss, torch's convention
BEGINNING = 32  # tokens of a raw text that a model is given to go on with: two sentences. A rule of thumb


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Rows that are ready for training, with the places of those that lost something."""

    input_ids: list[list[int]]
    labels: list[list[int]]
    rows: list[int]  # which of the rows given each is
    places: list[str]
    truncated: list[str]  # places of rows that were cut to `max_length`
    masked: list[str]  # places of rows left out, because nothing to learn from was left after the cut

    @property
    def tokens(self) -> int:
        """In all rows."""
        return sum(len(ids) for ids in self.input_ids)

    @property
    def loss_tokens(self) -> int:
        """Those that carry loss."""
        return sum(label != IGNORED for labels in self.labels for label in labels)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max((len(ids) for ids in self.input_ids), default=0)


def encode(tokenizer: Any, rows: Sequence[Mapping[str, Any]], *, loss_on: str, max_length: int | None) -> Encoded:
    """`loss_on`: the last assistant turn (`completion`), every assistant turn (`assistant`), or everything (`all`)."""
    whole, masks = _render(tokenizer, rows, assistant=loss_on == "assistant")
    prompts = _prompts(tokenizer, rows) if loss_on == "completion" else None
    out = Encoded(input_ids=[], labels=[], rows=[], places=[], truncated=[], masked=[])
    for number, (row, ids) in enumerate(zip(rows, whole, strict=True)):
        place = str(row.get("place", ""))
        if prompts is not None:
            start = _common(prompts[number], ids)
            labels = [IGNORED] * start + ids[start:]
        elif masks is not None:
            labels = [token if learn else IGNORED for token, learn in zip(ids, masks[number], strict=True)]
        else:
            labels = list(ids)
        if max_length is not None and len(ids) > max_length:
            out.truncated.append(place)
            ids, labels = ids[:max_length], labels[:max_length]
        if all(label == IGNORED for label in labels):
            out.masked.append(place)
            continue
        out.input_ids.append(ids)
        out.labels.append(labels)
        out.rows.append(number)
        out.places.append(place)
    return out


def encode_text(tokenizer: Any, rows: Sequence[Mapping[str, Any]], *, max_length: int) -> Encoded:
    """Raw text in pieces of `max_length` tokens, with an end of text behind each document; every token carries loss."""
    out = Encoded(input_ids=[], labels=[], rows=[], places=[], truncated=[], masked=[])
    for number, row in enumerate(rows):
        ids = [*tokenizer(row["text"], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        for start in range(0, len(ids), max_length):
            piece = ids[start : start + max_length]
            out.input_ids.append(piece)
            out.labels.append(list(piece))
            out.rows.append(number)
            out.places.append(str(row.get("place", "")))
    return out


def prompt_ids(tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """What a model is asked, for rows of any form: prompts with the header of the answer, the beginning of a text."""
    if rows and "text" in rows[0]:
        whole = _plain(tokenizer, [row["text"] for row in rows])
        return [ids[: max(1, min(BEGINNING, len(ids) // 2))] for ids in whole]
    return _prompts(tokenizer, [conversation(row) for row in rows])


def _prompts(tokenizer: Any, rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    if not tokenizer.chat_template:
        return _plain(tokenizer, ["\n".join(each["content"] for each in row["messages"][:-1]) + "\n" for row in rows])
    return [ids for tools, group in _by_tools(rows) for ids in _templated(tokenizer, tools, group, prompt=True)]


def _render(
    tokenizer: Any, rows: Sequence[Mapping[str, Any]], *, assistant: bool
) -> tuple[list[list[int]], list[list[int]] | None]:
    """Token ids of whole conversations and, where asked for, which of them an assistant said."""
    if not tokenizer.chat_template:
        texts = ["\n".join(each["content"] for each in row["messages"]) + (tokenizer.eos_token or "") for row in rows]
        return _plain(tokenizer, texts), None
    if not assistant:
        return [
            ids for tools, group in _by_tools(rows) for ids in _templated(tokenizer, tools, group, prompt=False)
        ], None
    if "generation" not in tokenizer.chat_template:
        raise Stopped(
            "R210", "the chat template marks no assistant turns ({% generation %}), so loss_on: assistant has none"
        )
    ids, masks = [], []
    for tools, group in _by_tools(rows):
        out = tokenizer.apply_chat_template(
            [row["messages"] for row in group],
            tools=tools,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        ids += out["input_ids"]
        masks += out["assistant_masks"]
    return ids, masks


def _plain(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts)["input_ids"]
    return ids


def _templated(tokenizer: Any, tools: Any, rows: Sequence[Mapping[str, Any]], *, prompt: bool) -> list[list[int]]:
    out = tokenizer.apply_chat_template(
        [row["messages"][:-1] if prompt else row["messages"] for row in rows],
        tools=tools,
        tokenize=True,
        return_dict=True,
        add_generation_prompt=prompt,
    )
    ids: list[list[int]] = out["input_ids"]
    return ids


def _by_tools(rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, list[Mapping[str, Any]]]]:
    """Neighbouring rows with the same tools, which are rendered together."""
    groups: list[tuple[Any, list[Mapping[str, Any]]]] = []
    last: object = groups
    for row in rows:
        tools = row.get("tools")
        if tools != last:
            groups.append((json.loads(tools) if tools else None, []))
            last = tools
        groups[-1][1].append(row)
    return groups


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both start with: where the answer begins, even if a template renders a prompt alone otherwise."""
    length = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        length += 1
    return length
