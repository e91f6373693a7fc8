"""Who is asked when answers are scored: a model that transformers loads, or one behind an endpoint.

Both answer rows of messages; only a model that is at hand can be held to labels and has a loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftc.runtime import answers
from ftc.runtime.context import Context
from ftc.runtime.loading import BASE, load_model, load_tokenizer
from ftc.runtime.prompting.endpoint import PREFIX
from ftc.runtime.tokens import prompt_ids

UNKNOWN_ROOM = 4096  # tokens of context where neither plan nor model says


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A model and its tokenizer. `room` is the context in tokens."""

    model: Any
    tokenizer: Any
    room: int

    def answer(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        max_new_tokens: int,
        batch_size: int,
        labels: Sequence[str] = (),
        json_schema: str | None = None,
        on_batch: answers.OnBatch | None = None,
    ) -> list[str]:
        """The answer to each row."""
        return answers.generate(
            self.model,
            self.tokenizer,
            prompt_ids(self.tokenizer, rows),
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            labels=labels,
            json_schema=json_schema,
            on_batch=on_batch,
        )

    def fits(self, rows: Sequence[Mapping[str, Any]], max_new_tokens: int) -> bool:
        """Whether the longest of the rows and its answer fit into the context."""
        longest = max(rows, key=_characters)
        return len(prompt_ids(self.tokenizer, [longest])[0]) + max_new_tokens <= self.room


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A model behind an OpenAI-compatible endpoint."""

    name: str

    def answer(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        max_new_tokens: int,
        batch_size: int,
        labels: Sequence[str] = (),
        json_schema: str | None = None,
        on_batch: answers.OnBatch | None = None,
    ) -> list[str]:
        """The answer to each row; it cannot be held to labels."""
        from ftc.runtime.prompting import endpoint

        conversations = [row["messages"][:-1] for row in rows]
        return endpoint.answers(
            self.name, conversations, max_new_tokens=max_new_tokens, json_schema=json_schema, on_batch=on_batch
        )

    def fits(self, rows: Sequence[Mapping[str, Any]], max_new_tokens: int) -> bool:
        """True: the endpoint knows its context, and says so where it is too short."""
        return True


def who(context: Context, what: str, *, dtype: str, quantized: Mapping[str, Any] | None) -> Local | Endpoint:
    """The base, or what a stage came to, ready to be asked."""
    base = str(context.plan.model["base"])
    if what == BASE and base.startswith(PREFIX):
        return Endpoint(name=base)
    model = load_model(context, what, dtype=dtype, quantized=quantized)
    limit = getattr(model.config, "max_position_embeddings", 0)
    room = int(context.plan.model.get("context") or limit or UNKNOWN_ROOM)
    return Local(model=model, tokenizer=load_tokenizer(context), room=room)


def _characters(row: Mapping[str, Any]) -> int:
    return sum(len(each["content"]) for each in row["messages"])
