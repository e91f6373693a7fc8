"""The runs under a folder, from their journals. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ftc.runtime import journal as journals
from ftc.runtime.context import results
from ftc.runtime.run_folder import RunFolder
from ftc.runtime.spending import spent_hours
from ftc.runtime.supervisor import LOCK

ENDS = {0: "done", 1: "failed", 3: "stopped by the budget", 4: "below the goal", 130: "interrupted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One line of the list."""

    name: str
    folder: str
    state: str
    method: str
    stages_done: int
    stages: int
    hours: float
    scores: Mapping[str, float]  # metric -> value on the held-out rows, of the result
    began: float  # seconds since 1970


def runs(out: Path) -> list[Run]:
    """Every folder under `out` that a run was started in, newest first."""
    found = [look_at(each.parent) for each in out.glob(f"*/{journals.FILE}")]
    return sorted((each for each in found if each), key=lambda each: -each.began)


def look_at(folder: Path) -> Run | None:
    """How the run in `folder` stands; None where there is none."""
    events, _ = journals.read(folder)
    try:
        plan = json.loads(RunFolder(folder).plan.read_bytes())
        stages, method = plan["stages"], str(plan["verdict"]["method"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a folder that only looks like a run
    done = results(events)
    scored = next((done[each["id"]] for each in stages if each["kind"] == "evaluate" and each["id"] in done), {})
    return Run(
        name=folder.name,
        folder=str(folder),
        state=_state(folder, events),
        method=method,
        stages_done=sum(each["id"] in done for each in stages),
        stages=len(stages),
        hours=spent_hours(events),
        scores={name: value["value"] for name, value in scored.get("metrics", {}).items()},
        began=events[0]["ts"] if events else 0.0,
    )


def _state(folder: Path, events: list[journals.Event]) -> str:
    """`running` while a supervisor holds the lock; else how the last one ended; `cut off` where it did not say."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            pass
    except Timeout:
        return "running"
    last = next((each for each in reversed(events) if each["kind"] in ("run_started", "run_ended")), None)
    if last is None or last["kind"] == "run_started":
        return "cut off"
    return ENDS.get(last["exit_code"], f"exit code {last['exit_code']}")
