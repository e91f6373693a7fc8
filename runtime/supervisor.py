"""Runs a plan: each stage as a process of its own, in order, with the journal as the only state. Imports no torch.

Run again, it passes over what has finished and continues what has not. It answers what a stage cannot: being killed,
hanging, running out of memory, a loss that is not a number. Whatever happens comes back as an `Outcome`, never as a
traceback; nothing here prints, the caller gets every event.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ftc.compiler.plan import Plan, Stage
from ftc.compiler.plan_file import load_plan
from ftc.runtime import journal as journals
from ftc.runtime import probe as probing
from ftc.runtime.answer_trouble import Answer, answer
from ftc.runtime.child import Child, Ended
from ftc.runtime.codes import diagnostic
from ftc.runtime.context import results, started
from ftc.runtime.deciding import deciding, reached
from ftc.runtime.disk import too_full
from ftc.runtime.drift import drift, missing_libraries
from ftc.runtime.follow import follow
from ftc.runtime.journal import Event, Journal, Tail
from ftc.runtime.processes import Starter
from ftc.runtime.run_folder import RunFolder
from ftc.runtime.spending import over_budget, spent_hours
from ftc.runtime.stages import MODULES
from ftc.runtime.torchrun import meeting
from ftc.runtime.trackers import TRACKERS, not_installed
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.files import write_whole

DONE, FAILED, WRONG, CANNOT, MISSED, INTERRUPTED = 0, 1, 2, 3, 4, 130
LOCK = ".run.lock"
SKIPPED_OVER_BUDGET = ("evaluate",)  # stages that cost time and that the model so far can do without
OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. `report` is what report.json holds, empty where the run did not get that far."""

    exit_code: int
    folder: Path | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)


class _End(Exception):
    """The run ends here."""

    def __init__(self, exit_code: int, *diagnostics: Diagnostic) -> None:
        self.exit_code = exit_code
        self.diagnostics = diagnostics


