"""Supervised training through TRL's SFTTrainer: full, LoRA or QLoRA, every argument from the plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from ftc.compiler.stages import Train
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import load_tokenizer
from ftc.runtime.run_folder import read_rows
from ftc.runtime.tokens import Encoded, encode
from ftc.runtime.train import (
    HELD_OUT_ROWS,
    Start,
    adapter_of,
    carry_out,
    common_arguments,
    make_ready,
    model_arguments,
    quantization_of,
    rows_a_step,
    start_of,
)
from ftc.runtime.training import RowOrder, Watch, Watched


class Trainer(Watched, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, in our order and under our watch."""


def run(context: Context) -> dict[str, Any]:
    """Train; the result says where the model is and what the trainer counted."""
    told: Train = context.arguments
    tokenizer = load_tokenizer(context)
    train, held_out = _rows(context, told, tokenizer)
    batch = rows_a_step(told)
    order = RowOrder([len(ids) for ids in train.input_ids], told.seed, batch if told.group_by_length else None)
    watch = Watch(context, order, train.places, keep=max(2, told.keep_checkpoints), output=context.folder)
    start = start_of(context, told.start_from)
    trainer = Trainer(
        order=order,
        watch=watch,
        model=start.place,
        args=settings(told, context.folder, start, evaluated=held_out is not None),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(held_out) if held_out else None,
        processing_class=tokenizer,
        peft_config=adapter_of(told),
        quantization_config=quantization_of(told),
    )
    make_ready(trainer, told)
    return carry_out(context, trainer, tokenizer)


def _rows(context: Context, told: Train, tokenizer: Any) -> tuple[Encoded, Encoded | None]:
    given = list(read_rows(context.run.train_rows(told.rows)))
    train = encode(tokenizer, given, loss_on=told.loss_on, max_length=told.max_length)
    if not train.input_ids:
        raise Stopped("R210", "no row has a token to learn from")
    if not told.eval_steps:
        return train, None
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    every = max(1, len(rows) // HELD_OUT_ROWS)
    some = sorted(
        rows[::every][:HELD_OUT_ROWS], key=_characters
    )  # rows of like length in a batch pad each other little
    held_out = encode(tokenizer, some, loss_on=told.loss_on, max_length=told.max_length)
    return train, held_out if held_out.input_ids else None


def _characters(row: Mapping[str, Any]) -> int:
    return sum(len(each["content"]) for each in row["messages"])


def _dataset(rows: Encoded) -> Dataset:
    return Dataset.from_dict({"input_ids": rows.input_ids, "labels": rows.labels})


def settings(told: Train, output: Path, start: Start, *, evaluated: bool) -> SFTConfig:
    """Every argument of the plan under TRL's name."""
    return SFTConfig(
        **{
            **common_arguments(told, output, evaluated=evaluated),
            **model_arguments(told, start),
            "max_steps": -1 if told.packing else told.steps,
            "max_length": told.max_length,
            "packing": told.packing,
            "eval_packing": False,
            "completion_only_loss": None,
            "neftune_noise_alpha": told.neftune_alpha,
            "loss_type": "chunked_nll" if told.chunked_loss else "nll",
        }
    )
