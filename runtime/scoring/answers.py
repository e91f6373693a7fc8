"""Scores answers to the prompts of demonstrations: the base before, the result after.

A baseline is prompted as well as can be without training: with the goal, with the labels where they fit into the
context, and with examples where the plan asks for some. The held-out loss is over the completions of the plain rows in
both, so that it compares.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftc.compiler.stages import Evaluate
from ftc.runtime import answers, scores
from ftc.runtime.asking import Endpoint, Local, who
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import trained_folder
from ftc.runtime.prompting.pack import Pack, asked, read_pack
from ftc.runtime.run_folder import read_rows, write_rows
from ftc.runtime.tokens import encode

PREDICTIONS = "predictions.jsonl"
LOSS_METRICS = ("held_out_loss", "perplexity")
CONFUSIONS = 10  # mistakes listed in the report
Rows = list[dict[str, Any]]


def run(context: Context) -> dict[str, Any]:
    """Answer, score, keep every answer; the result has the scores."""
    told: Evaluate = context.arguments
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    labels = labels_of(context, told.rows)
    one = who(context, told.model, dtype=told.dtype, quantized=quantization_of(context) if told.quantize else None)
    pack = read_pack(trained_folder(context, told.prompt)) if told.prompt else None
    ready, prompting = _prompted(context, told, rows, labels, one, pack)
    constrained = told.constrain_labels or (pack is not None and pack.constrain_labels)
    with_loss = isinstance(one, Local) and any(each in LOSS_METRICS for each in told.metrics)
    total = len(rows) * (2 if with_loss else 1)
    said = one.answer(
        ready,
        max_new_tokens=told.max_new_tokens,
        batch_size=told.batch_size,
        labels=labels if constrained else (),
        json_schema=pack.json_schema if pack else None,
        on_batch=lambda done: context.progress(done, total, what="answers"),
    )
    losses = _losses(context, told, rows, one, total) if with_loss and isinstance(one, Local) else Losses()
    expected = [str(row["messages"][-1]["content"]) for row in rows]
    write_rows(context.folder / PREDICTIONS, _predictions(rows, expected, said, losses.by_row))
    result: dict[str, Any] = {"rows": len(rows), "prompting": prompting, "metrics": {}}
    for metric in told.metrics:
        if metric not in LOSS_METRICS:
            result["metrics"][metric] = scores.score(metric, expected, said, labels, context.plan.seed)
        elif losses.by_row:
            result["metrics"][metric] = _loss(metric, losses, context.plan.seed)
    if labels:
        known = {scores.normal(label) for label in labels}
        result["invalid_share"] = sum(scores.normal(each) not in known for each in said) / len(said)
        result["confusions"] = scores.confusions(expected, said, CONFUSIONS)
        result["confusion_matrix"] = scores.confusion_matrix(expected, said, labels)
        result["chance"] = 1 / len(labels)
    if context.stage.kind == "evaluate":
        result["changes"] = _changes(context, told, expected, said, losses.by_row, labels)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Of the completions: the mean of each row, how many tokens, and of which row; empty where none was asked for."""

    means: Sequence[float] = ()
    counts: Sequence[int] = ()
    rows: Sequence[int] = ()

    @property
    def by_row(self) -> dict[int, float]:
        """The loss of each row that has one."""
        return dict(zip(self.rows, self.means, strict=True))


def _losses(context: Context, told: Evaluate, rows: Rows, one: Local, total: int) -> Losses:
    encoded = encode(one.tokenizer, rows, loss_on="completion", max_length=None)
    means, counts = answers.losses(
        one.model,
        one.tokenizer,
        encoded,
        batch_size=told.batch_size,
        on_batch=lambda done: context.progress(len(rows) + done, total, what="held-out loss"),
    )
    return Losses(means=means, counts=counts, rows=encoded.rows)


def labels_of(context: Context, rows: str) -> list[str]:
    """The classes of the rows of that name."""
    return [
        label
        for each in context.plan.stages
        if each.kind == "prepare" and each.arguments["rows"] == rows
        for label in each.arguments["labels"]
    ]


def quantization_of(context: Context) -> Mapping[str, Any]:
    """As the training stage has it, so that what is scored is what is trained."""
    for each in context.plan.stages:
        if each.arguments.get("quantization"):
            found: Mapping[str, Any] = each.arguments["quantization"]
            return found
    raise Stopped("R105", "the plan asks for a quantised evaluation and says nowhere how to quantise")


