"""Everything that a report says, as one JSON value: the decision, the work, before and after, estimate and actual."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ftc.compiler.plan import Plan, Stage
from ftc.runtime.context import results, started
from ftc.runtime.deciding import before_and_after, deciding, reached
from ftc.runtime.journal import Event
from ftc.runtime.run_folder import RunFolder, read_rows
from ftc.runtime.spending import over_budget, spent_hours

PREDICTIONS = "predictions.jsonl"
TEXT = 600  # characters of a sample that are shown


def facts(plan: Plan, run: RunFolder, events: Sequence[Event], *, samples: int) -> dict[str, Any]:
    """The report."""
    found = results(events)
    by_kind: dict[str, str] = {stage.kind: stage.id for stage in reversed(plan.stages)}
    sides = before_and_after(plan)
    main = deciding(plan, found)
    shown = next((pair for pair in sides if main is not None and pair[1] is main), next(iter(sides), (None, None)))
    before, after = (dict(found.get(each.id, {})) if each else {} for each in shown)
    return {
        "name": plan.name,
        "run": plan.run_name,
        "plan": plan.hash,
        "folder": str(run.path.resolve()),
        "goal": _goal(plan, found),
        "decision": _decision(plan),
        "data": dict(found.get(by_kind.get("prepare", ""), {})),
        "scores": _scores(found, sorted(sides, key=lambda pair: pair != shown)),
        "before": before,
        "after": after,
        "probes": _probes(_with_probes(plan, found, "baseline"), _with_probes(plan, found, "evaluate")),
        "prompt": dict(found.get(by_kind.get("prompt-search", ""), {})),
        "training": _training(plan, found, events),
        "curve": _curve(plan, events),
        "rewards": _rewards(events),
        "stages": _stages(plan, events),
        "estimate": _estimate(plan, events),
        "samples": _samples(run, shown, samples),
        "export": dict(found.get(by_kind.get("export", ""), {})),
        "remarks": _remarks(events),
        "over_budget": over_budget(plan, events),
        "versions": _versions(plan),
        "machine": str(started(events).get("machine", platform.machine())),
        "prices_as_of": plan.prices_as_of,
    }


def _goal(plan: Plan, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    success, value = plan.goal.get("success"), reached(plan, found)
    met = None if success is None or value is None else value >= success["at_least"]
    return {**plan.goal, "reached": value, "met": met}


def _decision(plan: Plan) -> dict[str, Any]:
    verdict = plan.verdict
    return {
        "method": verdict.get("method"),
        "adapter": verdict.get("adapter"),
        "model": plan.model.get("base"),
        "parameters": plan.model.get("parameters"),
        "confidence": verdict.get("confidence"),
        "flags": verdict.get("flags", []),
        "trace": verdict.get("trace", []),
        "alternatives": verdict.get("alternatives", []),
        "flips": verdict.get("flips", []),
        "settings": verdict.get("settings", {}),
        "hardware": dict(plan.hardware),
    }


def _scores(
    found: Mapping[str, Mapping[str, Any]], sides: Sequence[tuple[Stage | None, Stage | None]]
) -> list[dict[str, Any]]:
    """One entry a metric of a set of rows: before, after and the change, each with its interval."""
    out = []
    for pair in sides:
        before, after = (found.get(each.id, {}) if each else {} for each in pair)
        first, second, changes = before.get("metrics", {}), after.get("metrics", {}), after.get("changes", {})
        rows = next(each.arguments["rows"] for each in pair if each)
        out += [
            {
                "rows": rows,
                "metric": name,
                "before": first.get(name),
                "after": second.get(name),
                "change": changes.get(name),
            }
            for name in dict.fromkeys((*first, *second))
        ]
    return out


def _with_probes(plan: Plan, found: Mapping[str, Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """What the stage of that kind that probed came to; empty where none did."""
    stages = [found.get(each.id, {}) for each in plan.stages if each.kind == kind]
    return next((each for each in stages if each.get("probes")), {})


def _probes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a number of a probe: before, after and the change, each with its interval."""
    first, second = before.get("probes", {}), after.get("probes", {})
    return [
        {
            "probe": name,
            "metric": metric,
            "before": first.get(name, {}).get("metrics", {}).get(metric),
            "after": second.get(name, {}).get("metrics", {}).get(metric),
            "change": second.get(name, {}).get("changes", {}).get(metric),
            "items": (second.get(name) or first[name])["items"],
        }
        for name in dict.fromkeys((*first, *second))
        for metric in (second.get(name) or first[name])["metrics"]
    ]


def _training(plan: Plan, found: Mapping[str, Mapping[str, Any]], events: Sequence[Event]) -> list[dict[str, Any]]:
    return [
        {
            "stage": stage.id,
            **found[stage.id],
            "resumed_at": [each["step"] for each in events if each["kind"] == "resumed" and each["stage"] == stage.id],
            "arguments": {**stage.arguments},
            "origins": {**stage.origins},
        }
        for stage in plan.stages
        if "learning_rate" in stage.arguments and stage.id in found
    ]


