"""The spec as values: what a person wants, has and may spend, with every default filled in.

The language itself, with its vocabularies, is `spec.schema.json`; `load.py` turns YAML into these values. Paths stay
as written, relative to `Spec.folder`, so that a spec and its plan can move together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Task = Literal[
    "classification", "extraction", "summarization", "generation", "chat", "tone", "reasoning",
    "structured-output", "qa", "domain-adaptation", "new-language", "safety",
]  # fmt: skip
Knowledge = Literal["static", "slow", "monthly", "weekly", "daily", "hourly"]
Quality = Literal["fast", "balanced", "max"]
Prompting = Literal["untried", "insufficient", "sufficient"]
Origin = Literal["human", "logs", "teacher"]
FeedbackType = Literal[
    "auto", "paired", "binary", "ranked", "verifiable", "reward-model", "validator-available", "to-collect"
]
Method = Literal[
    "auto", "prompt", "rag", "sft-full", "sft-lora", "sft-qlora", "cpt+sft", "dpo", "kto", "sft+dpo", "rlhf", "grpo",
    "needs-data", "infeasible",
]  # fmt: skip
Target = Literal["transformers", "vllm", "ollama", "gguf", "adapter"]
Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """The goal as a number: `metric` on the held-out set has to reach `at_least` (in the metric's own unit)."""

    metric: str
    at_least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the model is to do, where, and how well."""

    task: Task
    description: str = ""
    domain: str = "general"
    knowledge: Knowledge = "static"
    quality: Quality = "balanced"
    prompting: Prompting = "untried"
    language: str = "en"
    success: Success | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One set of rows: given (`path`: file, folder, glob or hub id) or described (`rows` or `tokens`).

    `columns` maps the roles of a format (`prompt`, `completion`, `label`, ...) to column names or nested paths
    (`paragraphs[].text`).
    """

    path: str | None = None
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    rows: int | None = None
    prompt_tokens: float | None = None  # mean per row
    completion_tokens: float | None = None  # mean per row
    tokens: int | None = None  # in all, of a described corpus
    source: Origin | None = None
    groups: int | None = None  # how many customers, documents or conversations the rows come from
    group_by: str | None = None  # the column that says which
    stale: bool = False

    @property
    def described(self) -> bool:
        """True where there is no data to look at yet."""
        return self.path is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What people or programs said about answers. `type` is `auto` only until the data has been looked at."""

    type: FeedbackType = "auto"
    sources: tuple[Source, ...] = ()
    positive: int | None = None
    negative: int | None = None
    answers_per_prompt: int | None = None
    base_success: float | None = None  # share of prompts that the base model already gets right, 0 to 1
    agreement: float | None = None  # share of pairs on which annotators agree, 0 to 1
    on_policy: bool | None = None
    live: bool = False
    extra_prompts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The held-out set: rows of its own, or a fraction of the demonstrations (None: by the rule for held-out size)."""

    source: Source | None = None
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Everything there is to learn from. Several sources of one role are trained on together, by weight."""

    demonstrations: tuple[Source, ...] = ()
    feedback: Feedback | None = None
    corpus: tuple[Source, ...] = ()
    prompts: tuple[Source, ...] = ()
    reward_function: str | None = None  # `file.py:function`
    reward_regex: str | None = None  # that the whole answer has to match
    reward_schema: str | None = None  # a file with a JSON Schema
    evaluation: Evaluation = field(default_factory=Evaluation)
    contains: tuple[str, ...] = ()  # phi, pii
    licence: str | None = None

    @property
    def checkable(self) -> bool:
        """True where a program says what an answer is worth."""
        return any((self.reward_function, self.reward_regex, self.reward_schema))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The model to start from: hub id, local folder, `builtin:tiny` or `auto`; described where it is not at hand."""

    base: str = "auto"
    max_parameters: float | None = None
    parameters: float | None = None
    active_parameters: float | None = None
    kind: Literal["base", "instruct"] | None = None
    context: int | None = None  # tokens
    licence: str | None = None
    gated: bool | None = None
    revision: str | None = None
    substitute: bool = True
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What one owns or would rent. `kind` says which of the fields speak.

    `local`: look at this machine. `none`: nothing to train on. `owned`: `gpu` x `count` x `nodes`.
    `cloud`: offers of `clouds` (`any` for all) on `gpus` (empty for all).
    """

    kind: Literal["local", "none", "owned", "cloud"] = "local"
    gpu: str | None = None  # as written; `none` for a machine without one
    count: int | None = None
    nodes: int = 1
    memory_gib: float | None = None  # per GPU; as in a product name, 80 means the 80 GB card
    host_memory_gib: float | None = None
    clouds: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    spot: bool | None = None
    interconnect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Ceilings; None where there is none. Owned hardware costs `usd_per_hour`, nothing unless it is given."""

    usd: float | None = None
    hours: float | None = None
    deadline_days: float | None = None
    usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """Where the result is to run."""

    target: Target = "transformers"
    memory_gib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One `ftc.yaml`. `folder` is where it lies; relative paths in it start there."""

    name: str
    goal: Goal
    folder: Path
    version: int = 1
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    hardware: Hardware = field(default_factory=Hardware)
    budget: Budget = field(default_factory=Budget)
    constraints: tuple[str, ...] = ()
    deploy: Deploy = field(default_factory=Deploy)
    method: Method = "auto"
    overrides: Mapping[str, Scalar] = field(default_factory=dict)  # dotted, `lora.rank`
    seed: int = 0
