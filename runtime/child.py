"""One stage as a process: started, listened to through the journal, asked to stop, killed where need be. No torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftc.runtime.journal import Event, Tail
from ftc.runtime.run_folder import RunFolder

POLL_SECONDS = 0.1
GRACE_SECONDS = 60.0  # to finish a step and write a checkpoint; FTC_GRACE_SECONDS sets another
STALL_SECONDS = 1800.0  # without a word, while downloads and large models take minutes; FTC_STALL_SECONDS


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

    def __init__(self, run: RunFolder, stage_id: str, tail: Tail, threads: int) -> None:
        self.run = run
        self.stage_id = stage_id
        self.tail = tail
        self._kills_before = _system_kills()
        log = run.log(stage_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            # -P: a file called ftc.py or torch.py in the user's folder is not imported. The pipe is how the stage
            # notices that this process is gone.
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ftc.runtime.stage", str(run.path), stage_id],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env=_environment(threads),
            )
        self.began = time.monotonic()
        self.heard = self.began
        self.last: Event | None = None

    def wait(self, on_event: Callable[[Event], None], stop: Callable[[], str]) -> Ended:
        """Until it has ended. `stop` says why to stop, or nothing."""
        why, asked = "", 0.0
        while self.process.poll() is None:
            self._listen(on_event)
            now = time.monotonic()
            if not why:
                why = stop() or ("stall" if now - self.heard > _seconds("STALL", STALL_SECONDS) else "")
                if why:
                    asked = now
                    self._signal({"budget": signal.SIGUSR1, "stall": signal.SIGKILL}.get(why, signal.SIGTERM))
            elif now - asked > _seconds("GRACE", GRACE_SECONDS):
                self._signal(signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        self._listen(on_event)
        if self.process.stdin:
            self.process.stdin.close()
        return Ended(
            exit_code=self.process.returncode,
            event=self.last,
            seconds=time.monotonic() - self.began,
            why=why,
            out_of_memory=self.process.returncode == -signal.SIGKILL and _system_kills() > self._kills_before,
        )

    def kill(self) -> None:
        """End it at once, with everything that it has started."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _listen(self, on_event: Callable[[Event], None]) -> None:
        for event in self.tail.new():
            self.heard = time.monotonic()
            if event["stage"] == self.stage_id and event["kind"] in (
                "stage_finished",
                "stage_failed",
                "stage_interrupted",
            ):
                self.last = event
            on_event(event)

    def _signal(self, number: int) -> None:
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            pass  # it has ended in between


def _seconds(name: str, usual: float) -> float:
    try:
        return float(os.environ[f"FTC_{name}_SECONDS"])
    except (KeyError, ValueError):
        return usual


def _environment(threads: int) -> dict[str, str]:
    """The environment of a stage: no progress bars in logs, no telemetry, tokenizers that do not warn after a fork."""
    quiet = {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "TRANSFORMERS_VERBOSITY": "warning",
    }
    return {**quiet, **os.environ, "OMP_NUM_THREADS": str(threads)}


def _system_kills() -> int:
    """How often the system has killed a process of this control group for lack of memory; 0 where it does not say."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2].lstrip("/")
        for folder in (Path("/sys/fs/cgroup") / group, Path("/sys/fs/cgroup")):
            events = folder / "memory.events"
            if events.exists():
                found: dict[str, Any] = dict(line.split() for line in events.read_text().splitlines())
                return int(found.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0
    return 0
