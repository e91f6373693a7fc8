"""What each kind of stage is told, one dataclass a kind. No field has a default: a plan hides nothing.

The compiler fills these in, the runtime reads them back with `read_arguments`; neither knows more than is here.
Files of a run are named relative to its folder; data files as in the spec, relative to the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Read the sources, split, count, and write `data/train.jsonl` and `data/held_out.jsonl`."""

    role: str  # demonstrations, feedback, corpus, prompts
    sources: list[dict[str, Any]]  # path, format, columns, weight, group_by
    evaluation: dict[str, Any] | None  # a source of its own, or None: split off
    held_out_rows: int
    stratify: bool
    max_length: int  # tokens; rows that are longer are truncated and counted
    expected_rows: int  # what the profile counted: a difference is drift
    labels: list[str]  # the classes, most frequent first; empty where completions are free text


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Score a model on `data/held_out.jsonl`. `baseline` and `evaluate` stages share it, to be comparable."""

    model: str  # the base, or the id of the stage whose result is scored
    metrics: list[str]  # accuracy macro_f1 held_out_loss exact_match ...
    max_new_tokens: int
    batch_size: int
    few_shot: int  # examples in the prompt, for the prompted baseline
    constrain_labels: bool  # answers are one of the labels; the nearest by likelihood is not guessed
    samples: int  # how many outputs to keep for the report
    dtype: str
    quantize: bool


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
class Train:
    """A supervised stage (`sft`, `cpt`): every argument that TRL's trainer would otherwise choose by itself."""

    adapter: Literal["full", "lora", "qlora"]
    start_from: str  # the base, or the id of an earlier stage
    lora: dict[str, Any] | None  # Lora
    quantization: dict[str, Any] | None  # Quantization
    loss_on: Literal["completion", "assistant", "all"]
    learning_rate: float
    scheduler: str
    warmup_steps: int
    epochs: float
    steps: int  # optimiser steps of the whole stage
    micro_batch: int  # rows per device per forward pass
    gradient_accumulation: int
    max_length: int
    packing: bool
    group_by_length: bool
    optimizer: str  # transformers' name: adamw_torch_fused, paged_adamw_8bit, ...
    weight_decay: float
    max_grad_norm: float
    neftune_alpha: float | None
    dtype: str  # bf16, fp16, fp32: of weights and arithmetic
    checkpointing: bool
    attention: str  # sdpa, eager, flash_attention_2
    chunked_loss: bool
    logging_steps: int
    eval_steps: int
    save_steps: int
    keep_checkpoints: int
    early_stopping_patience: int | None  # evaluations without improvement of the held-out loss
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Fold the adapter into the weights; a quantised base is dequantised first."""

    stage: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Write the folder `model/` that plain transformers loads, and check that it answers as the trained model did."""

    stage: str
    target: str  # transformers, adapter, ...
    check_prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write report.json and report.html."""

    samples: int


ARGUMENTS: dict[str, type] = {
    "prepare": Prepare,
    "baseline": Evaluate,
    "sft": Train,
    "cpt": Train,
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
