"""Which evaluation decides about a run: the one that measured what the goal asks for, the first one otherwise.

Chains score several sets of rows: `sft+dpo` the answers to demonstrations, and which of two answers is preferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftc.compiler.plan import Plan, Stage

Found = Mapping[str, Mapping[str, Any]]  # what each finished stage came to


def deciding(plan: Plan, found: Found) -> Stage | None:
    """The stage; None where nothing was scored after training."""
    scored = [each for each in plan.stages if each.kind == "evaluate" and each.id in found]
    metric = (plan.goal.get("success") or {}).get("metric")
    return next((each for each in scored if metric in found[each.id].get("metrics", {})), None) or next(
        iter(scored), None
    )


def reached(plan: Plan, found: Found) -> float | None:
    """The value of the goal's metric; None where there is no goal, or nothing measured it."""
    stage, metric = deciding(plan, found), (plan.goal.get("success") or {}).get("metric")
    value = found[stage.id].get("metrics", {}).get(metric, {}).get("value") if stage and metric else None
    return None if value is None else float(value)


def before_and_after(plan: Plan) -> Sequence[tuple[Stage | None, Stage | None]]:
    """Baseline and evaluation of each set of rows, in the order of the plan."""
    names = dict.fromkeys(each.arguments["rows"] for each in plan.stages if each.kind in ("baseline", "evaluate"))
    return [(_of(plan, "baseline", name), _of(plan, "evaluate", name)) for name in names]


def _of(plan: Plan, kind: str, rows: str) -> Stage | None:
    return next((each for each in plan.stages if each.kind == kind and each.arguments["rows"] == rows), None)
