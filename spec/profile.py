"""What the data is, as values: counted by streaming it (`measure.py`) or taken from a description.

Lengths are in tokens of the tokenizer that is named, or an estimate whose relative error is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["demonstrations", "feedback", "corpus", "prompts", "evaluation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Token counts over the rows of a set; `total` over all rows, the others per row."""

    mean: float
    p50: int
    p90: int
    p95: int
    p99: int
    max: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProfile:
    """One role of the data. `rows_read == rows + rows_reported` always."""

    role: Role
    format: str  # a row format by name, after recognition
    rows: int  # usable
    rows_read: int
    rows_reported: int = 0  # not usable, each in a finding
    described: bool = False  # nothing was looked at: the numbers are the user's
    prompt: Lengths | None = None
    completion: Lengths | None = None
    sequence: Lengths | None = None  # prompt and completion together, as trained on
    histogram: tuple[tuple[int, int], ...] = ()  # (upper length in tokens, rows), ascending: for padding waste
    tokenizer: str = "estimate"  # what counted the tokens
    token_error: float = 0.0  # relative, where it is an estimate
    classes: tuple[tuple[str, int], ...] = ()  # (label, rows), most frequent first; empty for free text
    languages: tuple[tuple[str, float], ...] = ()  # (ISO 639-1, share of rows)
    turns: float = 1.0  # mean user turns a row
    system_share: float = 0.0
    tools_share: float = 0.0
    groups: int | None = None
    exact_duplicates: int = 0
    near_duplicates: int = 0
    sampled_rows: int = 0  # on which near duplicates, languages and personal data were looked for; 0: on all
    loss_share: float | None = None  # share of tokens that carry loss when training on completions only
    content_hash: str = ""  # of the bytes read, for caching and for drift


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackProfile:
    """The feedback, once its shape is known."""

    type: str  # a FeedbackType other than auto
    set: SetProfile
    positive: int | None = None
    negative: int | None = None
    answers_per_prompt: float | None = None
    prompts: int | None = None  # distinct
    length_bias: float | None = None  # share of pairs whose chosen answer is the longer one


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProfile:
    """All roles together. `overlap` is the number of evaluation rows whose prompt also stands in the training rows."""

    demonstrations: SetProfile | None = None
    feedback: FeedbackProfile | None = None
    corpus: SetProfile | None = None
    prompts: SetProfile | None = None
    evaluation: SetProfile | None = None
    held_out_rows: int = 0  # what evaluation will run on
    train_rows: int = 0  # what is left for training
    overlap: int = 0
    personal_data: Mapping[str, int] = field(default_factory=dict)  # kind (email, phone, ...) -> rows
    hashes: Mapping[str, str] = field(default_factory=dict)  # file as written -> `blake3:` + hash
    seconds: float = 0.0  # what the profiling took; never reaches a plan
