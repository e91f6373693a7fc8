"""Scores what a model prefers, on held-out pairs, or on answers called good or bad.

`reward_accuracy` is what DPO and KTO optimise: the implicit reward of an answer is how much likelier the model has made
it than the one that training started from (Rafailov et al. 2023, arXiv 2305.18290), and the score is the share of pairs
whose better answer has the larger reward. Before training every reward is zero, which ranks like a coin: 0.5.
`likelihood_accuracy` asks for the larger mean log-likelihood of a token instead, and needs no reference. For thumbs,
both are the probability that a good answer stands above a bad one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftc.compiler.stages import Evaluate
from ftc.runtime import answers, scores
from ftc.runtime.context import Context
from ftc.runtime.loading import ADAPTER_CONFIG, BASE, load_model, load_tokenizer, trained_folder
from ftc.runtime.preferences import encode_pairs, encode_thumbs
from ftc.runtime.run_folder import read_rows, write_rows
from ftc.runtime.scoring import ranked
from ftc.runtime.scoring.answers import PREDICTIONS, quantization_of, remark_on
from ftc.runtime.tokens import Encoded, prompt_ids

PREFERENCES = "preferences.jsonl"  # of each held-out row, how likely its answers are and what their rewards are
Rows = Sequence[dict[str, Any]]
Sides = list[list[float]]  # of pairs the chosen and the rejected answers, of thumbs all answers


def run(context: Context) -> dict[str, Any]:
    """Score, and answer some prompts for the report; the result has the scores."""
    told: Evaluate = context.arguments
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    tokenizer = load_tokenizer(context)
    encoded = _encoded(context, told, tokenizer, rows)
    scored = [rows[number] for number in encoded[0].rows]
    reference = _reference(context, told)
    quantized = quantization_of(context) if told.quantize else None
    model = load_model(context, told.model, dtype=told.dtype, quantized=quantized)
    means, sums = _likelihoods(context, told, model, tokenizer, encoded, "likelihood of answers")
    _answer(context, told, model, tokenizer, rows)
    rewards = None
    if reference:
        what = "likelihood before training"
        if (trained_folder(context, told.model) / ADAPTER_CONFIG).exists():
            with model.disable_adapter():
                _, before = _likelihoods(context, told, model, tokenizer, encoded, what)
        else:
            del model
            model = load_model(context, reference, dtype=told.dtype, quantized=None)
            _, before = _likelihoods(context, told, model, tokenizer, encoded, what)
        rewards = [[new - old for new, old in zip(*each, strict=True)] for each in zip(sums, before, strict=True)]
    write_rows(context.folder / PREFERENCES, _kept(scored, means, rewards))
    return _result(context, told, scored, means, rewards)


def _encoded(context: Context, told: Evaluate, tokenizer: Any, rows: Rows) -> list[Encoded]:
    prepared = next(
        each.arguments for each in context.plan.stages if each.kind == "prepare" and each.arguments["rows"] == told.rows
    )
    length = int(prepared["max_length"])  # as trained: what is cut off there has no reward
    if prepared["form"] == "pairs":
        return list(encode_pairs(tokenizer, rows, max_length=length))
    return [encode_thumbs(tokenizer, rows, max_length=length)]


def _likelihoods(
    context: Context, told: Evaluate, model: Any, tokenizer: Any, encoded: Sequence[Encoded], what: str
) -> tuple[Sides, Sides]:
    """Of each answer the mean log-likelihood of a token, and the sum over its tokens."""
    means: Sides = []
    sums: Sides = []
    total = sum(len(each.input_ids) for each in encoded)
    for side in encoded:
        first = sum(len(each) for each in means)
        losses, counts = answers.losses(
            model,
            tokenizer,
            side,
            batch_size=told.batch_size,
            on_batch=lambda done, first=first: context.progress(first + done, total, what=what),  # type: ignore[misc]
        )
        means.append([-loss for loss in losses])
        sums.append([-loss * count for loss, count in zip(losses, counts, strict=True)])
    return means, sums


def _reference(context: Context, told: Evaluate) -> str | None:
    """What the training of the scored model started from; None where nothing was trained."""
    if told.model == BASE:
        return None
    start = context.plan.stage(told.model).arguments.get("start_from")
    return None if start is None else str(start)


def _kept(rows: Rows, means: Sides, rewards: Sides | None) -> list[dict[str, Any]]:
    return [
        {
            "place": row["place"],
            "likelihood": [side[number] for side in means],
            "reward": [side[number] for side in rewards] if rewards else None,
        }
        for number, row in enumerate(rows)
    ]


# --- the scores -----------------------------------------------------------------------------------------------------


def _result(context: Context, told: Evaluate, rows: Rows, means: Sides, rewards: Sides | None) -> dict[str, Any]:
    seed = context.plan.seed
    result: dict[str, Any] = {"rows": len(rows), "prompting": "as it stands", "metrics": {}}
    if rewards is None:
        result["prompting"] = "as it stands; before training every reward is zero, which ranks like a coin"
    pairs = len(means) == 2
    good = [] if pairs else [bool(row["good"]) for row in rows]
    if not pairs and len(set(good)) < 2:
        context.remark("R408", "the held-out answers are all good or all bad: nothing can be ranked")
        return result

    def value(sides: Sides) -> dict[str, Any]:
        return scores.share(_hits(sides)) if pairs else ranked.area(sides[0], good, seed)

    found = {"reward_accuracy": value(rewards) if rewards else ranked.COIN, "likelihood_accuracy": value(means)}
    result["metrics"] = {metric: found[metric] for metric in told.metrics}
    if context.stage.kind == "evaluate":
        result["changes"] = _changes(context, told, good, means, rewards)
    return result


def _changes(
    context: Context, told: Evaluate, good: Sequence[bool], means: Sides, rewards: Sides | None
) -> dict[str, Any]:
    """Rewards against a coin, likelihoods against those of the baseline, on the same rows."""
    seed = context.plan.seed
    baseline = next(
        (each for each in context.plan.stages if each.kind == "baseline" and each.arguments["rows"] == told.rows), None
    )
    changes: dict[str, Any] = {}
    if rewards:
        changes["reward_accuracy"] = (
            ranked.area_against_coin(rewards[0], good, seed) if good else ranked.against_coin(_hits(rewards))
        )
    if baseline is not None:
        kept = [row["likelihood"] for row in read_rows(context.run.stage(baseline.id) / PREFERENCES)]
        before: Sides = [list(side) for side in zip(*kept, strict=True)]
        changes["likelihood_accuracy"] = (
            ranked.area_change(before[0], means[0], good, seed)
            if good
            else scores.compare(_hits(before), _hits(means), seed)
        )
    changes = {metric: changes[metric] for metric in told.metrics if metric in changes}
    for metric in list(changes)[:1]:  # the one that the goal asks for; the other may stay as it was
        remark_on(context, metric, changes[metric])
    return changes


def _hits(sides: Sides) -> list[bool]:
    """Of each pair, whether the better answer has the larger value."""
    return [better > worse for better, worse in zip(*sides, strict=True)]


# --- what a person reads --------------------------------------------------------------------------------------------


def _answer(context: Context, told: Evaluate, model: Any, tokenizer: Any, rows: Rows) -> None:
    """What the model says to the first prompts, beside what was preferred."""
    asked = rows[: told.samples]
    said = answers.generate(
        model, tokenizer, prompt_ids(tokenizer, asked), max_new_tokens=told.max_new_tokens, batch_size=told.batch_size
    )
    kept = (
        {
            "place": row["place"],
            "prompt": row["prompt"][-1]["content"] if row["prompt"] else "",
            "expected": _wanted(row),
            "answer": answer,
            "right": None,  # an answer of its own is neither of the two
        }
        for row, answer in zip(asked, said, strict=True)
    )
    write_rows(context.folder / PREDICTIONS, kept)


def _wanted(row: dict[str, Any]) -> str:
    if "chosen" in row:
        return f"{row['chosen']}\n\nrather than:\n{row['rejected']}"
    return str(row["completion"]) if row["good"] else f"rather not:\n{row['completion']}"
