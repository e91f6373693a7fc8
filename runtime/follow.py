"""A run on a node that does not lead: it joins the stages that need it, and ends as the run ends. No torch.

The journal in the run's folder, which all nodes see, says when a stage starts; torchrun's own rendezvous does the rest.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftc.compiler.plan import Plan
from ftc.runtime import journal as journals
from ftc.runtime.journal import Event, Tail
from ftc.runtime.processes import environment, spread
from ftc.runtime.run_folder import RunFolder
from ftc.runtime.torchrun import Torchrun

POLL_SECONDS = 0.2
# A leader that began so long before us is one of an earlier life: nodes of a job start within seconds of each other,
# and their clocks differ by less.
SAME_START_SECONDS = 90.0
LEADER_SECONDS = 600.0  # torchrun's own patience at a rendezvous; FTC_LEADER_SECONDS sets another
FAILED, INTERRUPTED = 1, 130


def follow(plan: Plan, folder: Path, on_event: Callable[[Mapping[str, Any]], None], stopping: threading.Event) -> int:
    """Take part until the leader has ended the run; its exit code, 130 where we were stopped first."""
    run, tail = RunFolder(folder), Tail(folder / journals.FILE)
    began = heard = time.time()
    led = False
    process: Torchrun | None = None
    news: Iterable[Event] = _of_this_life(list(tail.new()))
    while True:
        for event in news:
            on_event(event)
            heard = time.time()
            if event["kind"] == "run_started":
                led = event.get("plan") == plan.hash and float(event["ts"]) > began - SAME_START_SECONDS
            elif event["kind"] == "run_ended" and led:
                return _left(process, int(event.get("exit_code", FAILED)))
            elif event["kind"] == "stage_started" and led:
                process = _joined(plan, run, event, process)
        ended = process is None or process.exit_code() is not None
        if stopping.is_set() and ended:
            return INTERRUPTED
        if stopping.is_set() and process is not None:
            process.signal(signal.SIGTERM)
        if not led and time.time() - heard > _patience():
            return FAILED
        time.sleep(POLL_SECONDS)
        news = tail.new()


def _of_this_life(events: Sequence[Event]) -> Sequence[Event]:
    """What a leader has said that began before us and has not ended; a run that was ended is being started again."""
    starts = [number for number, event in enumerate(events) if event["kind"] == "run_started"]
    latest = events[starts[-1] :] if starts else ()
    return () if any(event["kind"] == "run_ended" for event in latest) else latest


def _joined(plan: Plan, run: RunFolder, event: Event, before: Torchrun | None) -> Torchrun | None:
    """This node's processes of the stage, where it has some; those of an earlier attempt are gone by then."""
    stage = plan.stage(str(event["stage"]))
    nodes, processes = spread(stage)
    if nodes == 1:
        return before
    if before is not None and before.exit_code() is None:
        before.signal(signal.SIGKILL)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    return Torchrun(run, stage.id, int(event.get("attempt", 1)), processes, nodes, environment(threads))


def _left(process: Torchrun | None, exit_code: int) -> int:
    if process is not None and process.exit_code() is None:
        process.signal(signal.SIGKILL)
    return exit_code


def _patience() -> float:
    try:
        return float(os.environ["FTC_LEADER_SECONDS"])
    except (KeyError, ValueError):
        return LEADER_SECONDS