def _predictions(rows: Rows, expected: Sequence[str], said: Sequence[str], loss: Mapping[int, float]) -> Rows:
    return [
        {
            "place": row["place"],
            "prompt": row["messages"][-2]["content"] if len(row["messages"]) > 1 else "",
            "expected": wanted,
            "answer": answer,
            "right": scores.normal(wanted) == scores.normal(answer),
            "loss": loss.get(number),
        }
        for number, (row, wanted, answer) in enumerate(zip(rows, expected, said, strict=True))
    ]


def _loss(metric: str, losses: Losses, seed: int) -> dict[str, float]:
    found = scores.mean(losses.means, seed, losses.counts)
    if metric == "perplexity":
        import math

        return {name: math.exp(value) for name, value in found.items()}
    return found


def _changes(
    context: Context,
    told: Evaluate,
    expected: Sequence[str],
    said: Sequence[str],
    loss: Mapping[int, float],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Each metric after against before, on the same rows; remarks where it is worse, or may be chance."""
    baseline = next(
        (each for each in context.plan.stages if each.kind == "baseline" and each.arguments["rows"] == told.rows), None
    )
    if baseline is None:
        return {}
    before = list(read_rows(context.run.stage(baseline.id) / PREDICTIONS))
    old = [str(row["answer"]) for row in before]
    changes: dict[str, Any] = {}
    for metric in told.metrics:
        if metric not in LOSS_METRICS:
            changes[metric] = scores.change(metric, expected, old, said, labels, context.plan.seed)
            remark_on(context, metric, changes[metric])
        elif metric == "held_out_loss" and loss and all(before[row]["loss"] is not None for row in loss):
            was = [float(before[row]["loss"]) for row in loss]
            changes[metric] = scores.compare_means(was, list(loss.values()), context.plan.seed)
    return changes


def remark_on(context: Context, metric: str, change: Mapping[str, float]) -> None:
    """R405 where it fell, R408 where the rise may be chance."""
    if change["value"] < 0:
        context.remark("R405", f"{metric} fell by {-change['value']:.3f}")
    elif change["low"] <= 0:
        context.remark(
            "R408", f"{metric} rose by {change['value']:.3f}, and the 95 % interval goes down to {change['low']:+.3f}"
        )


# --- prompting the baseline ---------------------------------------------------------------------------------------


def _prompted(
    context: Context, told: Evaluate, rows: Rows, labels: Sequence[str], one: Local | Endpoint, pack: Pack | None
) -> tuple[Rows, str]:
    """The rows as they are asked, and in words how. A trained model is asked as it was taught: plainly."""
    if pack is not None:
        return [asked(pack, row) for row in rows], f"the best prompt, {len(pack.examples)} examples"
    if context.stage.kind != "baseline":
        return rows, "plain"
    examples = _examples(context, told)
    goal = str(context.plan.goal.get("description") or "").strip()
    listed = f"Answer with one of these labels: {', '.join(labels)}" if labels else ""
    for instruction, words in (
        ("\n".join(each for each in (goal, listed) if each), "goal and labels" if labels else "goal"),
        (goal, "goal; the labels do not fit into the context"),
    ):
        ready = [_with(row, instruction, examples) for row in rows]
        if (instruction or not (goal or listed)) and one.fits(ready, told.max_new_tokens):
            shown = f"{words}, {len(examples) // 2} examples" if examples else words
            return ready, shown if instruction else "plain"
    return rows, "plain; an instruction does not fit into the context"


def _examples(context: Context, told: Evaluate) -> list[dict[str, str]]:
    """`few_shot` rows of the training set as turns before the question, drawn by the plan's seed."""
    if not told.few_shot:
        return []
    rows = list(read_rows(context.run.train_rows(told.rows)))
    chosen = random.Random(context.plan.seed).sample(rows, min(told.few_shot, len(rows)))  # noqa: S311 - a lot
    return [message for row in chosen for message in row["messages"][-2:]]


def _with(row: Mapping[str, Any], instruction: str, examples: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The row with an instruction before its first question and examples before that."""
    messages = [dict(each) for each in row["messages"]]
    first = next((number for number, each in enumerate(messages) if each["role"] == "user"), None)
    if first is None:
        return dict(row)
    turns = [dict(each) for each in examples]
    opening = turns[0] if turns else messages[first]
    if instruction:
        opening["content"] = f"{instruction}\n\n{opening['content']}"
    return {**row, "messages": [*messages[:first], *turns, *messages[first:]]}
