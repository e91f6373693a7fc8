"""What each kind of stage is told, one dataclass a kind. No field has a default: a plan hides nothing.

The compiler fills these in, the runtime reads them back with `read_arguments`; neither knows more than is here, and
`plan.schema.json` is written from it (`plan_schema.py`). Files of a run are named relative to its folder; data files as
in the spec, relative to the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Form = Literal["demonstrations", "pairs", "thumbs", "prompts", "documents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Data as the spec names it, with the format that was recognised."""

    path: str
    format: str
    columns: dict[str, str]
    weight: float
    group_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Read the sources, split, count, and write `data/<rows>/train.jsonl` and `data/<rows>/held_out.jsonl`."""

    rows: str  # the name under which later stages ask for these rows
    role: str  # demonstrations, feedback, corpus, prompts: how the sources are read
    form: Form  # what a row becomes; rankings become pairs, pairs may become thumbs or prompts
    sources: list[dict[str, Any]]  # Source
    evaluation: dict[str, Any] | None  # a Source of its own, or None: split off
    held_out_rows: int
    stratify: bool
    max_length: int  # tokens; rows that are longer are truncated and counted
    expected_rows: int  # what the profile counted: a difference is drift
    labels: list[str]  # the classes, most frequent first; empty where completions are free text
    commoner: float | None  # thumbs: rows of the commoner kind that are kept for each one of the rarer


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A reward that a program computes from an answer, in a child process with limits."""

    kind: Literal["answer", "regex", "json-schema", "tests", "function"]
    detail: str | None  # the expression, the schema as JSON, or `file.py:function`; None where rows say all
    seconds: float  # a batch of answers may take
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Score a model on held-out rows. `baseline` and `evaluate` stages share it, to be comparable."""

    rows: str  # the `rows` of a prepare stage
    model: str  # the base, or the id of the stage whose result is scored
    metrics: list[str]  # accuracy macro_f1 held_out_loss exact_match reward_accuracy mean_reward win_rate ...
    max_new_tokens: int
    batch_size: int
    few_shot: int  # examples in the prompt, for the prompted baseline
    constrain_labels: bool  # answers are one of the labels; the nearest by likelihood is not guessed
    samples: int  # how many outputs to keep for the report
    dtype: str
    quantize: bool
    prompt: str | None  # the id of the stage whose prompt is used
    check: dict[str, Any] | None  # Check: mean_reward
    judge: str | None  # the id of the reward model's stage: mean_reward and win_rate
    probes: list[str]  # forgetting, safety, memorisation, or `lm-eval:<task>`


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A low-rank adapter."""

    rank: int
    alpha: int
    dropout: float
    targets: str  # all-linear, attention, or a comma-separated list
    rslora: bool
    dora: bool
    dtype: str  # fp32 or bf16


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """bitsandbytes 4-bit loading of the base."""

    type: str  # nf4
    double_quant: bool
    compute_dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What every training stage is told: each argument that TRL's trainers would otherwise choose by themselves."""

    rows: str  # the `rows` of a prepare stage
    adapter: Literal["full", "lora", "qlora"]
    start_from: str  # the base, or the id of an earlier stage
    lora: dict[str, Any] | None  # Lora
    quantization: dict[str, Any] | None  # Quantization
    learning_rate: float
    scheduler: str
    warmup_steps: int
    epochs: float
    steps: int  # optimiser steps of the whole stage
    micro_batch: int  # rows per device per forward pass
    gradient_accumulation: int
    max_length: int
    optimizer: str  # transformers' name: adamw_torch_fused, paged_adamw_8bit, ...
    weight_decay: float
    max_grad_norm: float
    dtype: str  # bf16, fp16, fp32: of weights and arithmetic
    checkpointing: bool
    attention: str  # sdpa, eager, flash_attention_2
    logging_steps: int
    eval_steps: int
    save_steps: int
    keep_checkpoints: int
    early_stopping_patience: int | None  # evaluations without improvement of the held-out loss
    nodes: int
    processes: int  # on each node, one a device
    sharding: Literal["none", "ddp", "fsdp", "zero2", "zero3"]  # fsdp is FSDP2 through accelerate
    offload: Literal["none", "optimizer", "all"]  # what waits in the host's memory
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(Training):
    """Supervised fine-tuning (`sft`)."""

    loss_on: Literal["completion", "assistant", "all"]
    packing: bool
    group_by_length: bool
    neftune_alpha: float | None
    chunked_loss: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue(Train):
    """Continued pre-training on raw text (`cpt`)."""

    replay: float  # share of the text that the base wrote itself, against forgetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Dpo(Training):
    """Direct preference optimisation on pairs."""

    beta: float
    loss_type: list[str]  # TRL's names: sigmoid, ...
    label_smoothing: float
    precompute_reference: bool  # else the reference is the adapter switched off, or a copy of the model


@dataclass(frozen=True, slots=True, kw_only=True)
class Kto(Training):
    """Kahneman-Tversky optimisation on answers called good or bad."""

    beta: float
    desirable_weight: float
    undesirable_weight: float
    precompute_reference: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward(Training):
    """A reward model learned from pairs."""

    least_accuracy: float  # on held-out pairs; below, nothing is optimised against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Training):
    """Policy optimisation (`grpo`, `rloo`): the model answers, answers are rewarded, better ones become likelier."""

    beta: float  # what straying from the reference costs
    group: int  # answers sampled for one prompt
    max_completion_length: int  # tokens
    temperature: float
    check: dict[str, Any] | None  # Check
    judge: str | None  # the id of the reward model's stage


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSearch:
    """Write prompts, try them on a development split, keep the best. No weight changes."""

    rows: str
    model: str  # the base
    metric: str
    instructions: list[str]  # Jinja2 templates of the instruction that are tried
    examples: list[int]  # numbers of examples that are tried with each
    development_rows: int  # of the training rows, to choose on
    max_new_tokens: int
    batch_size: int
    constrain_labels: bool
    json_schema: str | None  # as JSON: answers are decoded so that they follow it
    dtype: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Fold the adapter into the weights; a quantised base is dequantised first."""

    stage: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Write the result for its target, and check that it answers as the trained model did."""

    stage: str
    target: str  # transformers, adapter, vllm, gguf, ollama, prompt
    check_prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write report.json, report.html and the model card README.md."""

    samples: int


ARGUMENTS: dict[str, type] = {
    "prepare": Prepare,
    "baseline": Evaluate,
    "prompt-search": PromptSearch,
    "cpt": Continue,
    "sft": Train,
    "dpo": Dpo,
    "kto": Kto,
    "reward": Reward,
    "rloo": Policy,
    "grpo": Policy,
    "evaluate": Evaluate,
    "merge": Merge,
    "export": Export,
    "report": Report,
}


def read_arguments(kind: str, arguments: Mapping[str, Any]) -> Any:
    """The dataclass of that kind. Raises TypeError where an argument is missing or unknown."""
    return ARGUMENTS[kind](**arguments)


def write_arguments(arguments: Any) -> dict[str, Any]:
    """The inverse of `read_arguments`."""
    return asdict(arguments)
