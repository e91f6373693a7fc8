"""Looks for the prompt that scores best on a development split of the training rows, by successive halving.

Every instruction is tried with every number of examples on a few rows; the better half goes on to twice as many rows,
until one is left (Jamieson and Talwalkar 2016, arXiv 1502.07943). Rows that are tried on are no examples, and held-out
rows are not looked at. The best becomes the pack in `prompt/`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftc.compiler.stages import PromptSearch
from ftc.runtime import scores
from ftc.runtime.asking import Endpoint, Local, who
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.prompting.examples import chosen
from ftc.runtime.prompting.pack import FOLDER, Pack, asked, example_of, whole_template, write_pack
from ftc.runtime.run_folder import read_rows
from ftc.runtime.scoring.answers import labels_of

FEWEST = 16  # rows of the first round: below, halving is a lot

Rows = list[dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Tried:
    """A prompt and what was answered to it so far."""

    pack: Pack
    said: list[str]

    @property
    def characters(self) -> int:
        """What it adds to a question: of two that score alike, the shorter is better."""
        return len(self.pack.template) + sum(len(text) for each in self.pack.examples for text in each.values())


def run(context: Context) -> dict[str, Any]:
    """Try, choose, write the pack; the result has every prompt that was tried with its last score."""
    told: PromptSearch = context.arguments
    rows = list(read_rows(context.run.train_rows(told.rows)))
    labels = labels_of(context, told.rows)
    development, shown = _divided(rows, told)
    one = who(context, told.model, dtype=told.dtype, quantized=None)
    tried, left_out = _fitting(_variants(context, told, labels, shown), development, one, told.max_new_tokens)
    if not tried:
        raise Stopped("R112", "no prompt leaves room for an answer in the context of the model")
    if left_out:
        context.remark("R411", f"{left_out} of {left_out + len(tried)} prompts do not fit into the context")
    best = _halved(context, told, tried, development, labels, one)
    write_pack(context.folder / FOLDER, best.pack)
    return {
        "model": FOLDER,
        "metric": told.metric,
        "score": best.pack.score,
        "development_rows": len(development),
        "template": best.pack.template,
        "examples": len(best.pack.examples),
        "tried": [
            {
                "template": each.pack.template,
                "examples": len(each.pack.examples),
                "rows": len(each.said),
                "score": each.pack.score,
            }
            for each in sorted(tried, key=lambda each: (-len(each.said), -each.pack.score["value"]))
        ],
        "left_out": left_out,
    }


def _divided(rows: Rows, told: PromptSearch) -> tuple[Rows, Rows]:
    """Rows to try on, and rows to take examples from: at most half of all are tried on."""
    order = random.Random(told.seed).sample(range(len(rows)), len(rows))  # noqa: S311 - a lot, not a secret
    count = min(told.development_rows, max(1, len(rows) // 2))
    return [rows[number] for number in order[:count]], [rows[number] for number in sorted(order[count:])]


def _variants(context: Context, told: PromptSearch, labels: Sequence[str], rows: Rows) -> list[Tried]:
    """Each instruction with each number of examples."""
    listed = [example_of(row) for row in rows]
    usable = [each for each in listed if each["question"].strip() and each["answer"].strip()]
    classes = [each["answer"] if labels else "" for each in usable]
    out = []
    for count in sorted({min(count, len(usable)) for count in told.examples}):
        numbers = chosen([each["question"] for each in usable], classes, count, told.seed)
        for instruction in dict.fromkeys(told.instructions):
            pack = Pack(
                template=whole_template(instruction),
                examples=[usable[number] for number in numbers],
                goal=str(context.plan.goal.get("description") or "").strip(),
                labels=list(labels),
                constrain_labels=told.constrain_labels,
                json_schema=told.json_schema,
                model=str(context.plan.model["base"]),
                metric=told.metric,
                score={},
                development_rows=0,
            )
            out.append(Tried(pack=pack, said=[]))
    return out


def _fitting(tried: list[Tried], rows: Rows, one: Local | Endpoint, tokens: int) -> tuple[list[Tried], int]:
    """Those with which the longest row fits into the context, and how many do not."""
    fit = [each for each in tried if one.fits([asked(each.pack, row) for row in rows], tokens)]
    return fit, len(tried) - len(fit)


def _halved(
    context: Context, told: PromptSearch, tried: list[Tried], rows: Rows, labels: Sequence[str], one: Local | Endpoint
) -> Tried:
    """The one that is left when the worse half has gone, round by round."""
    expected = [str(row["messages"][-1]["content"]) for row in rows]
    rounds = _rounds(len(tried), len(rows))
    total, left, done = sum(survivors * count for survivors, count in rounds), tried, 0
    for survivors, more in rounds:
        left = sorted(left, key=_rank)[:survivors]
        for each in left:
            start = len(each.said)
            each.said += one.answer(
                [asked(each.pack, row) for row in rows[start : start + more]],
                max_new_tokens=told.max_new_tokens,
                batch_size=told.batch_size,
                labels=labels if told.constrain_labels else (),
                json_schema=told.json_schema,
            )
            score = scores.score(told.metric, expected[: len(each.said)], each.said, labels, told.seed)
            each.pack = replace(each.pack, score=score, development_rows=len(each.said))
            done += more
            context.progress(done, total, what="prompts")
    return min(left, key=_rank)


def _rounds(variants: int, rows: int) -> list[tuple[int, int]]:
    """How many prompts are asked how many more rows: 12 and 100 make (12, 25), (6, 25), (3, 50)."""
    sizes = [rows]
    while len(sizes) < variants.bit_length() - 1 and sizes[0] // 2 >= FEWEST:
        sizes.insert(0, sizes[0] // 2)
    more = [size - before for size, before in zip(sizes, [0, *sizes], strict=False)]
    return [(max(1, variants >> number), count) for number, count in enumerate(more)]


def _rank(each: Tried) -> tuple[float, int]:
    return -each.pack.score.get("value", 0.0), each.characters
