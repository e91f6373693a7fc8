"""Kahneman-Tversky optimisation through TRL's KTOTrainer, every argument from the plan.

Its loss compares each answer with answers to other prompts of the same batch. So good and bad ones are laid out evenly,
each step has the same rows in every epoch, and only the order of the steps is drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from ftc.compiler.stages import Kto
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import load_tokenizer
from ftc.runtime.preferences import answer_start, encode_thumbs
from ftc.runtime.run_folder import read_rows
from ftc.runtime.train import (
    Start,
    adapter_of,
    carry_out,
    common_arguments,
    curve_rows,
    has_dropout,
    make_ready,
    model_arguments,
    quantization_of,
    start_of,
)
from ftc.runtime.training import RowOrder, Watch, Watched

Rows = Sequence[dict[str, Any]]


class Trainer(Watched, KTOTrainer):  # type: ignore[misc]
    """TRL's trainer, in our order and under our watch."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        """Rows come as token ids already, with the answers that they are compared with."""
        return dataset


class StepOrder(RowOrder):
    """Steps shuffled by seed and epoch; the rows within one stay together."""

    def __init__(self, lengths: Sequence[int], seed: int, step_rows: int) -> None:
        super().__init__(lengths, seed, None)
        self.step_rows = step_rows

    def order(self, epoch: int) -> list[int]:
        """The rows of an epoch, in order; a step that is not full comes last."""
        whole = len(self.lengths) // self.step_rows
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        steps = torch.randperm(whole, generator=generator).tolist()
        rows = [row for step in steps for row in range(step * self.step_rows, (step + 1) * self.step_rows)]
        return [*rows, *range(whole * self.step_rows, len(self.lengths))]


def run(context: Context) -> dict[str, Any]:
    """Train; the result says where the model is and what the trainer counted."""
    told: Kto = context.arguments
    tokenizer = load_tokenizer(context)
    start = start_of(context, told.start_from)
    given = list(read_rows(context.run.train_rows(told.rows)))
    train = mixed(_encoded(tokenizer, given, told.max_length), told.seed)
    held_out = mixed(_encoded(tokenizer, curve_rows(context, told), told.max_length), told.seed)
    if not train:
        raise Stopped("R210", "no answer has a token to learn from")
    settings = _settings(told, context.folder, start, evaluated=bool(held_out))
    step_rows = told.micro_batch * told.gradient_accumulation * settings.world_size
    order = StepOrder([len(row["prompt_ids"]) + len(row["completion_ids"]) for row in train], told.seed, step_rows)
    places = [row["place"] for row in train]
    watch = Watch(context, order, places, keep=max(2, told.keep_checkpoints), output=context.folder)
    trainer = Trainer(
        order=order,
        watch=watch,
        model=start.place,
        args=settings,
        train_dataset=_dataset(train, step_rows),
        eval_dataset=_dataset(held_out, step_rows) if held_out else None,
        processing_class=tokenizer,
        peft_config=adapter_of(told),
        quantization_config=quantization_of(told),
    )
    make_ready(trainer, told)
    return carry_out(context, trainer, tokenizer)


def mixed(rows: Rows, seed: int) -> list[dict[str, Any]]:
    """Good and bad ones drawn by lot, and each kind spread evenly over the whole."""
    generator = torch.Generator().manual_seed(seed)
    spread: list[tuple[float, bool, dict[str, Any]]] = []
    for good in (True, False):
        kind = [row for row in rows if row["label"] is good]
        drawn = torch.randperm(len(kind), generator=generator).tolist()
        spread += [((number + 0.5) / len(kind), good, kind[row]) for number, row in enumerate(drawn)]
    return [row for *_, row in sorted(spread, key=lambda each: each[:2])]


def compared(completions: Sequence[list[int]], step_rows: int) -> list[list[int]]:
    """For each row the answer before it in the same step, for the first the last: an answer to another prompt."""
    out: list[list[int]] = []
    for start in range(0, len(completions), step_rows):
        step = completions[start : start + step_rows]
        out += [step[-1], *step[:-1]]
    return out


def _encoded(tokenizer: Any, rows: Rows, max_length: int) -> list[dict[str, Any]]:
    encoded = encode_thumbs(tokenizer, rows, max_length=max_length)
    out = []
    for ids, labels, row, place in zip(encoded.input_ids, encoded.labels, encoded.rows, encoded.places, strict=True):
        start = answer_start(labels)
        good = bool(rows[row]["good"])
        out.append({"prompt_ids": ids[:start], "completion_ids": ids[start:], "label": good, "place": place})
    return out


def _dataset(rows: Rows, step_rows: int) -> Dataset:
    columns = {name: [row[name] for row in rows] for name in ("prompt_ids", "completion_ids", "label")}
    return Dataset.from_dict({**columns, "KL_completion_ids": compared(columns["completion_ids"], step_rows)})


def _settings(told: Kto, output: Path, start: Start, *, evaluated: bool) -> KTOConfig:
    """Every argument of the plan under TRL's name."""
    return KTOConfig(
        **{
            **common_arguments(told, output, evaluated=evaluated),
            **model_arguments(told, start),
            "max_length": told.max_length,
            "loss_type": "kto",
            "beta": told.beta,
            "desirable_weight": told.desirable_weight,
            "undesirable_weight": told.undesirable_weight,
            "precompute_ref_log_probs": told.precompute_reference,
            "disable_dropout": not has_dropout(told),
        }
    )
