"""Scores answers to held-out prompts by what they were optimised for: a program's check, or a reward model.

Answers are greedy, as deployed. `mean_reward` is in the reward's own unit; `win_rate` is how often the judge likes an
answer better than the one before, ties counting half, so that a half is no change. The judge is the reward model that
the policy was trained against: it says that training worked, not that people agree.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ftc.compiler.stages import Evaluate
from ftc.runtime import scores
from ftc.runtime.asking import who
from ftc.runtime.context import Context
from ftc.runtime.rewards.given import rewards_of
from ftc.runtime.run_folder import read_rows, write_rows
from ftc.runtime.scoring.answers import PREDICTIONS, quantization_of, remark_on

Rows = list[dict[str, Any]]


def run(context: Context) -> dict[str, Any]:
    """Answer, reward, keep every answer; the result has the scores."""
    told: Evaluate = context.arguments
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    said = _answers(context, told, rows)
    with ExitStack() as stack:
        rewards: list[float] = []
        give = rewards_of(context, told, stack)
        for start in range(0, len(rows), told.batch_size):
            some = slice(start, start + told.batch_size)
            rewards += give(rows[some], said[some])
            context.progress(len(rows) + len(rewards), 2 * len(rows), what="rewards")
    before = _before(context, told) if context.stage.kind == "evaluate" else []
    wins = [_win(now, then) for now, then in zip(rewards, before, strict=True)] if before else []
    write_rows(context.folder / PREDICTIONS, _predictions(rows, said, rewards, wins, judged=bool(told.judge)))
    seed = context.plan.seed
    result: dict[str, Any] = {
        "rows": len(rows),
        "prompting": "plain",
        "metrics": {"mean_reward": scores.mean(rewards, seed)},
        "answer_characters": sum(len(each) for each in said) / len(said),
    }
    changes: dict[str, Any] = {}
    if before:
        changes["mean_reward"] = scores.compare_means(before, rewards, seed)
    if wins and "win_rate" in told.metrics:
        result["metrics"] = {"win_rate": scores.mean(wins, seed), **result["metrics"]}
        changes["win_rate"] = _against_a_coin(wins, seed)
    if told.judge:
        result["metrics"]["reward_accuracy"] = context.result(told.judge)["metrics"]["reward_accuracy"]
    if context.stage.kind == "evaluate":
        result["changes"] = changes
        if changes:
            remark_on(context, told.metrics[0], changes[told.metrics[0]])
    return result


def _answers(context: Context, told: Evaluate, rows: Rows) -> list[str]:
    """The model's answers; the model is let go of, so that the judge has room."""
    one = who(context, told.model, dtype=told.dtype, quantized=quantization_of(context) if told.quantize else None)
    asked = [{"messages": [*row["prompt"], {"role": "assistant", "content": ""}]} for row in rows]
    said = one.answer(
        asked,
        max_new_tokens=told.max_new_tokens,
        batch_size=told.batch_size,
        on_batch=lambda done: context.progress(done, 2 * len(rows), what="answers"),
    )
    del one
    gc.collect()
    return said


def _before(context: Context, told: Evaluate) -> list[float]:
    """The rewards of the baseline on the same rows; none where there is no baseline."""
    found = [each for each in context.plan.stages if each.kind == "baseline" and each.arguments["rows"] == told.rows]
    if not found:
        return []
    return [float(row["reward"]) for row in read_rows(context.run.stage(found[0].id) / PREDICTIONS)]


def _win(now: float, then: float) -> float:
    return 0.5 if now == then else float(now > then)


def _against_a_coin(wins: Sequence[float], seed: int) -> dict[str, Any]:
    """How far the win rate is from a half: the sign test on those that are no ties."""
    from scipy.stats import binomtest

    won, lost = sum(each == 1.0 for each in wins), sum(each == 0.0 for each in wins)
    p_value = float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else 1.0
    found = scores.mean([each - 0.5 for each in wins], seed)
    return {**found, "p_value": p_value, "significant": p_value < 1 - scores.LEVEL, "gained": won, "lost": lost}


def _predictions(
    rows: Rows, said: Sequence[str], rewards: Sequence[float], wins: Sequence[float], *, judged: bool
) -> Rows:
    """Right is an answer that the judge likes better than the one before, or that the check rewards at all."""
    return [
        {
            "place": row["place"],
            "prompt": row["prompt"][-1]["content"] if row["prompt"] else "",
            "expected": str(row.get("answer", "")),
            "answer": answer,
            "reward": reward,
            "right": (wins[number] == 1.0 if wins else False) if judged else reward > 0,
        }
        for number, (row, answer, reward) in enumerate(zip(rows, said, rewards, strict=True))
    ]