def run(
    plan_path: Path,
    out: Path,
    *,
    fresh: bool = False,
    accept_drift: bool = False,
    probe: bool = False,
    report_to: Sequence[str] = (),
    on_event: OnEvent = lambda _: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Carry out the plan in `plan_path`, in a folder of its own under `out`.

    `probe` takes a few real steps first and ends where they put the estimate over the budget. `stop`, once set, has the
    same effect as SIGTERM: a checkpoint, then exit code 130. `report_to` names trackers that get the curves as well.
    """
    plan, problems = load_plan(plan_path)
    if plan is None:
        return Outcome(exit_code=WRONG, diagnostics=tuple(problems))
    folder: Path | None = None
    if meeting().node_rank > 0:
        return _followed(plan, out, on_event, stop or threading.Event())
    try:
        _refuse(plan, plan_path.parent, accept_drift=accept_drift)
        _refuse_trackers(report_to)
        folder = _folder(plan, out, fresh=fresh)
        if full := list(too_full(plan, folder)):
            raise _End(CANNOT, *full)
        with _locked(folder), _signals(stop or threading.Event()) as stopping:
            supervisor = Supervisor(plan, plan_path, folder, on_event, stopping, accept_drift=accept_drift)
            return supervisor.carry_out(probe=probe, report_to=report_to)
    except _End as end:
        return Outcome(exit_code=end.exit_code, folder=folder, diagnostics=end.diagnostics)
    except OSError as error:
        problem = diagnostic("R102", f"{error.filename or out}: {error.strerror or error}")
        return Outcome(exit_code=FAILED, folder=folder, diagnostics=(problem,))


def _followed(plan: Plan, out: Path, on_event: OnEvent, stop: threading.Event) -> Outcome:
    """This node's part of a run that another node leads."""
    folder = out / plan.run_name
    with _signals(stop) as stopping:
        return Outcome(exit_code=follow(plan, folder, on_event, stopping), folder=folder)


class Supervisor:
    """One run, from the first stage that has not finished to the end."""

    def __init__(
        self,
        plan: Plan,
        plan_path: Path,
        folder: Path,
        on_event: OnEvent,
        stopping: threading.Event,
        *,
        accept_drift: bool,
    ) -> None:
        self.plan = plan
        self.run = RunFolder(folder)
        self.on_event = on_event
        self.stopping = stopping
        self.remarks: list[Diagnostic] = []
        write_whole(self.run.plan, plan.to_bytes())
        self.events, garbled = journals.read(folder)
        if (earlier := started(self.events)) and earlier.get("plan") != plan.hash:
            raise _End(CANNOT, diagnostic("R109", f"{folder} holds a run of another plan"))
        self.threads = int(earlier.get("threads") or os.environ.get("OMP_NUM_THREADS") or _cores())
        self.journal = Journal(folder)
        self.tail = Tail(folder / journals.FILE)
        list(self.tail.new())
        if garbled:
            self.say("remark", code="R110", message=f"{garbled} lines of the journal are garbled and passed over")
        self.say(
            "run_started",
            sync=True,
            plan=plan.hash,
            name=plan.run_name,
            data_folder=str(plan_path.parent.resolve()),
            accept_drift=accept_drift,
            # The sum of floats depends on how many threads share it, so a resumed run uses as many as the first.
            threads=self.threads,
            machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            stages=[stage.id for stage in plan.stages],
            pid=os.getpid(),
        )

    def say(self, kind: str, *, stage: str = "", sync: bool = False, **values: Any) -> None:
        """Write an event and hand it on."""
        self.journal.stage = stage
        self.hear(self.journal.write(kind, sync=sync, **values))
        list(self.tail.new())

    def hear(self, event: Event) -> None:
        """Every event of this run passes through here, the stages' and our own."""
        self.events.append(event)
        if event["kind"] == "remark":
            self.remarks.append(
                diagnostic(
                    str(event.get("code")),
                    str(event.get("message")),
                    severity=Severity(event.get("severity", "warning")),
                    key=str(event["stage"]),
                )
            )
        self.on_event(event)

    def carry_out(self, *, probe: bool = False, report_to: Sequence[str] = ()) -> Outcome:
        """Every stage, then the outcome."""
        self.starter = Starter(self.run, self.plan, self.threads, report_to)
        try:
            if probe:
                self._probe()
            for number, stage in enumerate(self.plan.stages, start=1):
                self._stage(stage, number)
        except _End as end:
            self.say("run_ended", sync=True, exit_code=end.exit_code)
            return Outcome(exit_code=end.exit_code, folder=self.run.path, diagnostics=(*self.remarks, *end.diagnostics))
        finally:
            self.starter.close()
        exit_code, problems = self._verdict()
        self.say("run_ended", sync=True, exit_code=exit_code)
        report = json.loads(self.run.report_json.read_bytes()) if self.run.report_json.exists() else {}
        return Outcome(exit_code=exit_code, folder=self.run.path, diagnostics=(*self.remarks, *problems), report=report)

    def _stage(self, stage: Stage, number: int) -> None:
        """Run one stage to its end, through as many attempts as trouble takes. Raises _End where it cannot."""
        of = len(self.plan.stages)
        if stage.id in results(self.events):
            self.on_event({"kind": "stage_kept", "stage": stage.id, "index": number, "of": of})
            return
        if over_budget(self.plan, self.events) and stage.kind in SKIPPED_OVER_BUDGET:
            self.say("stage_skipped", stage=stage.id, why="budget", index=number, of=of)
            return
        attempt = 0
        while True:
            attempt += 1
            self.say(
                "stage_started",
                stage=stage.id,
                sync=True,
                index=number,
                of=of,
                stage_kind=stage.kind,
                attempt=attempt,
                estimate=dict(stage.estimate),
            )
            child = Child(self.starter, stage.id, self.tail, attempt)
            try:
                ended = child.wait(self.hear, lambda: self._why_stop(stage))
            except BaseException:
                child.kill()
                raise
            self.say(
                "stage_ended", stage=stage.id, sync=True, exit_code=ended.exit_code, seconds=round(ended.seconds, 3)
            )
            if ended.exit_code == 0 and stage.id in results(self.events):
                return
            self._answer(stage, ended, attempt)

    def _probe(self) -> None:
        """Take a few steps and say what they make of the estimate; the run goes on from there. Over budget, it ends."""
        stage = probing.to_probe(self.plan, self.events)
        if stage is None:
            return
        place = {each.id: number for number, each in enumerate(self.plan.stages, start=1)}
        for each in probing.before(self.plan, stage):
            self._stage(each, place[each.id])
        start = len(self.events)
        self.say(
            "stage_started", stage=stage.id, sync=True, index=place[stage.id], of=len(place), stage_kind=stage.kind,
            attempt=0, probe=True, estimate=dict(stage.estimate),
        )  # fmt: skip

        def taken() -> list[Event]:
            return [event for event in self.events[start:] if event["stage"] == stage.id]

        child = Child(self.starter, stage.id, self.tail, 0)
        try:
            ended = child.wait(
                self.hear,
                lambda: "stop" if self.stopping.is_set() or probing.measured_twice(taken()) else "",
            )
        except BaseException:
            child.kill()
            raise
        self.say("stage_ended", stage=stage.id, sync=True, exit_code=ended.exit_code, seconds=round(ended.seconds, 3))
        if self.stopping.is_set():
            raise _End(INTERRUPTED, diagnostic("R202", f"{stage.id} was stopped", severity=Severity.NOTE))
        found = probing.corrected(self.plan, stage, taken(), self.events)
        if found is None:  # it failed, and its own attempt will say why, or it was over before its steps were timed
            return
        self.say("probe", stage=stage.id, sync=True, **found)
        if found["over"]:
            raise _End(CANNOT, diagnostic("R211", f"after {found['steps']} steps: {'; '.join(found['over'])}"))

    def _why_stop(self, stage: Stage) -> str:
        if self.stopping.is_set():
            return "stop"
        trains = "learning_rate" in stage.arguments
        return "budget" if trains and over_budget(self.plan, self.events) else ""

    def _answer(self, stage: Stage, ended: Ended, attempt: int) -> None:
        """Adjust for another attempt, or raise _End."""
        if ended.why == "stop" or self.stopping.is_set():
            raise _End(INTERRUPTED, diagnostic("R202", f"{stage.id} was stopped", severity=Severity.NOTE))
        decided: Answer = answer(stage, ended, self.events, attempt, log=self.run.log(stage.id))
        if not decided.again:
            exit_code = CANNOT if decided.code == "R103" else FAILED
            raise _End(exit_code, diagnostic(decided.code, decided.message, key=stage.id, examples=decided.rows))
        if decided.code:
            self.say("remark", stage=stage.id, code=decided.code, message=decided.message, rows=list(decided.rows))
        if decided.arguments:
            self.say("adjusted", stage=stage.id, sync=True, arguments=dict(decided.arguments))

    def _verdict(self) -> tuple[int, list[Diagnostic]]:
        """The exit code of a run whose stages are all done: goal.success decides."""
        if over_budget(self.plan, self.events):
            message = (
                f"{spent_hours(self.events):.2f} hours are spent; training stopped there, the model so far is in model/"
            )
            return CANNOT, [diagnostic("R208", message)]
        success, found = self.plan.goal.get("success"), results(self.events)
        if not success or deciding(self.plan, found) is None:
            return DONE, []
        value = reached(self.plan, found)
        if value is None:
            return MISSED, [diagnostic("R209", f"{success['metric']} was not measured")]
        if value >= success["at_least"]:
            return DONE, []
        message = f"{success['metric']} is {value:.3f}, the goal is {success['at_least']}"
        return MISSED, [diagnostic("R209", message, key="goal.success")]


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- before the first stage -----------------------------------------------------------------------------------------


def _refuse(plan: Plan, data_folder: Path, *, accept_drift: bool) -> None:
    """Everything that must not even start."""
    unknown = sorted({stage.kind for stage in plan.stages} - set(MODULES))
    if unknown:
        raise _End(CANNOT, diagnostic("R105", f"no stage called {', '.join(unknown)} in this ftc"))
    missing = missing_libraries(plan)
    if missing:
        raise _End(CANNOT, diagnostic("R104", f"not installed: {', '.join(missing)}"))
    nodes = max(int(stage.arguments.get("nodes", 1)) for stage in plan.stages)
    if nodes > meeting().nodes:
        raise _End(CANNOT, diagnostic("R113", f"the plan runs on {nodes} nodes, and this is {meeting().nodes}"))
    found = drift(plan, data_folder)
    fatal = [each for each in found if each.code != "R103" or not accept_drift]
    if fatal:
        raise _End(CANNOT, *fatal)


def _refuse_trackers(asked: Sequence[str]) -> None:
    if unknown := sorted(set(asked) - set(TRACKERS)):
        raise _End(
            WRONG, diagnostic("R114", f"no tracker called {', '.join(unknown)}; there are {', '.join(TRACKERS)}")
        )
    if missing := not_installed(asked):
        raise _End(CANNOT, diagnostic("R114", f"not installed: {', '.join(missing)}"))


def _folder(plan: Plan, out: Path, *, fresh: bool) -> Path:
    folder = out / plan.run_name
    if fresh and folder.exists():
        with _locked(folder):
            number = 1
            while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
                number += 1
            folder.rename(aside)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run of a plan at a time. The lock ends with the process that holds it, however that ends."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _End(FAILED, diagnostic("R101", f"{folder.name} is being run by another process")) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _signals(stop: threading.Event) -> Iterator[threading.Event]:
    """SIGTERM and SIGINT set `stop`; only a main thread can listen to them, others hand in an event."""
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
