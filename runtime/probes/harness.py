"""Tasks of lm-evaluation-harness (EleutherAI), where it is installed: `lm-eval:hellaswag`, `lm-eval:arc_easy`.

The model that is already loaded is handed over. Which data a task takes is the harness's business, and it downloads it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ftc.runtime.context import Context
from ftc.runtime.probes import Asked, Found

INTERVAL = 1.96  # standard errors on either side hold 95 %


def look(asked: Asked) -> Found:
    """Each number of the task that has a standard error, with its interval."""
    if find_spec("lm_eval") is None:
        return Found(metrics={}, items=[], why_not="lm-evaluation-harness is not installed")
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=asked.one.model, tokenizer=asked.one.tokenizer, batch_size=asked.told.batch_size)
    found: dict[str, Any] = simple_evaluate(model=model, tasks=[asked.detail], bootstrap_iters=100)["results"]
    if asked.detail not in found:
        return Found(metrics={}, items=[], why_not="the harness has no such task")
    metrics = intervals(found[asked.detail])
    return Found(metrics=metrics, items=[{"metric": name, **value} for name, value in metrics.items()])


def intervals(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """`acc,none` with its `acc_stderr,none` as `acc` with an interval."""
    out = {}
    for key, value in result.items():
        name, _, kind = key.partition(",")
        error = result.get(f"{name}_stderr,{kind}")
        if isinstance(value, int | float) and isinstance(error, int | float):
            out[name] = {"value": value, "low": value - INTERVAL * error, "high": value + INTERVAL * error}
    return out


def compare(context: Context, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, Any]:
    """The difference of each number; beyond chance where the two intervals lie apart, which is strict."""
    was = {each["metric"]: each for each in before}
    return {
        each["metric"]: {
            "value": each["value"] - was[each["metric"]]["value"],
            "low": each["low"] - was[each["metric"]]["high"],
            "high": each["high"] - was[each["metric"]]["low"],
        }
        for each in after
        if each["metric"] in was
    }
