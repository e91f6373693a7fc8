"""Trains a reward model on pairs through TRL's RewardTrainer, and refuses one that ranks too poorly.

Its accuracy is that on all held-out pairs, with Wilson's interval: how often the answer that people preferred gets the
higher reward. Below `least_accuracy` the run ends here (R226), before anything is optimised against it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import RewardConfig, RewardTrainer

from ftc.compiler.stages import Reward
from ftc.runtime import scores
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.judge import Judge
from ftc.runtime.loading import load_tokenizer
from ftc.runtime.preferences import encode_pairs
from ftc.runtime.run_folder import read_rows, write_rows
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

PREDICTIONS = "predictions.jsonl"
Pairs = tuple[Encoded, Encoded]


class Trainer(Watched, RewardTrainer):  # type: ignore[misc]
    """TRL's trainer, in our order and under our watch."""


def run(context: Context) -> dict[str, Any]:
    """Train and rank the held-out pairs; the result has the accuracy. Raises Stopped (R226) below the least."""
    told: Reward = context.arguments
    tokenizer = load_tokenizer(context)
    train = encode_pairs(tokenizer, list(read_rows(context.run.train_rows(told.rows))), max_length=told.max_length)
    if not train[0].input_ids:
        raise Stopped("R210", "no pair has a token to learn from")
    held_out = encode_pairs(tokenizer, curve_rows(context, told), max_length=told.max_length)
    lengths = [len(one) + len(other) for one, other in zip(*(each.input_ids for each in train), strict=True)]
    order = RowOrder(lengths, told.seed, None)
    watch = Watch(context, order, train[0].places, keep=max(2, told.keep_checkpoints), output=context.folder)
    start = start_of(context, told.start_from)
    evaluated = bool(held_out[0].input_ids)
    trainer = Trainer(
        order=order,
        watch=watch,
        model=start.place,
        args=_settings(told, context.folder, start, evaluated=evaluated),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(held_out) if evaluated else None,
        processing_class=tokenizer,
        peft_config=adapter_of(told, "SEQ_CLS"),  # which trains and keeps the head beside the adapter
        quantization_config=quantization_of(told),
    )
    make_ready(trainer, told)
    result = carry_out(context, trainer, tokenizer)
    ranked = _ranked(context, told, Judge(trainer.model.eval(), tokenizer))
    accuracy = ranked["metrics"]["reward_accuracy"]
    if accuracy["value"] < told.least_accuracy:
        raise Stopped(
            "R226",
            f"the reward model ranks {accuracy['value']:.1%} of {ranked['rows']} held-out pairs rightly "
            f"(95 % interval {accuracy['low']:.1%} to {accuracy['high']:.1%}), {told.least_accuracy:.1%} are asked for",
            metrics=ranked["metrics"],
        )
    return {**result, **ranked}


def _ranked(context: Context, told: Reward, judge: Judge) -> dict[str, Any]:
    """Each held-out pair with its two rewards, kept; how many stand in the right order."""
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    prompts = [row["prompt"] for row in rows]
    both = [judge.scores(prompts, [str(row[name]) for row in rows]) for name in ("chosen", "rejected")]
    right = [better > worse for better, worse in zip(*both, strict=True)]
    write_rows(
        context.folder / PREDICTIONS,
        (
            {"place": row["place"], "prompt": row["prompt"][-1]["content"], "chosen": row["chosen"],
             "rejected": row["rejected"], "chosen_reward": better, "rejected_reward": worse, "right": better > worse}
            for row, better, worse in zip(rows, *both, strict=True)
        ),
    )  # fmt: skip
    longer = [len(str(row["chosen"])) > len(str(row["rejected"])) for row in rows]
    return {
        "rows": len(rows),
        "metrics": {"reward_accuracy": scores.share(right)},
        "longer_preferred": sum(longer) / len(rows),  # what length alone would rank rightly
    }


def _dataset(pairs: Pairs) -> Dataset:
    return Dataset.from_dict({"chosen_ids": pairs[0].input_ids, "rejected_ids": pairs[1].input_ids})


def _settings(told: Reward, output: Path, start: Start, *, evaluated: bool) -> RewardConfig:
    """Every argument of the plan under TRL's name."""
    return RewardConfig(
        **{
            **common_arguments(told, output, evaluated=evaluated),
            **model_arguments(told, start),
            "max_length": told.max_length,
            "disable_dropout": not has_dropout(told),
            "center_rewards_coefficient": None,
        }
    )
