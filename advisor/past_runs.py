"""What the training stages of a run really took, beside what they were estimated to take.

Reads a plan and a journal as JSON values. A stage counts where it finished with the settings that were estimated: one
that ran out of memory and went on with a smaller micro-batch says nothing about the setup that the plan had. Knows
nothing of corrections; `calibration.py` folds what is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from ftc.advisor.calibration import Actual

Event = Mapping[str, Any]
_INTERRUPTS = ("held_out", "checkpoint", "stage_started", "resumed")  # whose seconds are not those of a step


def actuals(plan: Mapping[str, Any], events: Sequence[Event], run: str) -> tuple[list[Actual], list[tuple[str, str]]]:
    """Estimated and measured, stage by stage, and (stage, why) of those that say nothing."""
    found: list[Actual] = []
    silent: list[tuple[str, str]] = []
    for stage in plan["stages"]:
        if "learning_rate" not in stage["arguments"]:
            continue
        mine = [event for event in events if event.get("stage") == stage["id"]]
        why = _silent(stage, mine)
        if why:
            silent.append((stage["id"], why))
            continue
        found += _compared(stage["estimate"]["basis"], mine, run)
    return found, silent


def _silent(stage: Mapping[str, Any], events: Sequence[Event]) -> str:
    """Why nothing can be learned from a stage; empty where something can."""
    kinds = [event["kind"] for event in events]
    if "basis" not in stage["estimate"]:
        return "the plan does not say what its estimate was computed from"
    if "stage_finished" not in kinds:
        return "it has not finished"
    if "adjusted" in kinds:
        return "it went on with other settings than were estimated"
    return ""


def _compared(basis: Mapping[str, Any], events: Sequence[Event], run: str) -> Iterator[Actual]:
    device, regime = str(basis["device"]), str(basis["regime"])
    step = step_seconds(events)
    if step:
        yield Actual(
            device=device, regime=regime, quantity="seconds", estimated=basis["step_seconds"], measured=step, run=run
        )
    peak = device_gib(events, basis)
    if peak:
        yield Actual(
            device=device, regime=regime, quantity="device_gib", estimated=basis["device_gib"], measured=peak, run=run
        )


def step_seconds(events: Sequence[Event]) -> float | None:
    """Seconds of one optimiser step: the mean between logged steps, those with an evaluation or a checkpoint apart."""
    seconds, steps, crowded = 0.0, 0, []
    last: Event | None = None
    for event in events:
        if event["kind"] in _INTERRUPTS:
            if event["kind"] in ("stage_started", "resumed"):
                last = None
            elif last is not None:
                last = {**last, "crowded": True}
        elif event["kind"] == "step":
            if last is not None and event["step"] > last["step"]:
                taken, done = event["seconds"] - last["seconds"], event["step"] - last["step"]
                if last.get("crowded"):
                    crowded.append(taken / done)
                elif taken > 0:
                    seconds, steps = seconds + taken, steps + done
            last = event
    if steps:
        return seconds / steps
    return median(crowded) if crowded and median(crowded) > 0 else None


def device_gib(events: Sequence[Event], basis: Mapping[str, Any]) -> float | None:
    """The peak as nvidia-smi would show it: what torch reserved and what is estimated beside; on a CPU the process."""
    peaks = [event["memory"] for event in events if isinstance(event.get("memory"), Mapping)]
    reserved = max((float(each["reserved_gib"]) for each in peaks if each.get("reserved_gib")), default=0.0)
    if reserved:
        return reserved + float(basis["beside_gib"])
    if not basis["on_cpu"]:
        return None
    return max((float(each["process_gib"]) for each in peaks if each.get("process_gib")), default=0.0) or None