def _curve(plan: Plan, events: Sequence[Event]) -> dict[str, list[dict[str, Any]]]:
    """Loss over steps. What a resumed run did again counts once, in its last version.

    A policy's loss is left out: it says nothing of how good the answers are, which their rewards do.
    """
    policies = {stage.id for stage in plan.stages if stage.kind in ("rloo", "grpo")}
    train: dict[tuple[str, int], dict[str, Any]] = {}
    held_out: dict[tuple[str, int], dict[str, Any]] = {}
    for event in events:
        where = (str(event["stage"]), int(event.get("step", 0)))
        if event["stage"] in policies:
            continue
        if event["kind"] == "step":
            train[where] = {
                name: event.get(name) for name in ("stage", "step", "loss", "learning_rate", "tokens", "seconds")
            }
        elif event["kind"] == "held_out":
            held_out[where] = {name: event.get(name) for name in ("stage", "step", "loss")}
    return {"train": [train[key] for key in sorted(train)], "held_out": [held_out[key] for key in sorted(held_out)]}


def _rewards(events: Sequence[Event]) -> list[dict[str, Any]]:
    """The statistics of a policy's rewards over steps, in their last version."""
    found = {
        (str(event["stage"]), int(event["step"])): {
            name: value for name, value in event.items() if name not in ("ts", "kind")
        }
        for event in events
        if event["kind"] == "reward"
    }
    return [found[key] for key in sorted(found)]


def _stages(plan: Plan, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Each stage: what was estimated beside what it took, over all attempts."""
    out = []
    for stage in plan.stages:
        mine = [event for event in events if event["stage"] == stage.id]
        seconds = spent_hours(mine) * 3600
        peaks = [event["memory"] for event in mine if isinstance(event.get("memory"), dict)]
        out.append(
            {
                "stage": stage.id,
                "kind": stage.kind,
                "attempts": sum(event["kind"] == "stage_started" for event in mine),
                "seconds": round(seconds, 1),
                "estimated_hours": dict(stage.estimate).get("hours"),
                "estimated_memory_gib": dict(stage.estimate).get("memory_gib"),
                "peak_gib": {
                    name: max(float(each[name]) for each in peaks if name in each)
                    for name in ("process_gib", "allocated_gib", "reserved_gib")
                    if any(name in each for each in peaks)
                },
            }
        )
    return out


def _estimate(plan: Plan, events: Sequence[Event]) -> dict[str, Any]:
    """The whole run: estimate beside actual."""
    hours = spent_hours(events)
    rate = float(plan.budget.get("usd_per_hour") or 0.0)
    speeds = _tokens_per_second(events)
    peaks = [
        each["peak_gib"] for each in _stages(plan, events) if "learning_rate" in plan.stage(each["stage"]).arguments
    ]
    peak = max((value.get("reserved_gib", value.get("process_gib", 0.0)) for value in peaks), default=None)
    return {
        "hours": {"estimated": plan.estimate.get("hours"), "actual": hours},
        "usd": {"estimated": plan.estimate.get("usd"), "actual": hours * rate},
        "memory_gib": {"estimated": plan.estimate.get("memory", {}).get("device_gib"), "actual": peak},
        "tokens_per_second": {"estimated": plan.estimate.get("tokens_per_second_per_gpu"), "actual": speeds},
    }


def _tokens_per_second(events: Sequence[Event]) -> float | None:
    """Over the last attempt that logged twice; a run that was resumed at its last step has one that logged nothing."""
    attempts: list[list[Event]] = []
    for event in events:
        if event["kind"] == "stage_started":
            attempts.append([])
        elif attempts and event["kind"] == "step" and event.get("tokens") and event.get("seconds"):
            attempts[-1].append(event)
    for logged in reversed(attempts):
        if len(logged) >= 2:
            seconds = logged[-1]["seconds"] - logged[0]["seconds"]
            tokens = logged[-1]["tokens"] - logged[0]["tokens"]
            return round(tokens / seconds, 1) if seconds > 0 and tokens > 0 else None
    return None


def _samples(run: RunFolder, sides: tuple[Stage | None, Stage | None], most: int) -> list[dict[str, Any]]:
    """Rows spread over the held-out set, with the answers before and after."""
    files = {each.kind: run.stage(each.id) / PREDICTIONS for each in sides if each}
    said = {name: list(read_rows(path)) for name, path in files.items() if path.exists()}
    rows = said.get("evaluate") or said.get("baseline") or []
    chosen = range(0, len(rows), max(1, len(rows) // most)) if most else range(0)
    return [
        {
            "place": rows[index]["place"],
            "prompt": rows[index]["prompt"][:TEXT],
            "expected": rows[index]["expected"][:TEXT],
            "before": said["baseline"][index]["answer"][:TEXT] if "baseline" in said else None,
            "after": said["evaluate"][index]["answer"][:TEXT] if "evaluate" in said else None,
            "right": rows[index]["right"],
        }
        for index in list(chosen)[:most]
    ]


def _remarks(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Tripwires and other findings, each once."""
    seen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for event in events:
        if event["kind"] == "remark":
            key = (str(event["stage"]), str(event.get("code")), str(event.get("message")))
            seen[key] = {name: event.get(name) for name in ("stage", "code", "message", "severity", "rows", "examples")}
    return list(seen.values())


def _versions(plan: Plan) -> dict[str, str]:
    out = {"python": platform.python_version()}
    for name in ("finetune-compiler", *plan.versions):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out
