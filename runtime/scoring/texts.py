"""Scores how well a model foretells held-out raw text: the loss of a token, and perplexity. No answer is right here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ftc.compiler.stages import Evaluate
from ftc.runtime import answers, scores
from ftc.runtime.context import Context
from ftc.runtime.loading import load_model, load_tokenizer
from ftc.runtime.run_folder import read_rows, write_rows
from ftc.runtime.scoring.answers import PREDICTIONS, quantization_of
from ftc.runtime.tokens import encode_text, prompt_ids

LOSSES = "losses.jsonl"  # of each piece of the held-out text


def run(context: Context) -> dict[str, Any]:
    """Score, and let the model go on with some texts for the report; the result has the scores."""
    told: Evaluate = context.arguments
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    tokenizer = load_tokenizer(context)
    length = next(
        int(each.arguments["max_length"])
        for each in context.plan.stages
        if each.kind == "prepare" and each.arguments["rows"] == told.rows
    )
    encoded = encode_text(tokenizer, rows, max_length=length)
    quantized = quantization_of(context) if told.quantize else None
    model = load_model(context, told.model, dtype=told.dtype, quantized=quantized)
    means, counts = answers.losses(
        model,
        tokenizer,
        encoded,
        batch_size=told.batch_size,
        on_batch=lambda done: context.progress(done, len(encoded.input_ids), what="held-out loss"),
    )
    write_rows(
        context.folder / LOSSES,
        ({"place": each, "loss": loss} for each, loss in zip(encoded.places, means, strict=True)),
    )
    _go_on(context, told, model, tokenizer, rows)
    loss = scores.mean(means, context.plan.seed, counts)
    found = {"held_out_loss": loss, "perplexity": {name: math.exp(value) for name, value in loss.items()}}
    result: dict[str, Any] = {
        "rows": len(rows),
        "tokens": sum(counts),
        "prompting": "as it stands",
        "metrics": {metric: found[metric] for metric in told.metrics},
    }
    if context.stage.kind == "evaluate":
        result["changes"] = _changes(context, told, means)
    return result


def _changes(context: Context, told: Evaluate, means: Sequence[float]) -> dict[str, Any]:
    """The loss of each piece against the baseline's; a remark where it rose, or may have fallen by chance."""
    baseline = next(
        (each for each in context.plan.stages if each.kind == "baseline" and each.arguments["rows"] == told.rows), None
    )
    if baseline is None:
        return {}
    before = [float(row["loss"]) for row in read_rows(context.run.stage(baseline.id) / LOSSES)]
    change = scores.compare_means(before, means, context.plan.seed)
    if change["value"] > 0:
        context.remark("R405", f"the held-out loss of {told.rows} rose by {change['value']:.3f}")
    elif change["high"] >= 0:
        context.remark("R408", f"the held-out loss of {told.rows} fell by {-change['value']:.3f}, which may be chance")
    return {"held_out_loss": change}


def _go_on(context: Context, told: Evaluate, model: Any, tokenizer: Any, rows: Sequence[dict[str, Any]]) -> None:
    """How the model goes on with the first texts, beside how they go on."""
    begun = rows[: told.samples]
    beginnings = prompt_ids(tokenizer, begun)
    said = answers.generate(
        model, tokenizer, beginnings, max_new_tokens=told.max_new_tokens, batch_size=told.batch_size
    )
    kept = []
    for row, ids, answer in zip(begun, beginnings, said, strict=True):
        beginning = tokenizer.decode(ids, skip_special_tokens=True)
        kept.append(
            {
                "place": row["place"],
                "prompt": beginning,
                "expected": str(row["text"]).removeprefix(beginning),
                "answer": answer,
                "right": None,  # a text can go on in many ways
            }
        )
    write_rows(context.folder / PREDICTIONS, kept)
