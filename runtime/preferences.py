"""Answers that were preferred, or called good or bad, to token ids: as DPO and KTO train on them, and are scored by.

The same encoding as for demonstrations (`tokens.py`), so that what `prepare` counted is what is learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ftc.runtime.forms import answered
from ftc.runtime.tokens import IGNORED, Encoded, encode

Rows = Sequence[Mapping[str, Any]]


def encode_pairs(tokenizer: Any, rows: Rows, *, max_length: int | None) -> tuple[Encoded, Encoded]:
    """Chosen and rejected, beside each other; a row whose prompt alone fills `max_length` is in neither."""
    both = [_encoded(tokenizer, rows, name, max_length) for name in ("chosen", "rejected")]
    kept = set(both[0].rows) & set(both[1].rows)
    chosen, rejected = (_only(each, kept) for each in both)
    return chosen, rejected


def encode_thumbs(tokenizer: Any, rows: Rows, *, max_length: int | None) -> Encoded:
    """Answers; those whose prompt alone fills `max_length` are left out."""
    return _encoded(tokenizer, rows, "completion", max_length)


def answer_start(labels: Sequence[int]) -> int:
    """How many tokens the prompt has."""
    return next(position for position, label in enumerate(labels) if label != IGNORED)


def _encoded(tokenizer: Any, rows: Rows, name: str, max_length: int | None) -> Encoded:
    conversations = [answered(row["prompt"], row[name], row["place"]) for row in rows]
    return encode(tokenizer, conversations, loss_on="completion", max_length=max_length)


def _only(encoded: Encoded, kept: set[int]) -> Encoded:
    """Those rows of an encoding."""
    stay = [position for position, row in enumerate(encoded.rows) if row in kept]
    aligned = {
        each.name: [getattr(encoded, each.name)[position] for position in stay]
        for each in fields(encoded)
        if each.name not in ("truncated", "masked")
    }
    return Encoded(**aligned, truncated=encoded.truncated, masked=encoded.masked)
