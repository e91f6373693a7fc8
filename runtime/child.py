"""One stage as a process: started, listened to through the journal, asked to stop, killed where need be. No torch."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ftc.runtime.journal import Event, Tail
from ftc.runtime.processes import Process, Starter

POLL_SECONDS = 0.1
GRACE_SECONDS = 60.0  # to finish a step and write a checkpoint; FTC_GRACE_SECONDS sets another
STALL_SECONDS = 1800.0  # without a word, while downloads and large models take minutes; FTC_STALL_SECONDS
LAST_WORDS = ("stage_finished", "stage_failed", "stage_interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a stage's process ended. `event` is its last word: finished, failed, interrupted, or None."""

    exit_code: int
    event: Event | None
    seconds: float
    why: str = ""  # stop (asked from outside), budget, stall; empty where it ended by itself
    out_of_memory: bool = False  # ended by the system's out-of-memory killer


class Child:
    """The process of one stage, alive from construction to the end of `wait`."""

    def __init__(self, starter: Starter, stage_id: str, tail: Tail, attempt: int = 1) -> None:
        self.stage_id = stage_id
        self.tail = tail
        self._kills_before = _system_kills()
        self.began = time.monotonic()
        self.process: Process = starter.start(stage_id, attempt)
        self.heard = time.monotonic()
        self.last: Event | None = None

    def wait(self, on_event: Callable[[Event], None], stop: Callable[[], str]) -> Ended:
        """Until it has ended. `stop` says why to stop, or nothing."""
        why, asked = "", 0.0
        while self.process.exit_code() is None:
            self._listen(on_event)
            now = time.monotonic()
            if not why:
                why = stop() or ("stall" if now - self.heard > _seconds("STALL", STALL_SECONDS) else "")
                if why:
                    asked = now
                    self.process.signal({"budget": signal.SIGUSR1, "stall": signal.SIGKILL}.get(why, signal.SIGTERM))
            elif now - asked > _seconds("GRACE", GRACE_SECONDS):
                self.process.signal(signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        self._listen(on_event)
        exit_code = self.process.exit_code() or 0
        return Ended(
            exit_code=exit_code,
            event=self.last,
            seconds=time.monotonic() - self.began,
            why=why,
            out_of_memory=exit_code == -signal.SIGKILL and _system_kills() > self._kills_before,
        )

    def kill(self) -> None:
        """End it at once, with everything that it has started."""
        self.process.signal(signal.SIGKILL)
        while self.process.exit_code() is None:
            time.sleep(POLL_SECONDS)

    def _listen(self, on_event: Callable[[Event], None]) -> None:
        for event in self.tail.new():
            self.heard = time.monotonic()
            if event["stage"] == self.stage_id and event["kind"] in LAST_WORDS:
                failed = self.last is not None and self.last["kind"] == "stage_failed"
                self.last = self.last if failed else event  # of several processes, the first failure is the cause
            on_event(event)


def _seconds(name: str, usual: float) -> float:
    try:
        return float(os.environ[f"FTC_{name}_SECONDS"])
    except (KeyError, ValueError):
        return usual


def _system_kills() -> int:
    """How often the system has killed a process of this control group for lack of memory; 0 where it does not say."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/")
        for folder in (Path("/sys/fs/cgroup") / group, Path("/sys/fs/cgroup")):
            events = folder / "memory.events"
            if events.exists():
                found = dict(line.split() for line in events.read_text().splitlines())
                return int(found.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0
    return 0
