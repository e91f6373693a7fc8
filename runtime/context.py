"""What a stage has at hand: the plan, its own arguments, the run's folder and the journal. No torch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftc.compiler.plan import Plan, Stage
from ftc.compiler.stages import read_arguments
from ftc.runtime import journal as journals
from ftc.runtime.distributed import leads
from ftc.runtime.journal import Event, Follower, Journal
from ftc.runtime.run_folder import RunFolder
from ftc.spec.diagnostics import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One stage of one run."""

    plan: Plan
    stage: Stage
    run: RunFolder
    data_folder: Path  # relative paths of data files and models start here: the folder of the plan
    journal: Journal
    past: tuple[Event, ...]  # the journal up to the start of this process
    began: float = field(default_factory=time.monotonic)

    @property
    def arguments(self) -> Any:
        """The stage's dataclass of `compiler/stages.py`, with what the supervisor has adjusted since."""
        return read_arguments(self.stage.kind, {**self.stage.arguments, **adjustments(self.past, self.stage.id)})

    @property
    def folder(self) -> Path:
        """Where this stage keeps its files, made."""
        path = self.run.stage(self.stage.id)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def result(self, stage_id: str) -> Mapping[str, Any]:
        """What an earlier stage came to. Raises KeyError where it has not finished."""
        found = results(self.past).get(stage_id)
        if found is None:
            raise KeyError(stage_id)
        return found

    def remark(self, code: str, message: str, severity: Severity = Severity.WARNING, **values: Any) -> None:
        """A tripwire or another finding that does not stop the stage."""
        self.journal.write("remark", code=code, message=message, severity=str(severity), **values)

    def progress(self, step: int, total: int, **values: Any) -> None:
        """How far the stage is, and how long the rest will take at the pace so far."""
        if step and "eta_seconds" not in values:
            values["eta_seconds"] = round((time.monotonic() - self.began) / step * (total - step), 1)
        self.journal.write("progress", step=step, total=total, **values)


def open_context(folder: Path, stage_id: str) -> Context:
    """The context of a stage in a run's folder."""
    from ftc.compiler.plan_file import load_plan
    from ftc.spec.diagnostics import Refused

    run = RunFolder(folder)
    plan, problems = load_plan(run.plan)
    if plan is None:
        raise Refused(problems)
    past, _ = journals.read(folder)
    return Context(
        plan=plan,
        stage=plan.stage(stage_id),
        run=run,
        data_folder=Path(started(past).get("data_folder", folder)),
        journal=Journal(folder, stage_id) if leads() else Follower(folder, stage_id),
        past=tuple(past),
    )


def started(events: Sequence[Event]) -> Event:
    """The last event with which a supervisor began; empty where none did."""
    return next((event for event in reversed(events) if event["kind"] == "run_started"), {})


def results(events: Sequence[Event]) -> dict[str, Mapping[str, Any]]:
    """What each finished stage came to."""
    return {
        event["stage"]: event.get("result", {})
        for event in events
        if event["kind"] == "stage_finished" and isinstance(event.get("result"), dict)
    }


def adjustments(events: Sequence[Event], stage_id: str) -> dict[str, Any]:
    """Arguments of a stage that the supervisor has changed after trouble, the last change winning."""
    changed: dict[str, Any] = {}
    for event in events:
        if event["kind"] == "adjusted" and event["stage"] == stage_id:
            changed |= event.get("arguments", {})
    return changed
