"""Has a model lost what it could do before? General questions with four answers each, judged by likelihood.

The answer that the model finds likeliest, per token, is its answer, so that a model that cannot hold a conversation is
scored as well. The questions are easy on purpose: what is lost here was held firmly. Made for this project.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from ftc.runtime import answers, scores
from ftc.runtime.context import Context
from ftc.runtime.probes import Asked, Found
from ftc.runtime.tokens import encode


def look(asked: Asked) -> Found:
    """Share of questions answered rightly, and the mean loss of the right answers."""
    questions = [json.loads(line) for line in _text().splitlines()]
    rows = [
        {"messages": [{"role": "user", "content": each["question"]}, {"role": "assistant", "content": choice}]}
        for each in questions
        for choice in each["choices"]
    ]
    encoded = encode(asked.one.tokenizer, rows, loss_on="completion", max_length=None)
    means, _ = answers.losses(asked.one.model, asked.one.tokenizer, encoded, batch_size=asked.told.batch_size)
    loss = dict(zip(encoded.rows, means, strict=True))
    items, start = [], 0
    for each in questions:
        mine = [loss[start + number] for number in range(len(each["choices"]))]
        start += len(mine)
        best = min(range(len(mine)), key=mine.__getitem__)
        items.append({"question": each["question"], "right": best == each["answer"], "loss": mine[each["answer"]]})
    seed = asked.context.plan.seed
    return Found(
        metrics={
            "accuracy": scores.share([bool(item["right"]) for item in items]),
            "loss": scores.mean([float(item["loss"]) for item in items], seed),
        },
        items=items,
    )


def compare(context: Context, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, Any]:
    """Question by question; R412 where fewer are right, or the right answers have become much less likely."""
    seed = context.plan.seed
    right = scores.compare([bool(each["right"]) for each in before], [bool(each["right"]) for each in after], seed)
    loss = scores.compare_means([each["loss"] for each in before], [each["loss"] for each in after], seed)
    if right["value"] < 0 and right["significant"]:
        context.remark("R412", f"general questions: {-right['value']:.0%} fewer are answered rightly than before")
    elif loss["significant"] and loss["value"] > 0:
        context.remark("R412", f"general questions: the right answers cost {loss['value']:+.2f} nats a token more")
    return {"accuracy": right, "loss": loss}


def _text() -> str:
    return files("ftc.runtime.probes").joinpath("general.jsonl").read_text("utf-8")
