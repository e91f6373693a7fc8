"""What a run has used of its budget, counted from the journal: hours of every attempt, also of those that were lost."""

from __future__ import annotations

from collections.abc import Sequence

from ftc.compiler.plan import Plan
from ftc.runtime.journal import Event


def spent_hours(events: Sequence[Event]) -> float:
    """Hours in stages. An attempt without an end (the supervisor was killed) lasted to the last word of its stage."""
    seconds = 0.0
    begun: tuple[str, float] | None = None
    last = 0.0
    for event in events:
        if event["kind"] == "stage_started":
            if begun is not None:
                seconds += max(0.0, last - begun[1])
            begun, last = (str(event["stage"]), float(event["ts"])), float(event["ts"])
        elif begun is not None and event["stage"] == begun[0]:
            last = max(last, float(event["ts"]))
            if event["kind"] == "stage_ended":
                seconds += float(event.get("seconds", 0.0))
                begun = None
    return (seconds + (max(0.0, last - begun[1]) if begun else 0.0)) / 3600


def over_budget(plan: Plan, events: Sequence[Event]) -> bool:
    """Whether `budget.hours` or `budget.usd` is used up. An attempt under way counts up to its last word."""
    hours = spent_hours(events)
    usd = hours * float(plan.budget.get("usd_per_hour") or 0.0)
    limits = ((plan.budget.get("hours"), hours), (plan.budget.get("usd"), usd))
    return any(limit is not None and used > 0 and used >= limit for limit, used in limits)
