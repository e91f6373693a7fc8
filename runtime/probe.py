"""`ftc run --probe`: what a few real steps say about the rest of the run. Pure; the supervisor has them taken.

The first steps warm up (kernels are chosen, memory is claimed) and are not counted. What is left to train takes as
long a step as those that were measured, what is left to evaluate is scaled by the same ratio, and everything else
stays as planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftc.compiler.plan import Plan, Stage
from ftc.runtime.context import results
from ftc.runtime.journal import Event
from ftc.runtime.spending import spent_hours

MEASURED = "measured"  # the event: step, total, seconds since training began, memory
SPREAD = 0.2  # how far the mean of a few steps lies from that of all: rows are of different lengths
_BESIDE_GIB = 0.5  # of a CUDA process beside torch's tensors, where the plan does not say
_GROWS = 0.15  # what a later, longer batch may still add to the peak
_ANSWERS = ("baseline", "evaluate", "prompt-search")  # stages whose time goes with the speed of the model


def to_probe(plan: Plan, events: Sequence[Event]) -> Stage | None:
    """The first training stage that has not finished."""
    done = results(events)
    return next((each for each in plan.stages if "learning_rate" in each.arguments and each.id not in done), None)


def before(plan: Plan, stage: Stage) -> tuple[Stage, ...]:
    """What has to be done before that stage can start, in the plan's order."""
    needed: set[str] = set()
    open_ = list(stage.needs)
    while open_:
        name = open_.pop()
        if name not in needed:
            needed.add(name)
            open_ += plan.stage(name).needs
    return tuple(each for each in plan.stages if each.id in needed)


def measured_twice(events: Sequence[Event]) -> bool:
    """Whether the steps of one attempt were timed from warm to end."""
    return len([event for event in events if event["kind"] == MEASURED]) >= 2


def corrected(plan: Plan, stage: Stage, taken: Sequence[Event], events: Sequence[Event]) -> dict[str, Any] | None:
    """Planned beside corrected, for the whole run; None where the stage was over before its steps were measured.

    `taken` are the events of the probing attempt, `events` all of the run.
    """
    points = [event for event in taken if event["kind"] == MEASURED]
    if len(points) < 2 or points[-1]["step"] <= points[0]["step"]:
        return None
    first, last = points[0], points[-1]
    step = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    planned_step = _planned_step(stage)
    ratio = step / planned_step if planned_step else 1.0
    done = spent_hours(events)
    ahead = (last["total"] - last["step"]) * step / 3600 + _others(plan, stage, events, ratio)
    hours = {"low": done + ahead * (1 - SPREAD), "likely": done + ahead, "high": done + ahead * (1 + SPREAD)}
    rate = float(plan.budget.get("usd_per_hour") or 0.0)
    found = {
        "steps": last["step"] - first["step"],
        "seconds_a_step": {"planned": planned_step, "corrected": step},
        "hours": {"planned": plan.estimate.get("hours"), "corrected": hours},
        "usd": {
            "planned": plan.estimate.get("usd"),
            "corrected": {name: value * rate for name, value in hours.items()},
        },
        "memory_gib": {"planned": stage.estimate.get("memory_gib"), "corrected": _memory(stage, points)},
    }
    return {**found, "over": _over(plan, found)}


def _planned_step(stage: Stage) -> float | None:
    """Seconds of a step as the plan has it, past runs' correction included."""
    basis = stage.estimate.get("basis")
    return basis["step_seconds"] * basis["corrections"]["seconds"]["factor"] if basis else None


def _others(plan: Plan, stage: Stage, events: Sequence[Event], ratio: float) -> float:
    """Hours of the stages that are still to come, without the one that was probed."""
    finished = results(events)
    hours = 0.0
    for each in plan.stages:
        if each.id == stage.id or each.id in finished:
            continue
        planned = float((each.estimate.get("hours") or {}).get("likely", 0.0))
        hours += planned * (ratio if "learning_rate" in each.arguments or each.kind in _ANSWERS else 1.0)
    return hours


def _memory(stage: Stage, points: Sequence[Event]) -> dict[str, float] | None:
    """The peak so far, as the card or the process shows it, and what it may still grow to."""
    basis: Mapping[str, Any] = stage.estimate.get("basis") or {}
    peak = points[-1].get("memory") or {}
    reached = float(peak.get("reserved_gib") or 0.0)
    reached = reached + float(basis.get("beside_gib", _BESIDE_GIB)) if reached else float(peak.get("process_gib") or 0)
    return {"low": reached, "likely": reached, "high": reached * (1 + _GROWS)} if reached else None


def _over(plan: Plan, found: Mapping[str, Any]) -> list[str]:
    """Which limits of the budget the corrected estimate breaks."""
    out = []
    for name, unit in (("hours", "hours"), ("usd", "USD")):
        limit, likely = plan.budget.get(name), found[name]["corrected"]["likely"]
        if limit is not None and likely > limit:
            out.append(f"{likely:.2f} {unit}, the budget is {limit:g}")
    return out
