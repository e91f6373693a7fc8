"""Direct preference optimisation through TRL's DPOTrainer, every argument from the plan.

The reference is the model that the stage starts from: the adapter switched off, log-probabilities computed before
training, or a copy of the model, as the plan says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from ftc.compiler.stages import Dpo
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import load_tokenizer
from ftc.runtime.preferences import answer_start, encode_pairs
from ftc.runtime.run_folder import read_rows
from ftc.runtime.tokens import Encoded
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


class Trainer(Watched, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer, in our order and under our watch."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        """Rows come as token ids already."""
        return dataset


def run(context: Context) -> dict[str, Any]:
    """Train; the result says where the model is and what the trainer counted."""
    told: Dpo = context.arguments
    tokenizer = load_tokenizer(context)
    given = list(read_rows(context.run.train_rows(told.rows)))
    train = encode_pairs(tokenizer, given, max_length=told.max_length)
    if not train[0].input_ids:
        raise Stopped("R210", "no pair has a token to learn from")
    held_out = encode_pairs(tokenizer, curve_rows(context, told), max_length=told.max_length)
    evaluated = bool(held_out[0].input_ids)
    lengths = [max(len(each), len(other)) for each, other in zip(*(side.input_ids for side in train), strict=True)]
    order = RowOrder(lengths, told.seed, None)
    watch = Watch(context, order, train[0].places, keep=max(2, told.keep_checkpoints), output=context.folder)
    start = start_of(context, told.start_from)
    trainer = Trainer(
        order=order,
        watch=watch,
        model=start.place,
        args=_settings(told, context.folder, start, evaluated=evaluated),
        train_dataset=_dataset(*train),
        eval_dataset=_dataset(*held_out) if evaluated else None,
        processing_class=tokenizer,
        peft_config=adapter_of(told),
        quantization_config=quantization_of(told),
    )
    make_ready(trainer, told)
    return carry_out(context, trainer, tokenizer)


def _dataset(chosen: Encoded, rejected: Encoded) -> Dataset:
    """The prompt that both share, and what follows it in each."""
    starts = [
        min(answer_start(each), answer_start(other)) for each, other in zip(chosen.labels, rejected.labels, strict=True)
    ]
    return Dataset.from_dict(
        {
            "prompt_ids": [ids[:start] for ids, start in zip(chosen.input_ids, starts, strict=True)],
            "chosen_ids": [ids[start:] for ids, start in zip(chosen.input_ids, starts, strict=True)],
            "rejected_ids": [ids[start:] for ids, start in zip(rejected.input_ids, starts, strict=True)],
        }
    )


def _settings(told: Dpo, output: Path, start: Start, *, evaluated: bool) -> DPOConfig:
    """Every argument of the plan under TRL's name."""
    return DPOConfig(
        **{
            **common_arguments(told, output, evaluated=evaluated),
            **model_arguments(told, start),
            "max_length": told.max_length,
            "beta": told.beta,
            "loss_type": list(told.loss_type),
            "label_smoothing": told.label_smoothing,
            "precompute_ref_log_probs": told.precompute_reference,
            "disable_dropout": not has_dropout(told),
        }
    )
