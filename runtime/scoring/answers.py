"""Scores answers to the prompts of demonstrations: the base before, the result after.

A baseline is prompted as well as can be without training: with the goal, with the labels where they fit into the
context, and with examples where the plan asks for some. The held-out loss is over the completions of the plain rows in
both, so that it compares.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ftc.compiler.stages import Evaluate
from ftc.runtime import answers, scores
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import load_model, load_tokenizer
from ftc.runtime.run_folder import read_rows, write_rows
from ftc.runtime.tokens import encode, prompt_ids

PREDICTIONS = "predictions.jsonl"
LOSS_METRICS = ("held_out_loss", "perplexity")
CONFUSIONS = 10  # mistakes listed in the report
Rows = list[dict[str, Any]]


def run(context: Context) -> dict[str, Any]:
    """Answer, score, keep every answer; the result has the scores."""
    told: Evaluate = context.arguments
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    labels = _labels(context, told)
    tokenizer = load_tokenizer(context)
    quantized = _quantization(context) if told.quantize else None
    model = load_model(context, told.model, dtype=told.dtype, quantized=quantized)
    asked, prompting = _prompted(context, told, rows, labels, tokenizer, model)
    total = 2 * len(rows)
    said = answers.generate(
        model,
        tokenizer,
        prompt_ids(tokenizer, asked),
        max_new_tokens=told.max_new_tokens,
        batch_size=told.batch_size,
        labels=labels if told.constrain_labels else (),
        on_batch=lambda done: context.progress(done, total, what="answers"),
    )
    encoded = encode(tokenizer, rows, loss_on="completion", max_length=None)
    means, counts = answers.losses(
        model,
        tokenizer,
        encoded,
        batch_size=told.batch_size,
        on_batch=lambda done: context.progress(len(rows) + done, total, what="held-out loss"),
    )
    expected = [str(row["messages"][-1]["content"]) for row in rows]
    loss = dict(zip(encoded.rows, means, strict=True))
    write_rows(context.folder / PREDICTIONS, _predictions(rows, expected, said, loss))
    result: dict[str, Any] = {"rows": len(rows), "prompting": prompting, "metrics": {}}
    for metric in told.metrics:
        if metric in LOSS_METRICS:
            result["metrics"][metric] = _loss(metric, means, counts, context.plan.seed)
        else:
            result["metrics"][metric] = scores.score(metric, expected, said, labels, context.plan.seed)
    if labels:
        known = {scores.normal(label) for label in labels}
        result["invalid_share"] = sum(scores.normal(each) not in known for each in said) / len(said)
        result["confusions"] = scores.confusions(expected, said, CONFUSIONS)
        result["chance"] = 1 / len(labels)
    if context.stage.kind == "evaluate":
        result["changes"] = _changes(context, told, expected, said, loss)
    return result


def _labels(context: Context, told: Evaluate) -> list[str]:
    """The classes of the rows that are scored."""
    return [
        label
        for each in context.plan.stages
        if each.kind == "prepare" and each.arguments["rows"] == told.rows
        for label in each.arguments["labels"]
    ]


def _quantization(context: Context) -> Mapping[str, Any]:
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


def _loss(metric: str, means: Sequence[float], counts: Sequence[int], seed: int) -> dict[str, float]:
    found = scores.mean(means, seed, counts)
    if metric == "perplexity":
        import math

        return {name: math.exp(value) for name, value in found.items()}
    return found


def _changes(
    context: Context, told: Evaluate, expected: Sequence[str], said: Sequence[str], loss: Mapping[int, float]
) -> dict[str, Any]:
    """Each metric after against before, on the same rows; remarks where it is worse, or may be chance."""
    baseline = next(
        (each for each in context.plan.stages if each.kind == "baseline" and each.arguments["rows"] == told.rows), None
    )
    if baseline is None:
        return {}
    before = list(read_rows(context.run.stage(baseline.id) / PREDICTIONS))
    old = [str(row["answer"]) for row in before]
    seed = context.plan.seed
    changes: dict[str, Any] = {}
    for metric in told.metrics:
        if metric in ("accuracy", "exact_match"):
            right = [scores.normal(each) == scores.normal(answer) for each, answer in zip(expected, said, strict=True)]
            changes[metric] = scores.compare([bool(row["right"]) for row in before], right, seed)
            _remark(context, metric, changes[metric])
        elif metric in scores.PER_ROW:
            function = scores.PER_ROW[metric]
            was, now = ([function(each, one) for each, one in zip(expected, some, strict=True)] for some in (old, said))
            changes[metric] = scores.compare_means(was, now, seed)
            _remark(context, metric, changes[metric])
        elif metric == "held_out_loss":
            changes[metric] = scores.compare_means(
                [float(before[row]["loss"]) for row in loss], list(loss.values()), seed
            )
    return changes


def _remark(context: Context, metric: str, change: Mapping[str, float]) -> None:
    if change["value"] < 0:
        context.remark("R405", f"{metric} fell by {-change['value']:.3f}")
    elif change["low"] <= 0:
        context.remark(
            "R408", f"{metric} rose by {change['value']:.3f}, and the 95 % interval goes down to {change['low']:+.3f}"
        )


# --- prompting the baseline ---------------------------------------------------------------------------------------


def _prompted(
    context: Context, told: Evaluate, rows: Rows, labels: Sequence[str], tokenizer: Any, model: Any
) -> tuple[Rows, str]:
    """The rows as they are asked, and in words how. A trained model is asked as it was taught: plainly."""
    if context.stage.kind != "baseline":
        return rows, "plain"
    examples = _examples(context, told)
    room = int(context.plan.model.get("context") or getattr(model.config, "max_position_embeddings", 0) or 4096)
    goal = str(context.plan.goal.get("description") or "").strip()
    listed = f"Answer with one of these labels: {', '.join(labels)}" if labels else ""
    for instruction, words in (
        ("\n".join(each for each in (goal, listed) if each), "goal and labels" if labels else "goal"),
        (goal, "goal; the labels do not fit into the context"),
    ):
        asked = [_with(row, instruction, examples) for row in rows]
        longest = max(rows, key=lambda row: sum(len(each["content"]) for each in row["messages"]))
        needs = len(prompt_ids(tokenizer, [_with(longest, instruction, examples)])[0]) + told.max_new_tokens
        if needs <= room and (instruction or not (goal or listed)):
            shown = f"{words}, {len(examples) // 2} examples" if examples else words
            return asked, shown if instruction else "plain"
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
